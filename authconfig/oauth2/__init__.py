"""The talk with the OpenID provider, built on allauth's OpenID Connect client.

It is an "app" of allauth's only by its name in INSTALLED_APPS: the provider's own
settings are those of the page, so there is no second place to configure it.
"""

"""Our login at somebody else's OpenID provider, built on allauth's OpenID client.

allauth loads `provider`, which checks the tokens; `discovery` knows the configuration,
`identities` finds the PBX user, `configuration_trial` tries the rules.
"""

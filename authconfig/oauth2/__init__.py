"""Our login at somebody else's OpenID provider, built on allauth's OpenID client.

allauth loads it as one of its providers. `discovery` and `tokens` check what is said,
`mapping` and `identities` find the PBX user, `configuration_trial` tries the rules.
"""

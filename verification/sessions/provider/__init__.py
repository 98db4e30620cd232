"""Logins at the OpenID provider: what ends them there ends the session here.

`logins` keeps what the provider knows a login by, and ends what it logs out; `checks`
asks whether logins still stand.
"""

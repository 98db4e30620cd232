"""Logins at the OpenID provider: what ends them there ends the session here.

`logins` ends what the provider logs out; `checks` asks whether logins still stand.
"""

"""The OpenID provider: client applications learn from it who has logged in.

allauth issues codes and tokens; this package decides who gets them, and binds them to
sessions. `views` serves browsers, `endpoints` serves the applications' servers.
"""

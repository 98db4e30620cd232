"""The client applications: who is told who a visitor is, and how they ask.

It offers their list and page, with the part of OpenID Connect and its secret.
"""

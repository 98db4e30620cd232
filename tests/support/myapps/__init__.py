"""A myApps client, written from the protocol's description and from nothing of ours.

Its digests and ciphers are OpenSSL's, directly or through `cryptography`.
"""

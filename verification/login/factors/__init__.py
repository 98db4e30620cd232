"""Second factors of a user's own: passkeys, authenticator apps, recovery codes.

allauth.mfa keeps and checks them; these are its forms and pages with our rules.
"""

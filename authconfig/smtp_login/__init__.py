"""How the e-mail account logs in at its server.

Offers the modes of OAuth2 with what each needs, and their part of the settings form.
"""

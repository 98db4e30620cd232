"""Verification: from a right first factor to a session, and the mails on the way.

`login` leads to the session, `approval` decides about pending logins, `mail` sends.
"""

"""Who can log in now: the logins that wait, the sessions, and the second factors.

The admin's lists of them, each of which ends or removes what should not be there.
"""

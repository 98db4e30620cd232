"""Checking Windows passwords: we ask the domain's directory over LDAP.

`failover` puts a question to the first controller that answers, over a `channel` that
is encrypted; `backend` binds and searches; `netlogon_trial` shows every stage of it.
"""

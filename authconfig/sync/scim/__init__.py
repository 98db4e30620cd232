"""Users whom an OpenID provider writes here by SCIM (RFC 7643, 7644).

`told` keeps what the provider says; `carrying` makes users of it, by the same plan as a
run of the directory. Until an administrator has confirmed the first run, it is kept
alone.
"""

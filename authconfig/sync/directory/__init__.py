"""Reading people from the directory over LDAP.

`searches` asks page by page, `entries` makes people of what comes, and `reading`
decides what has to be asked.
"""

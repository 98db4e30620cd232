"""One-time links by which users set their PBX password: invited, or forgotten.

A link stands in the database without its token, which is signed while its mail is
written. So neither the database nor the queue holds anything that opens an account.
"""

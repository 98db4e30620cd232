"""A backup of the embedded site in one file, and the ways back from it.

`archive` is the file, `embedded` what goes in and comes out again, `moving` the way to
PostgreSQL.
"""

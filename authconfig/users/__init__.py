"""PBX users, and the audit log of what happens to them.

Users are made in the administration, from a CSV file or on the command line, all of
them by the checks in `changes`; whatever is worth telling goes to `audit`.
"""

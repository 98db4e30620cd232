"""The audit log: what happened, when, by whom and from where.

It offers the list, which nobody can change, and the list as a CSV file.
"""

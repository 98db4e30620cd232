"""What keeps an administrator's work: others' changes, the past, and a lost session.

It offers the form as the page shows it, and what was entered before a login.
"""

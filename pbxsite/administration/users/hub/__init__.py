"""What a user's page has beside its form: what there is of them, and what can be done.

`parts` says what there is, `actions` acts, `personal_data` exports and erases.
"""

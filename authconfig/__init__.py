"""Who may log in, and how: the rules, and the methods that check a login.

The rules are one row (`models`), changed by one form (`settings_form`); `policy` reads
them. Nothing here knows a page, a pending login or a mail.
"""

"""The login: from its page to the session.

`page` shows the form, `authentication` checks it, `stages` lead on to the session.
"""

"""The e-mail queue for operators: whether e-mails go out, why not, and each e-mail.

It offers a page that keeps itself up to date, and the list of outgoing e-mails.
"""

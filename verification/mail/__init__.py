"""The mail system: a queue of rows, the workers that send them, and the e-mail account.

It knows no login: other packages register their kinds of mail (`kinds`) and put mails
into the queue (`queue`); a worker claims and sends them (`sending`, `claims`).
"""

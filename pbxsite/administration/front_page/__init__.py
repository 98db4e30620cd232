"""The admin's front page: can people log in, do e-mails go out, and if not, why?

`page` puts it together for its reader's rights: what is wrong (`alarm_list`), what is
still to be done (`first_run`), the logins as a picture (`logins`) and the `cards`.
"""

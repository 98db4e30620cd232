"""Every page of the administration: importing this module registers them all."""

from __future__ import annotations

from pbxsite.administration.access import (
    login_sessions,
    second_factors,
    signed_in_sessions,
)
from pbxsite.administration.authentication import page
from pbxsite.administration.clients import applications
from pbxsite.administration.logs import audit_log
from pbxsite.administration.queue import outgoing_emails
from pbxsite.administration.users import groups, pbx_users

# In the order of the menu.
PAGES = (
    *(page, applications, pbx_users, groups),
    *(outgoing_emails, login_sessions, signed_in_sessions, second_factors, audit_log),
)

"""Every page of the administration: importing this module registers them all."""

from __future__ import annotations

from pbxsite.administration.access import admin as access
from pbxsite.administration.authentication import page
from pbxsite.administration.clients import openid
from pbxsite.administration.logs import admin as logs
from pbxsite.administration.queue import mails
from pbxsite.administration.users import admin as users
from pbxsite.administration.users import groups

__all__ = ["access", "groups", "logs", "mails", "openid", "page", "users"]

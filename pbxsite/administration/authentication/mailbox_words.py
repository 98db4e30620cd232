"""What the page says where a mailbox alone opens an account of myApps."""

from __future__ import annotations

from django.utils.translation import gettext as _

from authconfig.models import AuthenticationSettings
from authconfig.policy import mailbox_is_enough


def said(rules: AuthenticationSettings) -> list[str]:
    return [_("Whoever reads the mailbox can log in.")] * mailbox_is_enough(rules)


def news(rules: AuthenticationSettings, new_rules: AuthenticationSettings) -> list[str]:
    return [] if mailbox_is_enough(rules) else said(new_rules)

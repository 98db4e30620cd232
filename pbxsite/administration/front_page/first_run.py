"""What a fresh site still needs, each with the way to where it is done."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.models import AuthenticationSettings
from authconfig.sections import SETTINGS_PAGE
from pbxsite.administration.authentication.audited_form import account_was_accepted
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import Census

IMPORT = "admin:users_pbxuser_import"


@dataclass(frozen=True)
class FirstStep:
    text: str | Promise
    link: str
    is_done: bool


def steps(rules: AuthenticationSettings, census: Census) -> list[FirstStep]:
    page = reverse(SETTINGS_PAGE)
    closed = words.all_closed(census)
    return [
        FirstStep(
            _("Test the e-mail account"),
            f"{page}#send-test",
            # Two-factor authentication can be switched on with no other one.
            rules.two_factor
            or (bool(rules.smtp_server) and account_was_accepted(rules)),
        ),
        FirstStep(
            _("Enter the verification link"),
            f"{page}#id_verification_link",
            bool(rules.verification_link),
        ),
        FirstStep(
            _("Add users who can log in"),
            closed[0].link if closed else reverse(IMPORT),
            is_in_use(census) and not closed,
        ),
        FirstStep(
            _("Switch two-factor authentication on"),
            f"{page}#id_two_factor",
            rules.two_factor,
        ),
    ]


def is_in_use(census: Census) -> bool:
    """Can more than one user log in? The first one made the site."""
    return census.count(lambda user, found: user.is_active and not found.myapps) > 1

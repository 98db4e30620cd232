"""What the page says of passwords that are kept for digest logins of myApps clients."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.models import AuthenticationSettings
from authconfig.policy import offers_digest
from authconfig.users import kept_passwords as kept


def kept_passwords(rules: AuthenticationSettings) -> str:
    """Count the users of whom one is kept, and those who have to log in here first."""
    if not offers_digest(rules):
        return ""
    count = kept.count()
    has = ngettext(
        "%(count)s user has a kept password;",
        "%(count)s users have a kept password;",
        count.kept,
    ) % {"count": count.kept}
    lacks = ngettext(
        "%(count)s has none: it is kept at the next login on the page or with the next"
        " change.",
        "%(count)s have none: it is kept at the next login on the page or with the next"
        " change.",
        count.missing,
    ) % {"count": count.missing}
    return f"{has} {lacks}"


def news(rules: AuthenticationSettings, new_rules: AuthenticationSettings) -> list[str]:
    before, after = offers_digest(rules), offers_digest(new_rules)
    compares = new_rules.myapps_approve_by_comparing and new_rules.two_factor
    compared = rules.myapps_approve_by_comparing and rules.two_factor
    told = []
    if after and not before:
        told.append(
            _(
                "PBX passwords are kept encrypted from each user's next login or"
                " change, and can be read with the key."
            )
        )
    if before and not after:
        told.append(
            _(
                "All kept passwords are deleted, and no myApps client logs in by digest"
                " any more; who is signed in stays signed in."
            )
        )
    if compares and not compared:
        told.append(
            _("One click in a signed-in myApps client approves a login, without code.")
        )
    return told

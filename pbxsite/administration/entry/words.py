"""The answers in words: for the list, the command line, the page of a user."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.clients.choices import Kind
from authconfig.policy import UserFacts
from pbxsite.administration.entry.answers import Answer, Census
from pbxsite.administration.entry.filters import NO

PAGE = "admin:users_pbxuser_access"


def plain(found: Answer, kind: Kind) -> str:
    """Say “yes”, or “no” and why."""
    if found.of(kind):
        return _("no: %(why)s") % {"why": why_not(found, kind)}
    if found.lacks_factor and kind is Kind.MYAPPS:
        return _("yes, with a passkey or app to set up first")
    return _("yes")


def why_not(found: Answer, kind: Kind) -> str:
    return "; ".join(str(each.label) for each in found.of(kind))


def reasons(found: Answer) -> list[str]:
    """Return a text for each kind that is closed, or one for both if it is the same."""
    if found.myapps and found.myapps == found.mypbx:
        return [str(each.label) for each in found.myapps]
    return [
        f"{kind.label}: {obstacle.label}"
        for kind in Kind
        for obstacle in found.of(kind)
    ]


@dataclass(frozen=True)
class Closed:
    """How many active users cannot log in to a kind, and where they are listed."""

    text: str
    link: str


def all_closed(census: Census) -> list[Closed]:
    """Return this of each kind that some can log in to; once, if it is the same users.

    There is nothing to tell where everybody can.
    """
    counts = {kind: count for kind, count in census.all_closed().items() if count}
    if len(counts) == len(Kind) and census.are_closed_alike():
        told = _closed_to_all(counts[Kind.MYAPPS])
        return [Closed(told, link_to_closed(Kind.MYAPPS))]
    return [
        Closed(closed(count, kind), link_to_closed(kind))
        for kind, count in counts.items()
    ]


def _closed_to_all(count: int) -> str:
    return ngettext(
        "%(count)s user cannot log in.", "%(count)s users cannot log in.", count
    ) % {"count": count}


def closed(count: int, kind: Kind) -> str:
    return ngettext(
        "%(count)s user cannot log in to %(kind)s.",
        "%(count)s users cannot log in to %(kind)s.",
        count,
    ) % {"count": count, "kind": kind.label}


def link_to_closed(kind: Kind) -> str:
    """Return the address of the list of those who cannot log in."""
    return f"{reverse(PAGE)}?{kind.value}={NO}&is_active__exact=1"


def is_there(*, fact: bool) -> str:
    return _("yes") if fact else ""


def factor(user: UserFacts) -> str:
    if user.has_counting_factor:
        return _("yes")
    return _("yes, not approved") if user.has_factor else ""

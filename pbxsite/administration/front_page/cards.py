"""The cards of the front page: how things stand, and where to look further."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.bounded_counts import bounded_count
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.policy import needs_approval
from authconfig.sections import SETTINGS_PAGE
from pbxsite.administration.authentication import summary
from pbxsite.administration.directory_runs.state import SCIM_PAGE, SYNC_PAGE, SyncState
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import Census
from pbxsite.administration.queue.report import (
    QueueReport,
    oversized_words,
    refused_words,
)
from verification.mail.choices import MailState
from verification.password_links import invitations
from verification.sessions.lifecycle import live_sessions

MAILS = "admin:mail_outgoingemail_changelist"
SESSIONS = "admin:usersessions_usersession_changelist"


@dataclass(frozen=True)
class Card:
    """`state` is "good", "bad" or "plain"."""

    title: str
    state: str
    sentence: str
    details: tuple[str, ...]
    link: str
    link_words: str


def of_policy(rules: AuthenticationSettings) -> Card:
    held = needs_approval(rules, Kind.MYAPPS)
    on, off = (
        _("Two-factor authentication is on."),
        _("Two-factor authentication is off: a password alone is enough."),
    )
    return Card(
        _("Who may log in"),
        "good" if held else "plain",
        summary.authentication(rules),
        (on if held else off,),
        reverse(SETTINGS_PAGE),
        _("Authentication"),
    )


def of_entry(census: Census) -> Card:
    closed = words.all_closed(census)
    good = _("Every active user, as far as this site can know.")
    return Card(
        _("Who can log in"),
        "bad" if closed else "good",
        closed[0].text if closed else good,
        (*(each.text for each in closed[1:]), *(_invited() if closed else ())),
        closed[0].link if closed else reverse(words.PAGE),
        _("Show them") if closed else _("Who can log in"),
    )


def _invited() -> Iterator[str]:
    """Tell what is done about those who cannot log in."""
    if count := invitations.outstanding():
        yield ngettext(
            "%(count)s invitation is out, and not used yet.",
            "%(count)s invitations are out, and not used yet.",
            count,
        ) % {"count": count}


def of_directory(state: SyncState) -> Card:
    return Card(
        _("Users from the directory"),
        "bad" if state.alarm else "good",
        state.sentence,
        (),
        reverse(SYNC_PAGE),
        _("Runs"),
    )


def of_scim(state: SyncState) -> Card:
    return Card(
        _("Users by SCIM"),
        "bad" if state.alarm else "good",
        state.sentence,
        (),
        reverse(SCIM_PAGE),
        _("Requests and runs"),
    )


def of_mails(found: QueueReport, *, operates: bool) -> Card:
    return Card(
        _("E-mails"),
        "bad" if found.findings else "good",
        _sent_words(found.mails[MailState.SENT]),
        (*_mail_details(found), *oversized_words(found.oversized)),
        reverse("queue") if operates else reverse(MAILS),
        _("E-mail queue") if operates else _("Outgoing e-mails"),
    )


def _sent_words(count: int) -> str:
    if not count:
        return _("None was sent in the last 24 hours.")
    return ngettext(
        "%(count)s was sent in the last 24 hours.",
        "%(count)s were sent in the last 24 hours.",
        count,
    ) % {"count": number_format(count, force_grouping=True)}


def _mail_details(found: QueueReport) -> Iterator[str]:
    times = found.times
    if times.count:
        yield _(
            "From queued to accepted: half of them within %(median)s s, 95 %% within"
            " %(p95)s s."
        ) % {
            "median": number_format(times.median_seconds, 1),
            "p95": number_format(times.p95_seconds, 1),
        }
    waiting = found.mails[MailState.QUEUED] + found.mails[MailState.SENDING]
    yield _waiting_words(waiting, found.due)
    if found.refused_addresses:
        yield refused_words(found.refused_addresses)


def _waiting_words(waiting: int, due: int) -> str:
    if not waiting:
        return _("None waits.")
    words = ngettext(
        "%(count)s waits, %(due)s of them due now.",
        "%(count)s wait, %(due)s of them due now.",
        waiting,
    )
    return words % {
        "count": number_format(waiting, force_grouping=True),
        "due": number_format(due, force_grouping=True),
    }


def of_sessions() -> Card:
    count = bounded_count(live_sessions())
    return Card(
        _("Signed in now"),
        "plain",
        ngettext("%(count)s session.", "%(count)s sessions.", count) % {"count": count},
        (),
        reverse(SESSIONS),
        _("Signed-in sessions"),
    )

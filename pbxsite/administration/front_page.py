"""The admin's front page says whether people can log in, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.bounded_counts import bounded_count
from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.policy import needs_approval
from authconfig.sections import SETTINGS_PAGE
from authconfig.users.models import AuditEvent
from pbxsite.administration.authentication import summary
from pbxsite.administration.directory_runs.state import sync_state
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import Census
from pbxsite.administration.queue.report import (
    QueueReport,
    oversized_words,
    queue_report,
    refused_words,
)
from pbxsite.gateway.openid.clients import lacking_pkce
from verification.mail.operation.operators import is_operator
from verification.mail.operation.overview import MailTimes
from verification.sessions.lifecycle import live_sessions

MAILS = "mail_outgoingemail"
AUDIT = "users_auditevent"
CLIENTS = "clients_clientapplication"
SESSIONS = "usersessions_usersession"
LOGIN_EVENTS = (Event.LOGIN, Event.LOGIN_FAILED, Event.LOGIN_REJECTED)


@dataclass(frozen=True)
class OverviewCard:
    """`state` is "good", "bad" or "plain"."""

    title: str
    state: str
    sentence: str
    details: tuple[str, ...]
    link: str
    link_words: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give the theme's front page its cards."""
    return context | {"cards": list(_cards(request))}


def _cards(request: HttpRequest) -> Iterator[OverviewCard]:
    if _may(request, "authconfig.change_authenticationsettings"):
        yield _policy_card(current_rules())
    if _may(request, "users.view_pbxuser"):
        yield _entry_card(current_rules())
    if _may(request, "authconfig.change_authenticationsettings"):
        yield from _directory_cards(current_rules())
    if is_operator(request) or _may(request, "mail.view_outgoingemail"):
        yield _mail_card(queue_report(), operates=is_operator(request))
    if _may(request, "users.view_auditevent"):
        yield _login_card()
    if _may(request, "usersessions.view_usersession"):
        yield _session_card()
    if _may(request, "clients.view_clientapplication"):
        yield from _client_cards()


def _may(request: HttpRequest, permission: str) -> bool:
    return request.user.has_perm(permission)


def _policy_card(rules: AuthenticationSettings) -> OverviewCard:
    held = needs_approval(rules, Kind.MYAPPS)
    return OverviewCard(
        _("Who may log in"),
        "good" if held else "plain",
        summary.authentication(rules),
        tuple(_policy_details(held=held)),
        reverse(SETTINGS_PAGE),
        _("Authentication"),
    )


def _policy_details(*, held: bool) -> Iterator[str]:
    if not held:
        yield _("Two-factor authentication is off: a password alone is enough.")
        return
    yield _("Two-factor authentication is on.")


def _entry_card(rules: AuthenticationSettings) -> OverviewCard:
    closed = words.all_closed(Census(rules))
    good = _("Every active user, as far as this site can know.")
    return OverviewCard(
        _("Who can log in"),
        "bad" if closed else "good",
        closed[0].text if closed else good,
        tuple(each.text for each in closed[1:]),
        closed[0].link if closed else reverse(words.PAGE),
        _("Show them") if closed else _("Who can log in"),
    )


def _directory_cards(rules: AuthenticationSettings) -> Iterator[OverviewCard]:
    state = sync_state(rules)
    if state:
        yield OverviewCard(
            _("Users from the directory"),
            "bad" if state.alarm else "good",
            state.alarm or state.sentence,
            (state.sentence,) if state.alarm else (),
            reverse("admin:authconfig_authenticationsettings_sync"),
            _("Runs"),
        )


def _mail_card(found: QueueReport, *, operates: bool) -> OverviewCard:
    first, *others = [finding.sentence for finding in found.findings] or [""]
    return OverviewCard(
        _("Verification e-mails"),
        "bad" if first else "good",
        first or _mail_sentence(found.times),
        (*others, *_mail_details(found), *oversized_words(found.oversized)),
        reverse("queue") if operates else _list(MAILS),
        _("E-mail queue") if operates else _("Outgoing e-mails"),
    )


def _mail_sentence(times: MailTimes) -> str:
    if not times.count:
        return _("Nothing waits, and none was needed in the last hour.")
    return ngettext(
        "%(count)d was sent in the last hour.",
        "%(count)d were sent in the last hour.",
        times.count,
    ) % {"count": times.count}


def _mail_details(found: QueueReport) -> Iterator[str]:
    times = found.times
    if times.count:
        yield _("Half of them within %(median)s s, 95 %% within %(p95)s s.") % {
            "median": number_format(times.median_seconds, 1),
            "p95": number_format(times.p95_seconds, 1),
        }
    if found.refused_addresses:
        yield refused_words(found.refused_addresses)
    if found.due:
        yield ngettext("%(count)d is due now.", "%(count)d are due now.", found.due) % {
            "count": found.due
        }


def _login_card() -> OverviewCard:
    since = timezone.now() - timedelta(days=1)
    events = AuditEvent.objects.filter(at__gt=since, event__in=LOGIN_EVENTS)
    counted = events.order_by().values_list("event").annotate(Count("pk"))
    counts = dict(counted)
    rejected = counts.get(Event.LOGIN_REJECTED, 0)
    return OverviewCard(
        _("Logins of the last 24 hours"),
        "bad" if rejected else "plain",
        ngettext(
            "%(count)d login succeeded.",
            "%(count)d logins succeeded.",
            counts.get(Event.LOGIN, 0),
        )
        % {"count": counts.get(Event.LOGIN, 0)},
        tuple(_login_details(counts.get(Event.LOGIN_FAILED, 0), rejected)),
        f"{_list(AUDIT)}?event__exact={Event.LOGIN_REJECTED}"
        if rejected
        else _list(AUDIT),
        _("Audit log"),
    )


def _login_details(failed: int, rejected: int) -> Iterator[str]:
    if failed:
        yield ngettext("%(count)d failed.", "%(count)d failed.", failed) % {
            "count": failed
        }
    if rejected:
        yield ngettext(
            "%(count)d was rejected by its user: somebody knows the password.",
            "%(count)d were rejected by their users: somebody knows the passwords.",
            rejected,
        ) % {"count": rejected}


def _session_card() -> OverviewCard:
    count = bounded_count(live_sessions())
    return OverviewCard(
        _("Signed in now"),
        "plain",
        ngettext("%(count)s session.", "%(count)s sessions.", count) % {"count": count},
        (),
        _list(SESSIONS),
        _("Signed-in sessions"),
    )


def _client_cards() -> Iterator[OverviewCard]:
    """Tell of clients that the site refuses, while there are any."""
    refused = lacking_pkce().order_by("application__name").select_related("application")
    names = [openid.application.name for openid in refused[:5]]
    if not names:
        return
    yield OverviewCard(
        _("Client applications"),
        "bad",
        _("Refused because they ask without PKCE: %(names)s.")
        % {"names": ", ".join(names)},
        (_("Their pages say which switch helps."),),
        _list(CLIENTS),
        _("Client applications"),
    )


def _list(model: str) -> str:
    return reverse(f"admin:{model}_changelist")

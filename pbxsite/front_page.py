"""The admin's front page: in words, whether people can log in, and if not, why."""

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

from authconfig.choices import Client, Event
from authconfig.models import (
    AuditEvent,
    AuthenticationSettings,
    PbxUser,
    current_settings,
)
from authconfig.policy import needs_approval
from pbxsite import summary
from verification import heartbeat, sessions
from verification.overview import MailTimes, Overview, mail_times, overview

SETTINGS = "authconfig_authenticationsettings"
MAILS = "verification_outgoingemail"
AUDIT = "authconfig_auditevent"
SESSIONS = "usersessions_usersession"
# A worker takes a mail up at once; after this nobody seems to be there.
TAKEN_UP_WITHIN = timedelta(seconds=30)
LOGIN_EVENTS = (Event.LOGIN, Event.LOGIN_FAILED, Event.LOGIN_REJECTED)


@dataclass(frozen=True)
class Card:
    """`state` is "good", "bad" or "plain"; the link is there for who may follow it."""

    title: str
    state: str
    sentence: str
    details: tuple[str, ...]
    link: str
    link_words: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give the theme's front page its cards."""
    return context | {"cards": list(_cards(request))}


def _cards(request: HttpRequest) -> Iterator[Card]:
    if _may(request, "authconfig.change_authenticationsettings"):
        yield _policy_card(current_settings())
    if _may(request, "verification.view_outgoingemail"):
        yield _mail_card(overview(), mail_times())
    if _may(request, "authconfig.view_auditevent"):
        yield _login_card()
    if _may(request, "usersessions.view_usersession"):
        yield _session_card()


def _may(request: HttpRequest, permission: str) -> bool:
    return request.user.has_perm(permission)


def _policy_card(rules: AuthenticationSettings) -> Card:
    held = needs_approval(rules, Client.MYAPPS)
    return Card(
        _("Who may log in"),
        "good" if held else "plain",
        summary.authentication(rules),
        tuple(_policy_details(held=held)),
        _list(SETTINGS),
        _("Authentication"),
    )


def _policy_details(*, held: bool) -> Iterator[str]:
    if not held:
        yield _("Two-factor authentication is off: a password alone is enough.")
        return
    yield _("Two-factor authentication is on.")
    if count := PbxUser.objects.filter(is_active=True, email="").count():
        yield summary.without_email(count)


def _mail_card(found: Overview, times: MailTimes) -> Card:
    fault = _mail_fault(found)
    return Card(
        _("Verification e-mails"),
        "bad" if fault else "good",
        fault or _mail_sentence(times),
        tuple(_mail_details(found, times)),
        _list(MAILS),
        _("Outgoing e-mails"),
    )


def _mail_fault(found: Overview) -> str:
    waited = found.oldest_due_seconds
    if waited is not None and waited > TAKEN_UP_WITHIN.total_seconds():
        return _(
            "An e-mail has been waiting for %(seconds)d seconds, and nobody has taken"
            " it up. Look whether the Celery worker is running."
        ) % {"seconds": waited}
    if heartbeat.is_silent():
        return _(
            "No Celery worker has reported in the last minute, so e-mails would wait."
            " Look whether the worker, its scheduler (beat) and Redis are running."
        )
    if found.failed_lately:
        return _("The mail server refuses e-mails: %(words)s") % {
            "words": found.last_failure
        }
    return ""


def _mail_sentence(times: MailTimes) -> str:
    if not times.count:
        return _("Nothing waits, and none was needed in the last hour.")
    return ngettext(
        "%(count)d was sent in the last hour.",
        "%(count)d were sent in the last hour.",
        times.count,
    ) % {"count": times.count}


def _mail_details(found: Overview, times: MailTimes) -> Iterator[str]:
    if times.count:
        yield _("Half of them within %(median)s s, 95 %% within %(p95)s s.") % {
            "median": number_format(times.median_seconds, 1),
            "p95": number_format(times.p95_seconds, 1),
        }
    if found.due:
        yield ngettext("%(count)d is due now.", "%(count)d are due now.", found.due) % {
            "count": found.due
        }


def _login_card() -> Card:
    since = timezone.now() - timedelta(days=1)
    events = AuditEvent.objects.filter(at__gt=since, event__in=LOGIN_EVENTS)
    counted = events.order_by().values_list("event").annotate(Count("pk"))
    counts = dict(counted)
    rejected = counts.get(Event.LOGIN_REJECTED, 0)
    return Card(
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


def _session_card() -> Card:
    count = sessions.live().count()
    return Card(
        _("Signed in now"),
        "plain",
        ngettext("%(count)d session.", "%(count)d sessions.", count) % {"count": count},
        (),
        _list(SESSIONS),
        _("Signed-in sessions"),
    )


def _list(model: str) -> str:
    return reverse(f"admin:{model}_changelist")

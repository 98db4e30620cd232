"""What a user's page says beside its form: all that an administrator is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import badge, moment
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import Answer, answer_for
from pbxsite.administration.users.hub.actions import actions_for
from verification.account.history import events_of
from verification.approval.models import LoginSession
from verification.mail.choices import MailState
from verification.mail.operation.operators import is_operator
from verification.mail.operation.outcomes import refusal_of
from verification.mail.operation.overview import said
from verification.sessions.factors import factors_of, name_of
from verification.sessions.signed_in import listed_of

# Of what there may be many; the list behind the link has all.
SHOWN = 5
MAIL_COLORS: dict[str, str] = {
    MailState.SENT: "success",
    MailState.FAILED: "danger",
    MailState.UNKNOWN: "warning",
}


@dataclass(frozen=True)
class Line:
    text: str
    facts: str = ""
    at: str = ""
    badge: SafeString | str = ""


@dataclass(frozen=True)
class Part:
    key: str
    title: str
    lines: list[Line]
    empty: str
    link: str
    link_words: str
    # What somebody has to look at, and what to do.
    warnings: tuple[str, ...] = ()


def hub(request: HttpRequest, user: PbxUser) -> dict[str, Any]:
    return {
        "answers": _answers(answer_for(current_rules(), user)),
        "parts": list(_parts(request, user)),
        "actions": list(actions_for(request, user)),
    }


def _answers(found: Answer) -> list[tuple[str, SafeString]]:
    return [
        (
            str(kind.label),
            badge(words.plain(found, kind), "danger" if found.of(kind) else "success"),
        )
        for kind in Kind
    ]


def _parts(request: HttpRequest, user: PbxUser) -> Iterator[Part]:
    if request.user.has_perm("usersessions.view_usersession"):
        yield _sessions(user)
    if request.user.has_perm("mfa.view_authenticator"):
        yield _factors(user)
    if request.user.has_perm("approval.view_loginsession"):
        yield _waiting(user)
    if request.user.has_perm("users.view_auditevent"):
        yield _history(user)
    if request.user.has_perm("mail.view_outgoingemail") or is_operator(request):
        yield _mails(user)


def _sessions(user: PbxUser) -> Part:
    lines = [
        Line(
            each.browser_text,
            _joined(each.kind_label, each.address, each.approved_by_label),
            moment(each.last_seen_at),
        )
        for each in listed_of(user, SHOWN)
    ]
    empty = _("Not signed in anywhere.")
    return _part("sessions", _("Signed-in sessions"), lines, empty, user)


def _factors(user: PbxUser) -> Part:
    found = factors_of(user)
    lines = [
        Line(
            name_of(each),
            _approval(each),
            moment(each.last_used_at),
        )
        for each in (*found.passkeys, found.app, found.recovery_codes)
        if each is not None
    ]
    return _part("factors", _("Second factors"), lines, _("None."), user)


def _approval(factor: Any) -> str:
    binding = getattr(factor, "binding", None)
    if binding is None or not binding.approver:
        return _("not approved")
    return _("approved by: %(what)s") % {"what": binding.get_approver_display()}


def _waiting(user: PbxUser) -> Part:
    pending = LoginSession.objects.pending().filter(user=user)[:SHOWN]
    lines = [
        Line(
            each.browser_text,
            _joined(each.get_kind_display(), each.address or ""),
            moment(each.created_at),
        )
        for each in pending
    ]
    empty = _("No login waits for an approval.")
    return _part("logins", _("Waiting logins"), lines, empty, user)


def _history(user: PbxUser) -> Part:
    lines = [
        Line(
            each.text,
            _joined(*each.facts),
            moment(each.at),
            badge(_("look"), "warning") if each.is_warning else "",
        )
        for each in events_of(user, 2 * SHOWN)
    ]
    empty = _("Nothing is recorded.")
    return _part("events", _("Last events"), lines, empty, user)


def _mails(user: PbxUser) -> Part:
    lines = [
        Line(
            each.get_kind_display(),
            _joined(each.recipient, each.words),
            moment(each.created_at),
            badge(each.get_state_display(), MAIL_COLORS.get(each.state, "info")),
        )
        for each in user.outgoing_emails.all()[:SHOWN]
    ]
    part = _part("mails", _("E-mails"), lines, _("None was sent."), user)
    return replace(part, warnings=tuple(_refused(user)))


def _refused(user: PbxUser) -> Iterator[str]:
    """Tell of one address that is refused here: the site's banner tells of the site."""
    refused = refusal_of(user)
    if refused:
        words = {"address": user.email, "words": said(refused.mail)}
        yield _("The mail server refuses %(address)s: %(words)s") % words
        yield refused.remedy


# The list that has all of a part, and what it is searched for by.
LISTS = {
    "sessions": "usersessions_usersession",
    "factors": "mfa_authenticator",
    "logins": "approval_loginsession",
    "events": "users_auditevent",
    "mails": "mail_outgoingemail",
}


def _part(key: str, title: str, lines: list[Line], empty: str, user: PbxUser) -> Part:
    listed = reverse(f"admin:{LISTS[key]}_changelist")
    link = f"{listed}?{urlencode({'q': user.name})}"
    return Part(key, title, lines, empty, link, _("Show all"))


def _joined(*facts: str) -> str:
    return " · ".join(str(fact) for fact in facts if fact)

"""What the audit log kept of an event, in the words of the pages, with links.

The log keeps codes and keys, which no language changes, and so does the CSV file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Event
from authconfig.models import MODEL_FIELDS
from authconfig.sections import SECTIONS
from authconfig.users.models import AuditEvent
from pbxsite.administration.cells import page_of
from pbxsite.administration.kept_words import (
    KEPT,
    changes_in_words,
    mail_in_words,
    stage_in_words,
)
from verification.approval.choices import Ending
from verification.mail import kinds
from verification.sessions.choices import Approver

MAIL = re.compile(r"(?P<kind>\w+) (?P<pk>\d+)(: ?(?P<said>.*))?", re.DOTALL)
SETTING = re.compile(r"(?P<key>\w+): (?P<change>.*)", re.DOTALL)
LINK = '<a href="{}">{}</a>{}'
CODES = {str(code): label for code, label in [*Approver.choices, *Ending.choices]}
# Who wrote a change of a user, if nobody did it here by hand: "directory: …".
WRITERS = {"import": _("import"), "directory": _("directory"), "scim": "SCIM"}
WRITTEN = re.compile(r"(?P<writer>import|directory|scim): (?P<said>.*)", re.DOTALL)


def detail_in_words(event: AuditEvent) -> str:
    say = WORDS.get(event.event)
    return say(event.detail) if say else str(KEPT.get(event.detail, event.detail))


@cache
def _kinds() -> dict[str, str | Promise]:
    """Packages register their kinds after this module was read."""
    return dict(kinds.choices())


def _of_mail(kept: str) -> str:
    found = MAIL.fullmatch(kept)
    kind = _kinds().get(found["kind"]) if found else None
    if not found or kind is None:
        return kept
    page = page_of("mail_outgoingemail", found["pk"])
    said = mail_in_words(found["said"] or "")
    return format_html(LINK, page, f"{kind} {found['pk']}", f": {said}" if said else "")


def _of_setting(kept: str) -> str:
    found = SETTING.fullmatch(kept)
    field = MODEL_FIELDS.get(found["key"]) if found else None
    if not found or field is None:
        return kept
    key = found["key"]
    page = reverse("admin:authconfig_authenticationsettings_changelist")
    section = next((s.title for s in SECTIONS if key in s.every_field), "")
    name = f"{field.verbose_name} ({section})" if section else str(field.verbose_name)
    return format_html(LINK, f"{page}#id_{key}", name, f": {found['change']}")


def _of_login(kept: str) -> str:
    return str(CODES.get(kept, kept))


def _of_user(kept: str) -> str:
    found = WRITTEN.fullmatch(kept)
    if not found:
        return changes_in_words(kept)
    return f"{WRITERS[found['writer']]}: {changes_in_words(found['said'])}"


WORDS: dict[str, Callable[[str], str]] = {
    Event.MAIL_SENT: _of_mail,
    Event.MAIL_FAILED: _of_mail,
    Event.MAIL_DELAYED: _of_mail,
    Event.MAIL_RETRIED: _of_mail,
    Event.MAIL_CANCELLED: _of_mail,
    Event.SETTING_CHANGED: _of_setting,
    Event.LOGIN: _of_login,
    Event.LOGIN_ACCEPTED: _of_login,
    Event.LOGIN_REJECTED: _of_login,
    Event.LOGIN_ENDED: _of_login,
    Event.USER_CHANGED: _of_user,
    Event.LOGIN_FAILED: stage_in_words,
    Event.MAIL_TESTED: stage_in_words,
    Event.NETLOGON_TESTED: stage_in_words,
    Event.OAUTH2_TESTED: stage_in_words,
}

"""What the audit log kept of an event, in the words of the pages, with links.

The log keeps codes and keys, which no language changes, and so does the CSV file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from django.db.models import Field
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Event
from authconfig.models import MODEL_FIELDS
from authconfig.sections import SECTIONS
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.cells import page_of
from pbxsite.administration.stage_words import mail_in_words, stage_in_words
from verification.approval.choices import Ending
from verification.mail import kinds
from verification.password_links.choices import Purpose
from verification.sessions.choices import Approver

MAIL = re.compile(r"(?P<kind>\w+) (?P<pk>\d+)(: ?(?P<said>.*))?", re.DOTALL)
SETTING = re.compile(r"(?P<key>\w+): (?P<change>.*)", re.DOTALL)
LINK = '<a href="{}">{}</a>{}'
CODES = {str(code): label for code, label in [*Approver.choices, *Ending.choices]}
# What is kept of any event in these very words.
KEPT = {
    "added": _("added"),
    "deleted": _("deleted"),
    "set": _("set"),
    "removed": _("removed"),
    "generated": _("generated"),
    "unlocked": _("unlocked"),
    "all": _("all"),
    "all others": _("all others"),
    f"by a link ({Purpose.INVITATION})": _("by the link of an invitation"),
    f"by a link ({Purpose.FORGOTTEN})": _("by the link for a forgotten password"),
}
# A change of a user: "email: old → new, is_active: on → off".
FIELD = re.compile(r"(?:(?<=^)|(?<=, )|(?<=^import: ))(?P<key>\w+): ")
VALUES = {"on": _("On"), "off": _("Off"), "empty": _("empty")}
VALUE = re.compile(r"(?<=: )(?:on|off|empty)(?= → )|(?<= → )(?:on|off|empty)(?=, |$)")


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
    """Name each field that was changed, and what nobody typed, as the page does."""
    named = FIELD.sub(_label, str(KEPT.get(kept, kept)))
    return VALUE.sub(lambda found: str(VALUES[found[0]]), named)


def _label(found: re.Match[str]) -> str:
    return f"{USER_FIELDS.get(found['key'], found['key'])}: "


USER_FIELDS = {
    field.name: field.verbose_name
    for field in PbxUser._meta.get_fields()
    if isinstance(field, Field)
}
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

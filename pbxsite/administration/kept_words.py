"""What is kept as codes, in words: stages, states, and what was changed of a user.

The audit log, the queue and the servers' states keep "rcpt_to 550 …" or "rcpt_to: …",
which no language changes; people read "Name the recipient (RCPT TO): 550 …".
"""

from __future__ import annotations

import re

from django.db.models import Field
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.directory.choices import NetlogonStage
from authconfig.oauth2.choices import OAuth2Stage
from authconfig.users.models import PbxUser
from verification.mail.choices import MailState, SmtpStage
from verification.password_links.choices import Purpose

STAGES: dict[str, str | Promise] = {
    str(code): label
    for stages in (NetlogonStage, OAuth2Stage, SmtpStage)
    for code, label in stages.choices
}
OF_MAILS: dict[str, str | Promise] = {
    str(code): label for code, label in [*MailState.choices, *SmtpStage.choices]
}
FIRST_WORD = re.compile(r"(\w+)(?:: ?| |$)")
STAGE_WITHIN = re.compile(rf"(?<![\w.-])({'|'.join(STAGES)}): ")
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
    "linked with its entry": _("linked with its entry"),
    "taken from it": _("taken from it"),
    f"by a link ({Purpose.INVITATION})": _("by the link of an invitation"),
    f"by a link ({Purpose.FORGOTTEN})": _("by the link for a forgotten password"),
}
# A change of a user: "email: old → new, is_active: on → off".
FIELD = re.compile(r"(?:(?<=^)|(?<=, ))(?P<key>\w+|all rights): ")
VALUES = {"on": _("On"), "off": _("Off"), "empty": _("empty")}
VALUE = re.compile(
    r"(?<=: )(?:on|off|empty)(?= → |, |$)|(?<= → )(?:on|off|empty)(?=, |$)"
)
USER_FIELDS = {
    field.name: field.verbose_name
    for field in PbxUser._meta.get_fields()
    if isinstance(field, Field)
} | {"all rights": _("all rights")}


def mail_in_words(kept: str) -> str:
    """Name the state or stage that what is kept of a mail begins with."""
    found = FIRST_WORD.match(kept)
    label = OF_MAILS.get(found[1]) if found else None
    if not found or label is None:
        return kept
    return f"{label}: {kept[found.end() :]}".removesuffix(": ")


def stage_in_words(kept: str) -> str:
    """Name the first stage within the text, which stands before a colon."""
    return STAGE_WITHIN.sub(lambda found: f"{STAGES[found[1]]}: ", kept, count=1)


def changes_in_words(kept: str) -> str:
    """Name each field that was changed, and what nobody typed, as the page does."""
    first, comma, others = kept.partition(", ")
    named = FIELD.sub(_label, f"{KEPT.get(first, first)}{comma}{others}")
    return VALUE.sub(lambda found: str(VALUES[found[0]]), named)


def _label(found: re.Match[str]) -> str:
    return f"{USER_FIELDS.get(found['key'], found['key'])}: "

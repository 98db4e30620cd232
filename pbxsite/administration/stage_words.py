"""Stages and states in words: what is kept begins with their codes.

The audit log, the queue and the servers' states keep "rcpt_to 550 …" or "rcpt_to: …",
which no language changes; people read "Name the recipient (RCPT TO): 550 …".
"""

from __future__ import annotations

import re

from django.utils.functional import Promise

from authconfig.directory.choices import NetlogonStage
from authconfig.oauth2.choices import OAuth2Stage
from verification.mail.choices import MailState, SmtpStage

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

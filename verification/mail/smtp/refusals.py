"""What a server's refusal is about, where its code alone does not tell.

Servers check the account when the recipient is named, and say so in words: a refusal
there may be the recipient's fault or the account's. The words are those of Postfix,
Exim, sendmail, Courier, OpenSMTPD, Haraka, Exchange and large providers.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from verification.mail.choices import SmtpStage

LOOSE = re.IGNORECASE


class Subject(Enum):
    ENCRYPTION = auto()  # the server wants TLS before anything else
    LOGIN = auto()  # it wants a login, or forwards e-mails for nobody without one
    SENDER = auto()  # the account may not send from its address
    SITE = auto()  # it does not accept where or what this site is
    LIMIT = auto()  # the account has sent as much as it may for now
    SIZE = auto()  # the e-mail is too large


# These refuse the account: each e-mail would be refused in the same way.
OF_THE_ACCOUNT = {
    Subject.ENCRYPTION,
    Subject.LOGIN,
    Subject.SENDER,
    Subject.SITE,
    Subject.LIMIT,
}
# The order counts: a refusal may have words of several lines of this table.
WORDS: tuple[tuple[Subject, re.Pattern[str]], ...] = (
    (
        Subject.SIZE,
        re.compile(
            r"too (big|large|long)\b|size exceeds|exceeds? .*\b(size|length)\b"
            r"|message length .*exceeds|maximum (message )?size|size limit",
            LOOSE,
        ),
    ),
    (Subject.ENCRYPTION, re.compile(r"starttls|(tls|encryption) required", LOOSE)),
    (
        Subject.SENDER,
        re.compile(
            r"not owned by|send as\b|sender address (is )?(rejected|not allowed)"
            # But not "to send to this group", which is the recipient's rule.
            r"|not (allowed|permitted|authori[sz]ed) to send"
            r"(?! ((e-?)?mails? |messages? )?to\b)",
            LOOSE,
        ),
    ),
    (
        Subject.LOGIN,
        re.compile(
            r"not logged in|log ?in (first|required)|not authenticated"
            r"|(authentication|auth) (is )?(required|first)|issue an auth\b"
            r"|(requires?|need|must) (to )?(an )?auth(enticat|entication)?"
            r"|relay access denied|relaying (is )?(denied|not)|relay not permitted"
            r"|unable to relay",
            LOOSE,
        ),
    ),
    (
        Subject.SITE,
        re.compile(
            r"(client host|helo command) rejected|blocked using|dnsbl|spamhaus"
            r"|(is|are|was|been) (black)?listed (at|by|in|on)\b",
            LOOSE,
        ),
    ),
    (
        Subject.LIMIT,
        re.compile(
            r"\brate\b|rate ?limit|throttl|too fast|per (minute|hour|day)\b"
            r"|too (many|much) (e-?mails?|mail|messages|connections|sessions|requests)"
            r"|too many (concurrent|simultaneous)|too many recipients from"
            r"|(sending|submission|hourly|daily|mail send|thread) ?(quota|limit)",
            LOOSE,
        ),
    ),
)
# Postfix tells of the sender in the same words as of what is wrong with it.
NOT_LOGGED_IN = re.compile(r"not logged in", LOOSE)
# Of mailboxes and their addresses, and of the rules of recipients; Exchange's 2.252 is
# of the sender, who may not send as this address.
OF_THE_RECIPIENT = re.compile(r"(1\.[1-6]|2\.(?!252$)\d+|7\.1\d\d|7\.2[0-46-9])$")
# Without a login no mail of the account goes anywhere.
LOGIN_CODES = {530, 535}


def subject_of(
    stage: SmtpStage, code: int, enhanced: str, words: str
) -> Subject | None:
    """Return what the refusal of a mail is about; None if only its code tells."""
    if stage not in (SmtpStage.MAIL_FROM, SmtpStage.RCPT_TO, SmtpStage.DATA):
        return None
    found = _by_words(words)
    if found is Subject.SITE and stage == SmtpStage.DATA:
        found = None  # what is listed may be an address in the text
    if found is Subject.SIZE or not _names_recipient(enhanced):
        return found or (Subject.LOGIN if code in LOGIN_CODES else None)
    return None


def _by_words(words: str) -> Subject | None:
    if NOT_LOGGED_IN.search(words):
        return Subject.LOGIN
    return next((each for each, said in WORDS if said.search(words)), None)


def _names_recipient(enhanced: str) -> bool:
    return OF_THE_RECIPIENT.match(enhanced.partition(".")[2]) is not None

"""What a mail that failed tells administrators."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from verification.mail.choices import MailState, SmtpStage
from verification.mail.models import OVER, OutgoingEmail
from verification.mail.smtp import SmtpError
from verification.mail.smtp.faults import SmtpFault

OUTCOMES_SHOWN = 20
# These need no remedy: the mail was sent, or nobody wanted it any more.
WELL = (MailState.SENT, MailState.EXPIRED)


@dataclass(frozen=True)
class EndedMail:
    mail: OutgoingEmail
    remedy: str


def failure(stage: str, code: int | None, fault: str, words: str) -> SmtpError:
    """Return what failed, from what is kept of it."""
    rules = current_rules()
    details = {
        "server": rules.smtp_server,
        "port": rules.smtp_port,
        "issuer": _("somebody"),
    }
    known = SmtpFault.__members__.get(fault, SmtpFault.THIS_SITE)
    if known is SmtpFault.REPLY and code is None:
        known = SmtpFault.THIS_SITE
    # Before the greeting no server gives a code.
    where = SmtpStage(stage) if stage else SmtpStage.EHLO
    return SmtpError(where, words, fault=known, code=code, details=details)


def failure_of(mail: OutgoingEmail) -> SmtpError:
    return failure(mail.stage, mail.code, mail.fault, mail.words)


def remedy(stage: str, code: int | None, fault: str, words: str) -> str:
    return failure(stage, code, fault, words).remedy


def remedy_of(mail: OutgoingEmail) -> str:
    if mail.state in WELL or not (mail.stage or mail.words):
        return ""
    return failure_of(mail).remedy


def refusal_of(user: PbxUser) -> EndedMail | None:
    """Return the last mail to the user's address, if the server refuses that one."""
    over = user.outgoing_emails.filter(recipient=user.email, ended_at__isnull=False)
    mail = over.exclude(state=MailState.EXPIRED).order_by("-ended_at").first()
    if mail is None or mail.state != MailState.FAILED:
        return None
    error = failure_of(mail)
    return EndedMail(mail, error.remedy) if error.is_of_recipient else None


def last_outcomes() -> list[EndedMail]:
    over = OutgoingEmail.objects.filter(state__in=OVER, ended_at__isnull=False)
    mails = over.select_related("user").order_by("-ended_at")[:OUTCOMES_SHOWN]
    return [EndedMail(mail, remedy_of(mail)) for mail in mails]

"""What an administrator can do about a delivery that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from verification.mail.choices import SmtpStage
from verification.mail.oauth2.faults import REMEDIES as TOKEN_REMEDIES
from verification.mail.smtp.faults import SmtpFault, smtp_fault
from verification.mail.smtp.refusals import Subject
from verification.mail.smtp.vendor_remedies import VENDOR_REMEDIES

if TYPE_CHECKING:  # the stubs are not there in production
    from django_stubs_ext import StrPromise

REMEDIES: dict[SmtpFault, StrPromise] = {
    SmtpFault.NAME_UNKNOWN: _(
        "No address was found for “%(server)s”. Check the spelling of the SMTP server"
        " and the DNS of the machine that this site runs on."
    ),
    SmtpFault.REFUSED: _(
        "Nothing answers on port %(port)s of “%(server)s”. Check the SMTP server and"
        " the port, and whether a firewall refuses the connection."
    ),
    SmtpFault.UNREACHABLE: _(
        "“%(server)s” cannot be reached from here. Check the SMTP server and the"
        " network of the machine that this site runs on."
    ),
    SmtpFault.TIMEOUT: _(
        "“%(server)s” did not answer in time. Try again later; if it stays so, ask"
        " the operator of the SMTP server."
    ),
    SmtpFault.CLOSED: _(
        "“%(server)s” closed the connection. Try again later; if it stays so, ask the"
        " operator of the SMTP server whether it accepts this site."
    ),
    SmtpFault.NOT_SMTP: _(
        "What answers on port %(port)s of “%(server)s” does not speak SMTP properly."
        " Check the SMTP server and the port."
    ),
    SmtpFault.NO_STARTTLS: _(
        "“%(server)s” does not offer STARTTLS on port %(port)s. Use the port for"
        " submission, usually 587, or the security “TLS from the start” with port 465."
        " If it offered STARTTLS before, something on the way may be removing it."
    ),
    SmtpFault.PLAINTEXT_BEFORE_TLS: _(
        "Something sent unencrypted data into the connection just before its"
        " encryption began. The e-mail was not sent. Somebody may be tampering with"
        " the connection: ask the administrator of the network."
    ),
    SmtpFault.PLAIN_SERVER: _(
        "“%(server)s” does not begin with TLS on port %(port)s. Select the security"
        " “STARTTLS”, usually with port 587, or correct the port."
    ),
    SmtpFault.OLD_TLS: _(
        "“%(server)s” has only versions of TLS older than 1.2, which are not safe."
        " Ask the operator of the SMTP server to enable TLS 1.2 or later."
    ),
    SmtpFault.TLS_FAILED: _(
        "The encrypted connection to “%(server)s” could not be established. Check the"
        " security and the port, and ask the operator of the SMTP server."
    ),
    SmtpFault.UNTRUSTED: _(
        "The certificate of “%(server)s” was issued by “%(issuer)s”, which is not"
        " trusted here. If this is your own authority, enter its CA certificate;"
        " otherwise check that this is the right SMTP server."
    ),
    SmtpFault.CERTIFICATE_EXPIRED: _(
        "The certificate of “%(server)s” has expired. Ask the operator of the SMTP"
        " server to renew it, and check the clock of the machine that this site runs"
        " on."
    ),
    SmtpFault.CERTIFICATE_NOT_YET_VALID: _(
        "The certificate of “%(server)s” is not valid yet. Check the clock of the"
        " machine that this site runs on."
    ),
    SmtpFault.WRONG_NAME: _(
        "The certificate belongs to another name than “%(server)s”. Enter the SMTP"
        " server by the name that stands in its certificate."
    ),
    SmtpFault.CA_UNREADABLE: _(
        "The CA certificate cannot be read. Paste it again as PEM text."
    ),
    SmtpFault.NO_MECHANISM: _(
        "“%(server)s” offers no way to log in that is known here. Check the port,"
        " or leave the username empty if the server needs no login."
    ),
    SmtpFault.BEYOND_ASCII: _(
        "The login that “%(server)s” offers carries no letters such as ä or é. Use a"
        " username and a password without them."
    ),
    SmtpFault.CLEAR_TEXT: _(
        "The password is not sent over an unencrypted connection. Select the security"
        " “STARTTLS” or “TLS from the start”, or leave the username empty."
    ),
    SmtpFault.NO_PASSWORD: _(
        "The account has a user name and no password. Enter the password again, or"
        " empty the user name."
    ),
    SmtpFault.NO_SMTPUTF8: _(
        "“%(server)s” cannot deliver to or from addresses with letters such as ä or é"
        " before the @. Use another address."
    ),
    SmtpFault.BAD_ADDRESS: _("This is not an e-mail address. Correct it."),
    SmtpFault.TOO_LARGE: _(
        "The e-mail is larger than “%(server)s” takes. Send a smaller one, or have the"
        " limit raised."
    ),
    SmtpFault.NO_ROOM: _(
        "The recording is larger than “%(server)s” takes, and there is no room to keep"
        " it here for its user. Raise VOICEMAIL_KEPT_MB, or have the server's limit"
        " raised: the recording waits until then."
    ),
    SmtpFault.NO_TOKEN_MECHANISM: _(
        "“%(server)s” offers no login by OAuth2 (neither XOAUTH2 nor OAUTHBEARER)."
        " Check the SMTP server and the port, or have its operator switch OAuth2 on."
    ),
    SmtpFault.THIS_SITE: _(
        "This site itself failed, not the mail server. Look into the worker's log."
    ),
} | {smtp_fault(fault): remedy for fault, remedy in TOKEN_REMEDIES.items()}

# Silence and a closed connection right at the start have causes of their own.
REMEDIES_AT_STAGE: dict[tuple[SmtpFault, SmtpStage], StrPromise] = {
    (SmtpFault.TIMEOUT, SmtpStage.CONNECT): _(
        "“%(server)s” did not answer on port %(port)s in time. Check the SMTP server"
        " and the port, and whether a firewall blocks the connection."
    ),
    (SmtpFault.TIMEOUT, SmtpStage.RESOLVE): _(
        "The DNS did not answer in time. Check the DNS of the machine that this site"
        " runs on."
    ),
    (SmtpFault.TIMEOUT, SmtpStage.EHLO): _(
        "“%(server)s” accepted the connection and then stayed silent. If port"
        " %(port)s expects TLS from the start, as 465 does, select that security;"
        " otherwise try again later."
    ),
    (SmtpFault.CLOSED, SmtpStage.EHLO): _(
        "“%(server)s” closed the connection during the greeting. If port %(port)s"
        " expects TLS from the start, as 465 does, select that security; otherwise the"
        " server may not accept this site: ask its operator."
    ),
}

REPLY_REMEDIES: dict[tuple[SmtpStage | None, int], StrPromise] = {
    (SmtpStage.AUTH, 530): _(
        "The server wants an encrypted connection. Select the security “STARTTLS” or"
        " “TLS from the start”."
    ),
    (SmtpStage.AUTH, 534): _(
        "The server does not accept this kind of password. Many providers want a"
        " password of its own for each application: create one there and enter it."
    ),
    (SmtpStage.AUTH, 535): _(
        "The user name or the password is wrong. Enter both again; some providers"
        " want a password of its own for each application, or have to allow SMTP for"
        " the account."
    ),
    (SmtpStage.AUTH, 538): _(
        "The server wants an encrypted connection for the login. Select the security"
        " “STARTTLS” or “TLS from the start”."
    ),
    (SmtpStage.AUTH, 432): _(
        "The server wants the password to be changed first. Change it there and enter"
        " the new one."
    ),
    (None, 454): _(
        "The server has a temporary fault of its own. Try again in some minutes."
    ),
    (None, 421): _(
        "The server is closing or overloaded for the moment. Try again in some minutes."
    ),
    (None, 451): _(
        "The server has a temporary fault or makes new senders wait. Try again in some"
        " minutes."
    ),
    (None, 530): _(
        "The server wants a login first. Enter username and password, and select an"
        " encrypted security."
    ),
    (None, 552): _(
        "The e-mail is too large for the server, or the mailbox is full. Send a"
        " smaller one, or have the limit raised."
    ),
}

TOO_LARGE = _(
    "The e-mail is too large for the server. Send a smaller one, or have the limit"
    " raised."
)

# Subject and detail of an enhanced status code (RFC 3463, RFC 7372), of any class,
# where they say more than the reply code and the stage do.
ENHANCED_REMEDIES: dict[str, StrPromise] = {
    "1.1": _(
        "The server does not know this recipient: there is no such mailbox. Correct"
        " the e-mail address of the user."
    ),
    "1.2": _(
        "The server cannot find the recipient's domain. Correct what stands after the"
        " @ in the e-mail address of the user."
    ),
    "1.8": _(
        "The server cannot find the sender's domain. Correct the e-mail address of"
        " the account."
    ),
    "1.10": _(
        "The recipient's domain takes no e-mails at all. Enter another e-mail address"
        " for the user."
    ),
    "2.1": _(
        "The recipient's mailbox is disabled. Ask its operator, or enter another"
        " e-mail address for the user."
    ),
    "2.2": _(
        "The recipient's mailbox is full. The user has to make room in it, then send"
        " again."
    ),
    "2.3": TOO_LARGE,
    "3.4": TOO_LARGE,
    "7.23": _(
        "The recipient's server checked SPF: this SMTP server may not send for the"
        " sender's domain. Add it to the domain's SPF record in DNS."
    ),
    "7.26": _(
        "The recipient's server found neither SPF nor DKIM to be right for the"
        " sender's domain. Set them up in DNS and on the SMTP server."
    ),
}

SUBJECT_REMEDIES: dict[Subject, StrPromise] = {
    Subject.ENCRYPTION: _(
        "The server wants an encrypted connection. Select the security “STARTTLS” or"
        " “TLS from the start”."
    ),
    Subject.LOGIN: _(
        "The server wants a login first; the recipient is not at fault. Enter username"
        " and password of the account, and select an encrypted security."
    ),
    Subject.SENDER: _(
        "The server does not accept the sender: this account may not send from its"
        " e-mail address. Enter the address that belongs to the username, or have the"
        " operator of the SMTP server allow it. The recipient is not at fault."
    ),
    Subject.SITE: _(
        "The server does not accept this site; the recipient is not at fault. Check the"
        " client host name, and ask the operator of the SMTP server whether this site's"
        " address is blocked or has no name in DNS."
    ),
    Subject.LIMIT: _(
        "The account has sent as many e-mails as the server allows for now. They wait"
        " and go out as the server takes them; if that is too slow, have the operator"
        " of the SMTP server raise the limit."
    ),
    Subject.SIZE: TOO_LARGE,
}

STAGE_REMEDIES: dict[SmtpStage, StrPromise] = {
    SmtpStage.TLS: _(
        "The server refused to begin the encryption. Ask the operator of the SMTP"
        " server."
    ),
    SmtpStage.EHLO: _(
        "The server does not accept this site. Check the client host name, and ask"
        " the operator of the SMTP server whether this site's address is blocked."
    ),
    SmtpStage.AUTH: _(
        "The server refused the login. Check username and password, and what the"
        " server says about it."
    ),
    SmtpStage.MAIL_FROM: _(
        "The server does not accept the sender. Check that the e-mail address belongs"
        " to this account, and that the server allows to send from it."
    ),
    SmtpStage.RCPT_TO: _(
        "The server does not accept the recipient. Check the address; if it is right,"
        " the server may want a login before it forwards e-mails to it."
    ),
    SmtpStage.DATA: _(
        "The server refused the e-mail itself, often as spam or by a rule. Ask the"
        " operator of the SMTP server."
    ),
}

TEMPORARY_REMEDY = _(
    "The server refused for the moment. Try again in some minutes; if it stays so, ask"
    " the operator of the SMTP server."
)


def remedy_for_fault(fault: SmtpFault, stage: SmtpStage) -> StrPromise:
    return REMEDIES_AT_STAGE.get((fault, stage)) or REMEDIES[fault]


@dataclass(frozen=True)
class Refusal:
    stage: SmtpStage
    code: int
    enhanced: str
    subject: Subject | None


def remedy_for_reply(refusal: Refusal, *, permanent: bool) -> StrPromise:
    stage, code = refusal.stage, refusal.code
    detail = refusal.enhanced.partition(".")[2]
    exact = VENDOR_REMEDIES.get((code, detail)) or ENHANCED_REMEDIES.get(detail)
    if not exact and refusal.subject:
        exact = SUBJECT_REMEDIES[refusal.subject]
    exact = (
        exact or REPLY_REMEDIES.get((stage, code)) or REPLY_REMEDIES.get((None, code))
    )
    return exact or (STAGE_REMEDIES[stage] if permanent else TEMPORARY_REMEDY)

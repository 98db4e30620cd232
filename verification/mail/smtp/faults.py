"""What can go wrong on the way to an SMTP server, besides its saying no."""

from __future__ import annotations

import smtplib
from enum import Enum, auto

from authconfig.network import NetworkFault, UnreachableError, network_fault
from verification.mail.oauth2.faults import PASSING, TokenFault
from verification.mail.smtp.client import PlaintextBeforeTlsError


class SmtpFault(Enum):
    REPLY = auto()  # the server said no, by a code
    NAME_UNKNOWN = auto()
    REFUSED = auto()
    UNREACHABLE = auto()
    TIMEOUT = auto()
    CLOSED = auto()
    NOT_SMTP = auto()
    NO_STARTTLS = auto()
    PLAINTEXT_BEFORE_TLS = auto()
    PLAIN_SERVER = auto()
    OLD_TLS = auto()
    TLS_FAILED = auto()
    UNTRUSTED = auto()
    CERTIFICATE_EXPIRED = auto()
    CERTIFICATE_NOT_YET_VALID = auto()
    WRONG_NAME = auto()
    CA_UNREADABLE = auto()
    NO_MECHANISM = auto()
    BEYOND_ASCII = auto()
    CLEAR_TEXT = auto()
    NO_PASSWORD = auto()
    NO_SMTPUTF8 = auto()
    BAD_ADDRESS = auto()
    TOO_LARGE = auto()
    NO_ROOM = auto()  # for what a mail leaves here instead of what is too large
    THIS_SITE = auto()
    NO_TOKEN_MECHANISM = auto()
    # What oauth2.faults.TokenFault calls so without TOKEN_.
    TOKEN_UNREACHABLE = auto()
    TOKEN_TIMEOUT = auto()
    TOKEN_PROVIDER_BUSY = auto()
    TOKEN_NOT_OAUTH2 = auto()
    TOKEN_WAITED = auto()
    TOKEN_INCOMPLETE = auto()
    TOKEN_NOT_AUTHORIZED = auto()
    TOKEN_NO_REFRESH = auto()
    TOKEN_BAD_KEY = auto()
    TOKEN_CLIENT = auto()
    TOKEN_GRANT = auto()
    TOKEN_OWNER = auto()
    TOKEN_ASSERTION = auto()
    TOKEN_INTERRUPTED = auto()
    TOKEN_INTERACTION = auto()
    TOKEN_SCOPE = auto()
    TOKEN_REQUEST = auto()


def smtp_fault(fault: TokenFault) -> SmtpFault:
    return SmtpFault[f"TOKEN_{fault.name}"]


# A second try changes nothing about these; a network or a server may recover.
LASTING = {
    SmtpFault.CA_UNREADABLE,
    SmtpFault.CLEAR_TEXT,
    SmtpFault.NO_PASSWORD,
    SmtpFault.NO_SMTPUTF8,
    SmtpFault.BAD_ADDRESS,
    SmtpFault.TOO_LARGE,
    *(smtp_fault(fault) for fault in TokenFault if fault not in PASSING),
}

# The network's faults that a server's operator knows under another name.
NETWORK_FAULTS = {
    NetworkFault.NOT_TLS: SmtpFault.PLAIN_SERVER,
    NetworkFault.TLS_CLOSED: SmtpFault.TLS_FAILED,
    NetworkFault.UNREACHABLE: SmtpFault.CLOSED,
}
CONNECTING_FAULTS = {
    NetworkFault.REFUSED: SmtpFault.REFUSED,
    NetworkFault.TIMEOUT: SmtpFault.TIMEOUT,
}
# The order counts: the first two classes derive from the third.
CLIENT_FAULTS: tuple[tuple[type[Exception], SmtpFault], ...] = (
    (smtplib.SMTPNotSupportedError, SmtpFault.NO_MECHANISM),
    (PlaintextBeforeTlsError, SmtpFault.PLAINTEXT_BEFORE_TLS),
    (smtplib.SMTPException, SmtpFault.NOT_SMTP),
)


def fault_of(error: BaseException | None) -> SmtpFault:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        # smtplib raises it while it handles the exception that says more.
        error = error.__context__
    for kind, fault in CLIENT_FAULTS:
        if isinstance(error, kind):
            return fault
    found = network_fault(error)
    return NETWORK_FAULTS.get(found) or SmtpFault[found.name]


def connecting_fault(error: UnreachableError) -> SmtpFault:
    return CONNECTING_FAULTS.get(network_fault(error), SmtpFault.UNREACHABLE)

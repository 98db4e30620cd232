"""What can go wrong on the way to an SMTP server, besides its saying no."""

from __future__ import annotations

import smtplib
import ssl
from enum import Enum, auto

from verification.mail.smtp.client import PlaintextBeforeTlsError


class Fault(Enum):
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
    NO_SMTPUTF8 = auto()
    BAD_ADDRESS = auto()
    THIS_SITE = auto()


# A second try changes nothing about these; a network or a server may recover.
LASTING = {
    Fault.CA_UNREADABLE,
    Fault.CLEAR_TEXT,
    Fault.NO_SMTPUTF8,
    Fault.BAD_ADDRESS,
}

# OpenSSL's X509_V_ERR_… numbers; every other one is a matter of trust.
CERTIFICATE_FAULTS = {
    9: Fault.CERTIFICATE_NOT_YET_VALID,
    10: Fault.CERTIFICATE_EXPIRED,
    62: Fault.WRONG_NAME,
    64: Fault.WRONG_NAME,
}
TLS_FAULTS = {
    "WRONG_VERSION_NUMBER": Fault.PLAIN_SERVER,
    "PACKET_LENGTH_TOO_LONG": Fault.PLAIN_SERVER,
    "UNSUPPORTED_PROTOCOL": Fault.OLD_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": Fault.OLD_TLS,
}


def fault_of(error: BaseException | None) -> Fault:
    """Say what an exception of the network, of TLS or of smtplib means."""
    if isinstance(error, smtplib.SMTPServerDisconnected):
        # smtplib raises it while it handles the exception that says more.
        error = error.__context__
    for kind, fault in FAULTS:
        if isinstance(error, kind):
            return _exact(error, fault)
    return Fault.CLOSED


def _exact(error: BaseException, fault: Fault) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE_FAULTS.get(error.verify_code, fault)
    if isinstance(error, ssl.SSLError):
        return TLS_FAULTS.get(error.reason or "", fault)
    return fault


# In this order: most are kinds of OSError.
FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (smtplib.SMTPNotSupportedError, Fault.NO_MECHANISM),
    (PlaintextBeforeTlsError, Fault.PLAINTEXT_BEFORE_TLS),
    (smtplib.SMTPException, Fault.NOT_SMTP),
    (ssl.SSLCertVerificationError, Fault.UNTRUSTED),
    (ssl.SSLError, Fault.TLS_FAILED),
    (TimeoutError, Fault.TIMEOUT),
    (ConnectionRefusedError, Fault.REFUSED),
    (ConnectionError, Fault.CLOSED),
    (ValueError, Fault.NOT_SMTP),  # of a challenge that is no base64
)

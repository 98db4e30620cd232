"""What can go wrong between us and a directory, and what an error means."""

from __future__ import annotations

import re
import socket
import ssl
from enum import Enum, auto

import ldap

from authconfig.directory.choices import NetlogonStage
from authconfig.network import readable


class FaultKind(Enum):
    REJECTED = auto()  # the directory said no to the user
    UNREACHABLE = auto()  # nobody said anything
    MISCONFIGURED = auto()  # the directory said no to this site, or we to it


class Fault(Enum):
    DNS_FAILED = auto()
    NAME_UNKNOWN = auto()
    REFUSED = auto()
    UNREACHABLE = auto()
    TIMEOUT = auto()
    CLOSED = auto()
    BUSY = auto()
    RESTING = auto()

    NO_USER = auto()
    SEVERAL_USERS = auto()
    WRONG_PASSWORD = auto()
    WRONG_TIME = auto()
    WRONG_WORKSTATION = auto()
    PASSWORD_EXPIRED = auto()
    DISABLED = auto()
    ACCOUNT_EXPIRED = auto()
    MUST_CHANGE = auto()
    LOCKED = auto()
    REFUSED_LOGIN = auto()
    NOT_IN_GROUP = auto()

    NO_DOMAIN = auto()
    NO_CONTROLLERS = auto()
    NOT_LDAP = auto()
    NO_STARTTLS = auto()
    NOT_TLS = auto()
    TLS_FAILED = auto()
    UNTRUSTED = auto()
    CERTIFICATE_EXPIRED = auto()
    CERTIFICATE_NOT_YET_VALID = auto()
    WRONG_NAME = auto()
    CA_UNREADABLE = auto()
    CLEAR_TEXT = auto()
    NO_SERVICE_PASSWORD = auto()
    SERVICE_REJECTED = auto()
    SERVICE_RESTING = auto()
    SIGNING_REQUIRED = auto()
    NO_DIRECT_LOGIN = auto()
    BAD_FILTER = auto()
    NO_BASE = auto()
    NO_RIGHTS = auto()
    REFERRAL = auto()
    NO_GROUP = auto()
    OTHER = auto()

    @property
    def kind(self) -> FaultKind:
        if self in OUTAGES:
            return FaultKind.UNREACHABLE
        return FaultKind.REJECTED if self in REJECTIONS else FaultKind.MISCONFIGURED


OUTAGES = {
    Fault.DNS_FAILED,
    Fault.NAME_UNKNOWN,
    Fault.REFUSED,
    Fault.UNREACHABLE,
    Fault.TIMEOUT,
    Fault.CLOSED,
    Fault.BUSY,
    Fault.RESTING,
}
REJECTIONS = {
    Fault.NO_USER,
    Fault.SEVERAL_USERS,
    Fault.WRONG_PASSWORD,
    Fault.WRONG_TIME,
    Fault.WRONG_WORKSTATION,
    Fault.PASSWORD_EXPIRED,
    Fault.DISABLED,
    Fault.ACCOUNT_EXPIRED,
    Fault.MUST_CHANGE,
    Fault.LOCKED,
    Fault.REFUSED_LOGIN,
    Fault.NOT_IN_GROUP,
}


class DirectoryError(Exception):
    """`words` are the directory's own, or what was found instead."""

    def __init__(self, stage: NetlogonStage, fault: Fault, words: str = "") -> None:
        self.stage, self.fault, self.words = stage, fault, readable(words)
        super().__init__(f"{stage.value}: {fault.name} {self.words}".strip())


# Active Directory's "data …" in the answer to a refused login.
SUB_CODES = {
    "525": Fault.NO_USER,
    "52e": Fault.WRONG_PASSWORD,
    "530": Fault.WRONG_TIME,
    "531": Fault.WRONG_WORKSTATION,
    "532": Fault.PASSWORD_EXPIRED,
    "533": Fault.DISABLED,
    "701": Fault.ACCOUNT_EXPIRED,
    "773": Fault.MUST_CHANGE,
    "775": Fault.LOCKED,
}
# OpenSSL's X509_V_ERR_… numbers; every other one is a matter of trust.
CERTIFICATE_FAULTS = {
    9: Fault.CERTIFICATE_NOT_YET_VALID,
    10: Fault.CERTIFICATE_EXPIRED,
    62: Fault.WRONG_NAME,
    64: Fault.WRONG_NAME,
}
# In this order: most are kinds of OSError.
NETWORK_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (ssl.SSLCertVerificationError, Fault.UNTRUSTED),
    (ssl.SSLEOFError, Fault.CLOSED),
    (ssl.SSLZeroReturnError, Fault.CLOSED),
    (ssl.SSLError, Fault.TLS_FAILED),
    (TimeoutError, Fault.TIMEOUT),
    (socket.gaierror, Fault.NAME_UNKNOWN),
    (ConnectionRefusedError, Fault.REFUSED),
    (ConnectionError, Fault.CLOSED),
    (UnicodeError, Fault.NAME_UNKNOWN),
    (ValueError, Fault.OTHER),
)
NO_ANSWER: tuple[tuple[type[ldap.LDAPError], Fault], ...] = (
    (ldap.TIMEOUT, Fault.TIMEOUT),
    (ldap.TIMELIMIT_EXCEEDED, Fault.TIMEOUT),
    (ldap.SERVER_DOWN, Fault.CLOSED),
    (ldap.CONNECT_ERROR, Fault.CLOSED),
    (ldap.UNAVAILABLE, Fault.BUSY),
    (ldap.BUSY, Fault.BUSY),
)
NOT_SETTLED: tuple[tuple[type[ldap.LDAPError], Fault], ...] = (
    (ldap.STRONG_AUTH_REQUIRED, Fault.SIGNING_REQUIRED),
    (ldap.CONFIDENTIALITY_REQUIRED, Fault.SIGNING_REQUIRED),
    (ldap.REFERRAL, Fault.REFERRAL),
    (ldap.DECODING_ERROR, Fault.NOT_LDAP),
    (ldap.PROTOCOL_ERROR, Fault.NOT_LDAP),
)
REFUSALS = (
    ldap.INVALID_CREDENTIALS,
    ldap.INAPPROPRIATE_AUTH,
    ldap.INSUFFICIENT_ACCESS,
    ldap.CONSTRAINT_VIOLATION,
    ldap.UNWILLING_TO_PERFORM,
    ldap.NO_SUCH_OBJECT,
)
OF_STAGE: dict[NetlogonStage, tuple[tuple[type[ldap.LDAPError], Fault], ...]] = {
    NetlogonStage.SERVICE: (
        *((refusal, Fault.SERVICE_REJECTED) for refusal in REFUSALS),
        (ldap.INVALID_DN_SYNTAX, Fault.SERVICE_REJECTED),
    ),
    NetlogonStage.SEARCH: (
        (ldap.FILTER_ERROR, Fault.BAD_FILTER),
        (ldap.NO_SUCH_OBJECT, Fault.NO_BASE),
        (ldap.INVALID_DN_SYNTAX, Fault.NO_BASE),
        (ldap.INSUFFICIENT_ACCESS, Fault.NO_RIGHTS),
        (ldap.OPERATIONS_ERROR, Fault.NO_RIGHTS),
        (ldap.SIZELIMIT_EXCEEDED, Fault.SEVERAL_USERS),
    ),
    NetlogonStage.PASSWORD: (
        (ldap.INVALID_CREDENTIALS, Fault.WRONG_PASSWORD),
        *((refusal, Fault.REFUSED_LOGIN) for refusal in REFUSALS),
        (ldap.INVALID_DN_SYNTAX, Fault.NO_DIRECT_LOGIN),
    ),
    NetlogonStage.GROUP: (
        (ldap.NO_SUCH_OBJECT, Fault.NO_GROUP),
        (ldap.INVALID_DN_SYNTAX, Fault.NO_GROUP),
        (ldap.INSUFFICIENT_ACCESS, Fault.NO_RIGHTS),
        (ldap.OPERATIONS_ERROR, Fault.NO_RIGHTS),
    ),
}


def network_error(stage: NetlogonStage, error: Exception) -> DirectoryError:
    """Say what an exception of the network or of TLS means."""
    fault = next(
        (f for kind, f in NETWORK_FAULTS if isinstance(error, kind)), Fault.UNREACHABLE
    )
    words = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = CERTIFICATE_FAULTS.get(error.verify_code, fault)
        words = error.verify_message
    elif isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        fault = Fault.NOT_TLS
    return DirectoryError(stage, fault, words)


def ldap_error(stage: NetlogonStage, error: ldap.LDAPError) -> DirectoryError:
    """Say what a directory's answer, or libldap's lack of one, means here."""
    meanings = (*NO_ANSWER, *NOT_SETTLED, *OF_STAGE[stage])
    fault = next((f for kind, f in meanings if isinstance(error, kind)), Fault.OTHER)
    words = server_words(error)
    if fault is Fault.WRONG_PASSWORD:
        sub_code = re.search(r"\bdata ([0-9a-f]{3,4})\b", words)
        fault = SUB_CODES.get(sub_code[1], fault) if sub_code else fault
    return DirectoryError(stage, fault, words)


def server_words(error: ldap.LDAPError) -> str:
    """Return the number, its meaning and the text, as "49 Invalid credentials: …"."""
    facts = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    number = facts.get("result", 0)
    meaning = facts.get("desc") or type(error).__name__
    # libldap's own numbers, for what it did not hear, are negative.
    said = f"{number} {meaning}" if number > 0 else str(meaning)
    return f"{said}: {facts['info']}" if facts.get("info") else said

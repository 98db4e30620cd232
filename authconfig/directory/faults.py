"""What can go wrong with a directory, and which exception means what."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

import ldap

from authconfig.directory import password_policy
from authconfig.directory.choices import NetlogonStage
from authconfig.network import (
    NetworkFault,
    UnreachableError,
    network_fault,
    readable,
)


class Verdict(Enum):
    REJECTED = auto()  # the directory refuses the user
    UNREACHABLE = auto()  # nobody answers
    MISCONFIGURED = auto()  # the directory refuses this site, or we refuse it


class DirectoryFault(Enum):
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
    BAD_GROUP = auto()
    SIZE_LIMIT = auto()
    NO_SERVICE = auto()
    OTHER = auto()

    @property
    def verdict(self) -> Verdict:
        if self in OUTAGES:
            return Verdict.UNREACHABLE
        return Verdict.REJECTED if self in REJECTIONS else Verdict.MISCONFIGURED


OUTAGES = {
    DirectoryFault.DNS_FAILED,
    DirectoryFault.NAME_UNKNOWN,
    DirectoryFault.REFUSED,
    DirectoryFault.UNREACHABLE,
    DirectoryFault.TIMEOUT,
    DirectoryFault.CLOSED,
    DirectoryFault.BUSY,
    DirectoryFault.RESTING,
}
REJECTIONS = {
    DirectoryFault.NO_USER,
    DirectoryFault.SEVERAL_USERS,
    DirectoryFault.WRONG_PASSWORD,
    DirectoryFault.WRONG_TIME,
    DirectoryFault.WRONG_WORKSTATION,
    DirectoryFault.PASSWORD_EXPIRED,
    DirectoryFault.DISABLED,
    DirectoryFault.ACCOUNT_EXPIRED,
    DirectoryFault.MUST_CHANGE,
    DirectoryFault.LOCKED,
    DirectoryFault.REFUSED_LOGIN,
    DirectoryFault.NOT_IN_GROUP,
}


class DirectoryError(Exception):
    """`words` are the directory's own, or what was found instead.

    `reason` is why the service account is refused, where the directory says so.
    """

    def __init__(
        self,
        stage: NetlogonStage,
        fault: DirectoryFault,
        words: str = "",
        reason: DirectoryFault | None = None,
    ) -> None:
        self.stage, self.fault, self.words = stage, fault, readable(words)
        self.reason = reason
        super().__init__(f"{stage.value}: {fault.name} {self.words}".strip())


# The "data …" in Active Directory's refusal of a login.
SUB_CODES = {
    "525": DirectoryFault.NO_USER,
    "52e": DirectoryFault.WRONG_PASSWORD,
    "530": DirectoryFault.WRONG_TIME,
    "531": DirectoryFault.WRONG_WORKSTATION,
    "532": DirectoryFault.PASSWORD_EXPIRED,
    "533": DirectoryFault.DISABLED,
    "701": DirectoryFault.ACCOUNT_EXPIRED,
    "773": DirectoryFault.MUST_CHANGE,
    "775": DirectoryFault.LOCKED,
}
# The same, as directories with a password policy of LDAP's own say it.
POLICY_ERRORS = {
    password_policy.EXPIRED: DirectoryFault.PASSWORD_EXPIRED,
    password_policy.LOCKED: DirectoryFault.LOCKED,
    password_policy.CHANGE_AFTER_RESET: DirectoryFault.MUST_CHANGE,
}
# Directories answer these to a bind only after they have found the password right.
AFTER_RIGHT_PASSWORD = {
    DirectoryFault.WRONG_TIME,
    DirectoryFault.WRONG_WORKSTATION,
    DirectoryFault.PASSWORD_EXPIRED,
    DirectoryFault.DISABLED,
    DirectoryFault.ACCOUNT_EXPIRED,
    DirectoryFault.MUST_CHANGE,
}
# What may hide one of these, or a locked account.
VAGUE = {DirectoryFault.WRONG_PASSWORD, DirectoryFault.REFUSED_LOGIN}
# The network's faults that a directory's administrator knows under another name.
NETWORK_FAULTS = {
    NetworkFault.TLS_CLOSED: DirectoryFault.CLOSED,
    NetworkFault.OLD_TLS: DirectoryFault.TLS_FAILED,
}
NO_ANSWER: tuple[tuple[type[ldap.LDAPError], DirectoryFault], ...] = (
    (ldap.TIMEOUT, DirectoryFault.TIMEOUT),
    (ldap.TIMELIMIT_EXCEEDED, DirectoryFault.TIMEOUT),
    (ldap.SERVER_DOWN, DirectoryFault.CLOSED),
    (ldap.CONNECT_ERROR, DirectoryFault.CLOSED),
    (ldap.UNAVAILABLE, DirectoryFault.BUSY),
    (ldap.BUSY, DirectoryFault.BUSY),
)
NOT_SETTLED: tuple[tuple[type[ldap.LDAPError], DirectoryFault], ...] = (
    (ldap.STRONG_AUTH_REQUIRED, DirectoryFault.SIGNING_REQUIRED),
    (ldap.CONFIDENTIALITY_REQUIRED, DirectoryFault.SIGNING_REQUIRED),
    (ldap.REFERRAL, DirectoryFault.REFERRAL),
    (ldap.DECODING_ERROR, DirectoryFault.NOT_LDAP),
    (ldap.PROTOCOL_ERROR, DirectoryFault.NOT_LDAP),
)
REFUSALS = (
    ldap.INVALID_CREDENTIALS,
    ldap.INAPPROPRIATE_AUTH,
    ldap.INSUFFICIENT_ACCESS,
    ldap.CONSTRAINT_VIOLATION,
    ldap.UNWILLING_TO_PERFORM,
    ldap.NO_SUCH_OBJECT,
)
OF_STAGE: dict[
    NetlogonStage, tuple[tuple[type[ldap.LDAPError], DirectoryFault], ...]
] = {
    NetlogonStage.SERVICE: (
        *((refusal, DirectoryFault.SERVICE_REJECTED) for refusal in REFUSALS),
        (ldap.INVALID_DN_SYNTAX, DirectoryFault.SERVICE_REJECTED),
    ),
    NetlogonStage.SEARCH: (
        (ldap.FILTER_ERROR, DirectoryFault.BAD_FILTER),
        # It has answered a bind before, so it does speak LDAP. The others are of
        # matching rules that it does not have.
        (ldap.PROTOCOL_ERROR, DirectoryFault.BAD_FILTER),
        (ldap.UNAVAILABLE_CRITICAL_EXTENSION, DirectoryFault.BAD_FILTER),
        (ldap.INAPPROPRIATE_MATCHING, DirectoryFault.BAD_FILTER),
        (ldap.NO_SUCH_OBJECT, DirectoryFault.NO_BASE),
        (ldap.INVALID_DN_SYNTAX, DirectoryFault.NO_BASE),
        (ldap.INSUFFICIENT_ACCESS, DirectoryFault.NO_RIGHTS),
        (ldap.OPERATIONS_ERROR, DirectoryFault.NO_RIGHTS),
        (ldap.SIZELIMIT_EXCEEDED, DirectoryFault.SEVERAL_USERS),
    ),
    NetlogonStage.PASSWORD: (
        (ldap.INVALID_CREDENTIALS, DirectoryFault.WRONG_PASSWORD),
        *((refusal, DirectoryFault.REFUSED_LOGIN) for refusal in REFUSALS),
        (ldap.INVALID_DN_SYNTAX, DirectoryFault.NO_DIRECT_LOGIN),
    ),
    NetlogonStage.GROUP: (
        (ldap.NO_SUCH_OBJECT, DirectoryFault.NO_GROUP),
        (ldap.INVALID_DN_SYNTAX, DirectoryFault.BAD_GROUP),
        (ldap.INSUFFICIENT_ACCESS, DirectoryFault.NO_RIGHTS),
        (ldap.OPERATIONS_ERROR, DirectoryFault.NO_RIGHTS),
    ),
}


def network_error(stage: NetlogonStage, error: Exception) -> DirectoryError:
    if isinstance(error, UnreachableError):
        error = error.last
    if isinstance(error, ssl.SSLCertVerificationError):
        return DirectoryError(stage, _network_fault(error), error.verify_message)
    words = getattr(error, "strerror", None) or str(error)
    return DirectoryError(stage, _network_fault(error), words)


def _network_fault(error: Exception) -> DirectoryFault:
    if isinstance(error, ValueError) and not isinstance(error, (OSError, UnicodeError)):
        return DirectoryFault.OTHER
    fault = network_fault(error)
    return NETWORK_FAULTS.get(fault) or DirectoryFault[fault.name]


def ldap_error(stage: NetlogonStage, error: ldap.LDAPError) -> DirectoryError:
    meanings = (*NO_ANSWER, *OF_STAGE.get(stage, ()), *NOT_SETTLED)
    fault = next(
        (f for kind, f in meanings if isinstance(error, kind)), DirectoryFault.OTHER
    )
    words = server_words(error)
    said = _said_beside(error, words)
    if fault is DirectoryFault.SERVICE_REJECTED:
        return DirectoryError(stage, fault, words, said)
    if fault in VAGUE:
        fault = said or fault
    return DirectoryError(stage, fault, words)


def sub_code(words: str) -> str:
    """Return Active Directory's, which Samba sends too; "" where there is none."""
    found = re.search(r"\bdata ([0-9a-f]{3,4})\b", words)
    return found[1] if found else ""


def _said_beside(error: ldap.LDAPError, words: str) -> DirectoryFault | None:
    if fault := SUB_CODES.get(sub_code(words)):
        return fault
    policy_error = password_policy.error_of_refused(error)
    return None if policy_error is None else POLICY_ERRORS[policy_error]


def refuse_by_policy(stage: NetlogonStage, controls: Iterable[Any]) -> None:
    """Raise DirectoryError if a bind succeeded and the password opens nothing yet."""
    policy_error = password_policy.error_of_accepted(controls)
    if policy_error is not None:
        fault = POLICY_ERRORS[policy_error]
        name = password_policy.name_of(policy_error)
        words = f"0 Success, but password policy error {policy_error} {name}"
        if stage is NetlogonStage.SERVICE:
            raise DirectoryError(stage, DirectoryFault.SERVICE_REJECTED, words, fault)
        raise DirectoryError(stage, fault, words)


def server_words(error: ldap.LDAPError) -> str:
    """Return the number, its meaning and the text, as "49 Invalid credentials: …"."""
    facts = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    number = facts.get("result", 0)
    meaning = facts.get("desc") or type(error).__name__
    # libldap's own numbers, for answers that never came, are negative.
    said = f"{number} {meaning}" if number > 0 else str(meaning)
    return f"{said}: {facts['info']}" if facts.get("info") else said

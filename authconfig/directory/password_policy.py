"""What a directory says of a password beside yes and no: the password policy controls.

draft-behera-ldap-password-policy has the one that we ask for; the one of
draft-vchu-ldap-pwd-policy comes unasked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ldap
from ldap.controls import DecodeControlTuples, RequestControl
from ldap.controls.ppolicy import PasswordPolicyControl, PasswordPolicyError

# Without this import python-ldap drops the control that comes unasked.
from ldap.controls.pwdpolicy import PasswordExpiredControl

# The policy errors of draft-behera, section 6.2, that a bind can meet.
EXPIRED, LOCKED, CHANGE_AFTER_RESET = 0, 1, 2
OF_BINDS = (EXPIRED, LOCKED, CHANGE_AFTER_RESET)


def asking_for_policy() -> list[RequestControl]:
    """Return the control for a bind; a directory that does not know it ignores it."""
    return [PasswordPolicyControl()]


def name_of(error: int) -> str:
    return str(PasswordPolicyError.namedValues.getName(error))


def error_of_accepted(controls: Iterable[Any]) -> int | None:
    """Return why a right password opens nothing yet; a grace login is no error."""
    error, is_grace, is_marked = _read(controls)
    if error is None and is_marked and not is_grace:
        return CHANGE_AFTER_RESET
    return error


def error_of_refused(refusal: ldap.LDAPError) -> int | None:
    facts = refusal.args[0] if refusal.args else None
    controls = facts.get("ctrls") if isinstance(facts, dict) else None
    error, _is_grace, is_marked = _read(DecodeControlTuples(controls))
    return EXPIRED if error is None and is_marked else error


def _read(controls: Iterable[Any]) -> tuple[int | None, bool, bool]:
    """Return the policy error, whether this is a grace login, and the unasked mark."""
    by_type = {type(control): control for control in controls}
    policy = by_type.get(PasswordPolicyControl) or PasswordPolicyControl()
    error = policy.error if policy.error in OF_BINDS else None
    is_grace = policy.graceAuthNsRemaining is not None
    return error, is_grace, PasswordExpiredControl in by_type

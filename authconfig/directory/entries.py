"""What a directory's entry says of its account: disabled, expired or locked."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping, Sequence

from authconfig.directory.faults import DirectoryFault

Attributes = Mapping[str, Sequence[str]]
# A DN and its attributes.
Entry = tuple[str, Attributes]

# OpenLDAP's: since when it is locked. It stays after the lock has run out.
LOCK_MARK = "pwdAccountLockedTime"
# Until when it makes the account wait after each wrong password.
DELAY_ENDS = "pwdAccountTmpLockoutEnd"
# When OpenLDAP's and FreeIPA's accounts end, as generalized times.
ENDS = ("pwdEndTime", "krbPrincipalExpiration")
ATTRIBUTES = (
    "userAccountControl",
    "accountExpires",
    LOCK_MARK,
    DELAY_ENDS,
    "pwdStartTime",
    *ENDS,
    "nsAccountLock",
)
# RFC 4511, 4.5.1.8: asks for the DN alone.
NO_ATTRIBUTES = "1.1"
ACCOUNT_DISABLED = 2
# Windows counts tenths of microseconds from 1601.
WINDOWS_EPOCH_SECONDS = 11_644_473_600
TICKS_PER_SECOND = 10_000_000
NEVER = (0, 0x7FFF_FFFF_FFFF_FFFF)
# OpenLDAP's value for "locked until an administrator unlocks it".
LOCKED_FOR_GOOD = "000001010000Z"


def account_fault(attributes: Attributes) -> DirectoryFault | None:
    """Return why this account may not log in with any password.

    A lock after wrong passwords does not count: strangers can cause it.
    """
    if _is_disabled(attributes):
        return DirectoryFault.DISABLED
    return DirectoryFault.ACCOUNT_EXPIRED if _has_ended(attributes) else None


def turns_at(attributes: Attributes) -> float | None:
    """Return when the account next begins or ends by itself, in seconds since 1970."""
    now, ticks = time.time(), _number(attributes, "accountExpires")
    times = [_value(attributes, name) for name in ("pwdStartTime", *ENDS)]
    moments = [_moment(text) for text in times if text.endswith("Z")]
    if ticks not in NEVER:
        moments.append(_seconds(ticks))
    return min((at for at in moments if at > now), default=None)


def is_delayed(attributes: Attributes) -> bool:
    ends = _value(attributes, DELAY_ENDS)
    return ends.endswith("Z") and ends > _generalized_now()


def lock_mark(attributes: Attributes) -> str:
    return _value(attributes, LOCK_MARK)


def _is_disabled(attributes: Attributes) -> bool:
    begins = _value(attributes, "pwdStartTime")
    return (
        bool(_number(attributes, "userAccountControl") & ACCOUNT_DISABLED)
        or _value(attributes, "nsAccountLock").lower() == "true"
        or lock_mark(attributes) == LOCKED_FOR_GOOD
        or (begins.endswith("Z") and begins > _generalized_now())
    )


def _has_ended(attributes: Attributes) -> bool:
    ticks, now = _number(attributes, "accountExpires"), _generalized_now()
    ends = [_value(attributes, name) for name in ENDS]
    return (ticks not in NEVER and _seconds(ticks) <= time.time()) or any(
        end.endswith("Z") and end <= now for end in ends
    )


def _generalized_now() -> str:
    """Return the present as RFC 4517, 3.3.13, writes it: such times sort as text."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime())


def _moment(text: str) -> float:
    try:
        return calendar.timegm(time.strptime(text[:14], "%Y%m%d%H%M%S"))
    except ValueError:
        return 0.0


def _seconds(ticks: int) -> float:
    return ticks / TICKS_PER_SECOND - WINDOWS_EPOCH_SECONDS


def _number(attributes: Attributes, name: str) -> int:
    value = _value(attributes, name)
    return int(value) if value.lstrip("-").isdecimal() else 0


def _value(attributes: Attributes, name: str) -> str:
    """Directories return attributes in their own spelling of the name."""
    for spelling, values in attributes.items():
        if spelling.lower() == name.lower() and values:
            return values[0]
    return ""

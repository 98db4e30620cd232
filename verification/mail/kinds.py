"""The kinds of mail that this site sends; each package registers its own in ready().

The queue asks a kind what it cannot know itself: what such a mail says, whether it is
still wanted, and how urgent it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise

from verification.mail.choices import MailPriority

# A row of OutgoingEmail; the models import this module.
Mail = Any


class Smaller(Enum):
    """What became of a mail that the server finds too large."""

    DONE = auto()
    SOON = auto()  # it gets smaller meanwhile
    NO_ROOM = auto()  # it would, if there were room for what it leaves behind
    IMPOSSIBLE = auto()


@dataclass(frozen=True)
class Attachment:
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class MailKind:
    """One kind of mail.

    `template` is the path of its templates before "_subject.txt" and "_body.html".
    `related` names what the queue reads along with a mail, for `select_related`.
    `still_wanted` is `is_wanted` as a condition on rows of OutgoingEmail.
    `attachment` raises OSError when it cannot be read now.
    """

    name: str
    label: str | Promise
    template: str
    context: Callable[[Mail], dict[str, Any]]
    attachment: Callable[[Mail], Attachment | None] = lambda mail: None
    is_wanted: Callable[[Mail], bool] = lambda mail: True
    still_wanted: Callable[[], Q] = Q
    related: tuple[str, ...] = ()
    priority: MailPriority = MailPriority.URGENT
    # Nobody minds to get it twice, so it goes once more if it is unknown whether it
    # went out.
    is_harmless_twice: bool = False
    # An operator may send it again if it is unknown whether it went out.
    may_follow_doubt: bool = True
    # Takes out what the server finds too large; raises OSError.
    make_smaller: Callable[[Mail], Smaller] = lambda mail: Smaller.IMPOSSIBLE
    # What the lines of the log name beside the request.
    log_subject: Callable[[Mail], str] = lambda mail: ""


_registered: dict[str, MailKind] = {}


def register(*kinds: MailKind) -> None:
    _registered.update({kind.name: kind for kind in kinds})


def every_kind() -> list[MailKind]:
    return list(_registered.values())


def kind_of(mail: Mail) -> MailKind:
    return _registered[mail.kind]


def priority_of(name: str) -> MailPriority:
    return _registered[name].priority


def choices() -> list[tuple[str, str | Promise]]:
    return [(kind.name, kind.label) for kind in every_kind()]


def related(name: str) -> tuple[str, ...]:
    """Return what is read along with a mail of that kind, if this version knows it."""
    return _registered[name].related if name in _registered else ()

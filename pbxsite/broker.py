"""Whether the broker takes tasks, why not, and how many wait in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from pbxsite.celery import app
from verification.redis_access import BROKER_ERRORS, redis_outage

SILENT = _("The broker (Redis) does not answer.")
# What Redis or OpenSSL says when it refuses, and what that means for an operator.
REASONS: dict[str, Promise] = {
    "WRONGPASS": _(
        "The broker (Redis) refuses the user name or the password of REDIS_URL."
    ),
    "invalid password": _("The broker (Redis) refuses the password of REDIS_URL."),
    "invalid username": _(
        "The broker (Redis) refuses the user name or the password of REDIS_URL."
    ),
    "Authentication required": _(
        "The broker (Redis) asks for a password, and REDIS_URL has none."
    ),
    "NOAUTH": _("The broker (Redis) asks for a password, and REDIS_URL has none."),
    "no password is set": _(
        "The broker (Redis) has no password, and REDIS_URL has one: it refuses that."
    ),
    "NOPERM": _(
        "The broker (Redis) lets the user of REDIS_URL do too little: its ACL lacks a"
        " command, a key or a channel."
    ),
    "has no permissions": _(
        "The broker (Redis) lets the user of REDIS_URL do too little: its ACL lacks a"
        " command, a key or a channel."
    ),
    "maxmemory": _("The broker (Redis) is out of memory and takes no tasks."),
    "read only replica": _("The broker (Redis) is a replica and takes no tasks."),
    "READONLY": _("The broker (Redis) is a replica and takes no tasks."),
    "MISCONF": _("The broker (Redis) cannot write to its disk and takes no tasks."),
    "DB index": _("The broker (Redis) has no database of the number in REDIS_URL."),
    "CERTIFICATE_VERIFY_FAILED": _(
        "The broker (Redis) shows a certificate that this machine does not trust."
    ),
    "LOADING": _("The broker (Redis) is still reading its data."),
}
# A worker waits for its broker with patience; whoever asks whether it answers does not.
QUICK = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
# Redis that is full, or became a replica, answers all but a write.
WRITTEN_KEY, WRITTEN_SECONDS = "pbxsite:written", 60


@dataclass(frozen=True)
class Broker:
    """`lengths` says how many tasks wait in each queue; `sentence` why it is down."""

    is_up: bool
    lengths: dict[str, int] = field(default_factory=dict)
    sentence: str = ""


def broker() -> Broker:
    if redis_outage.is_on():
        return _down(redis_outage.error)
    try:
        return Broker(is_up=True, lengths=_lengths())
    except (*BROKER_ERRORS, OSError) as error:
        redis_outage.begin(error)
        return _down(error)


def _down(error: BaseException | None) -> Broker:
    return Broker(is_up=False, sentence=str(_reason(error)))


def _reason(error: BaseException | None) -> Promise:
    """Look into what the libraries have wrapped, too."""
    while error is not None:
        for words, sentence in REASONS.items():
            if words in str(error):
                return sentence
        error = error.__cause__ or error.__context__
    return SILENT


def _lengths() -> dict[str, int]:
    with app.connection_for_read(transport_options=QUICK) as connection:
        channel: Any = connection.default_channel
        channel.client.set(WRITTEN_KEY, 1, ex=WRITTEN_SECONDS)
        lengths = {}
        for name in app.amqp.queues:
            try:
                declared = channel.queue_declare(queue=name, passive=True)
            except connection.channel_errors:
                # Redis keeps no empty queue.
                lengths[name] = 0
            else:
                lengths[name] = declared.message_count
        return lengths

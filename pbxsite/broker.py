"""Whether the broker answers, and how many tasks wait in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pbxsite.celery import app
from verification.redis_access import redis_outage


@dataclass(frozen=True)
class Broker:
    """`lengths` says how many tasks wait in each queue."""

    is_up: bool
    lengths: dict[str, int] = field(default_factory=dict)


# A worker waits for its broker with patience; whoever asks whether it answers does not.
QUICK = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}


def broker() -> Broker:
    if redis_outage.is_on():
        return Broker(is_up=False)
    try:
        return Broker(is_up=True, lengths=_lengths())
    except (OperationalError, RedisError, OSError):
        redis_outage.begin()
        return Broker(is_up=False)


def _lengths() -> dict[str, int]:
    with app.connection_for_read(transport_options=QUICK) as connection:
        channel: Any = connection.default_channel
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

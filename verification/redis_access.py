"""Redis as this site uses it beside the cache: a broker, and news for open pages.

A silent Redis costs each question its time limit, and a login asks several questions.
Everything that a login wants of Redis has a second way: the process's memory, the
sweep, the rows. So after a failure the site leaves Redis alone for a while.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from uuid import UUID

from celery import Task
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class Outage:
    """Belongs to one process; it ends by itself, so that Redis is asked again."""

    SECONDS = 3.0

    def __init__(self) -> None:
        self._ends_at = 0.0

    def begin(self) -> None:
        self._ends_at = time.monotonic() + self.SECONDS

    def end(self) -> None:
        self._ends_at = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self._ends_at


redis_outage = Outage()
CHANNEL = "verification:logins"


def login_word(public_id: UUID) -> str:
    return public_id.hex


def user_word(user_pk: int) -> str:
    return f"user-{user_pk}"


@cache
def redis_client() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5
    )


def announce_login(public_id: UUID, user_pk: int) -> None:
    _publish(login_word(public_id), user_word(user_pk))


def announce_user(user_pk: int) -> None:
    """Tell the user's signed-in pages; the session of one may have ended."""
    _publish(user_word(user_pk))


def _publish(*words: str) -> None:
    """Publish "something changed"; never raises, since the streams also ask."""
    if redis_outage.is_on():
        return
    try:
        redis_client().publish(CHANNEL, " ".join(words))
    except RedisError as error:
        redis_outage.begin()
        logger.warning("not announced (%s)", type(error).__name__)


def wake_worker(task: Task[..., None]) -> bool:
    """Return whether the broker took the task; sweeps find the work as well."""
    if redis_outage.is_on():
        return False
    try:
        task.delay()
    except OperationalError as error:
        redis_outage.begin()
        logger.warning("%s: no worker woken (%s)", task.name, error)
        return False
    return True

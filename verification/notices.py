"""Telling open pages, through Redis, that something of theirs may have changed."""

from __future__ import annotations

import logging
from functools import cache
from uuid import UUID

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from verification.models import LoginSession
from verification.outages import redis_outage

logger = logging.getLogger(__name__)
CHANNEL = "verification:logins"


def login_word(public_id: UUID) -> str:
    return public_id.hex


def user_word(user_pk: int) -> str:
    return f"user-{user_pk}"


@cache
def _redis() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5
    )


def announce(login: LoginSession) -> None:
    """Tell the page that waits, and the pages of sessions that may decide."""
    _publish(login_word(login.public_id), user_word(login.user_id))


def announce_user(user_pk: int) -> None:
    """Tell the user's signed-in pages, one of which may have ended."""
    _publish(user_word(user_pk))


def _publish(*words: str) -> None:
    """Publish "something changed"; never raises, since the streams also ask."""
    if redis_outage.is_on():
        return
    try:
        _redis().publish(CHANNEL, " ".join(words))
    except RedisError as error:
        redis_outage.begin()
        logger.warning("not announced (%s)", type(error).__name__)

"""Telling waiting browsers that their login was decided, through Redis."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from verification.models import LoginSession
from verification.outages import redis_outage

logger = logging.getLogger(__name__)
CHANNEL = "verification:logins"


@cache
def _redis() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5
    )


def announce(login: LoginSession) -> None:
    """Publish "something changed"; never raises, since the streams also ask."""
    if redis_outage.is_on():
        return
    try:
        _redis().publish(CHANNEL, login.public_id.hex)
    except RedisError as error:
        redis_outage.begin()
        logger.warning("login %s: not announced (%s)", login.pk, type(error).__name__)

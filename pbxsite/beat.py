"""One scheduler for many machines: the holder of a lock sends, the others wait."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from celery.beat import PersistentScheduler
from django.conf import settings
from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

logger = logging.getLogger(__name__)
LOCK_NAME = "pbxsite:beat"
# After so many seconds another scheduler takes the place of one that is gone.
LOCK_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 5


def lock() -> Lock:
    redis = Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
    )
    return Lock(redis, LOCK_NAME, timeout=LOCK_SECONDS, blocking=False)


class OneScheduler(PersistentScheduler):
    """Keeps its lock in the broker, without which it could send nothing in any case."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lock = lock()
        self.leads = False
        super().__init__(*args, **kwargs)
        self.max_interval = LOOK_AGAIN_SECONDS

    def tick(self, *args: Any, **kwargs: Any) -> float:
        led, self.leads = self.leads, self._holds_lock()
        if self.leads != led:
            logger.info("beat: %s", "sends" if self.leads else "waits for another")
        if not self.leads:
            return LOOK_AGAIN_SECONDS
        seconds: float = super().tick(*args, **kwargs)
        return seconds

    def _holds_lock(self) -> bool:
        with contextlib.suppress(RedisError):
            if self.leads:
                with contextlib.suppress(LockError):
                    return bool(self.lock.reacquire())
            return bool(self.lock.acquire())
        return False

    def close(self) -> None:
        if self.leads:
            with contextlib.suppress(RedisError):
                self.lock.release()
        super().close()

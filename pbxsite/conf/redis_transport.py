"""Celery's way to Redis, which outlives a Redis that ends while a task is at work."""

from __future__ import annotations

from kombu.transport import redis


class Channel(redis.Channel):
    connection_errors: tuple[type[Exception], ...]

    def close(self) -> None:
        """Close it wholly, also if Redis is away.

        kombu's own stops at the first answer that does not come. Celery closes the
        open rest when its transport is gone, and that ends the worker. kombu leaves
        out what failed when it is called again.
        """
        try:
            super().close()
        except self.connection_errors:
            if self.closed:
                raise
            self.close()


class Transport(redis.Transport):
    Channel = Channel

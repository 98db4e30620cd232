from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kombu import Consumer, Message, Queue

from pbxsite.celery import app
from pbxsite.conf.databases import broker_url
from tests.support.redis_servers import Redis

QUEUE = Queue("work")


@pytest.fixture
def redis() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="pbx-", dir="/tmp") as directory:
        redis = Redis(Path(directory))
        redis.start()
        yield redis
        redis.stop(signal.SIGKILL)


@pytest.fixture
def message(redis: Redis) -> Message:
    """What a worker is at work on, while it asks for more and listens to commands."""
    received: list[Message] = []
    connection = app.connection_for_read(broker_url(redis.url))
    connection.connect()
    connection.Producer().publish({}, routing_key=QUEUE.name, declare=[QUEUE])
    consumer = Consumer(connection, [QUEUE], on_message=received.append)
    consumer.qos(prefetch_count=2)
    consumer.consume()
    app.control.mailbox.Node("worker", channel=connection.channel()).listen()
    with suppress(TimeoutError):
        while True:
            connection.drain_events(timeout=0.2)
    return received[0]


def lose_connection(message: Message) -> None:
    """Do what a worker of Celery does when Redis is gone."""
    connection = message.channel.connection.client
    connection.collect(socket_timeout=1)
    connection.close()


def test_a_worker_at_work_outlives_the_loss_of_redis(
    redis: Redis, message: Message
) -> None:
    redis.stop(signal.SIGKILL)

    lose_connection(message)

    assert message.channel.closed


def test_work_that_outlasts_an_outage_of_redis_is_acknowledged(
    redis: Redis, message: Message
) -> None:
    redis.stop(signal.SIGKILL)
    lose_connection(message)
    redis.start()

    message.ack()

    assert message.acknowledged

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from kombu import Consumer, Message, Queue
from redis import Redis as Client

from pbxsite.celery import app
from pbxsite.conf.databases import broker_url
from tests.support.redis_servers import Redis, running_redis

QUEUE = Queue("work")


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_redis() as redis:
        yield redis


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


def test_what_strangers_fill_redis_with_keeps_no_task_out(redis: Redis) -> None:
    """Each name that is tried leaves something for days, and there are many names."""
    with Client.from_url(redis.url) as client:
        client.config_set("maxmemory", "3mb")
        client.lpush("celery", "first")
        with client.pipeline(transaction=False) as filling:
            for number in range(20_000):
                filling.set(f"failures-in-row:{number:064}", 1, ex=604_800)
            filling.execute(raise_on_error=False)

        client.lpush("celery", "second")

        assert client.lrange("celery", 0, -1) == [b"second", b"first"]
        assert client.info("stats")["evicted_keys"] > 1000

"""Every client of Redis checks its certificate before it says its password."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError
from pytest_django import Settings
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from pbxsite import beat
from pbxsite.celery import app
from pbxsite.conf.databases import broker_tls, broker_url, caches, checked
from tests.support.certificates import make_authority
from tests.support.redis_servers import TlsRedis
from tests.support.services import ROOT
from verification.redis_access import SealedClient, redis_client

REFUSED = (RedisError, OperationalError)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    """A Redis whose authority this machine does not know."""
    place = tmp_path_factory.mktemp("redis")
    with TlsRedis.running(place, make_authority("Redis CA")) as server:
        yield server


@pytest.fixture
def server(running: TlsRedis) -> TlsRedis:
    running.said_passwords()
    return running


def _ask(connection: Connection) -> None:
    with connection:
        channel: Any = connection.default_channel
        channel.client.ping()


def _ask_by_cache(url: str) -> None:
    made = caches(url)["default"]
    SealedClient([made["LOCATION"]], **made["OPTIONS"]).set("a", "b", 5)


def _ask_by_publisher(_url: str) -> None:
    redis_client.cache_clear()
    try:
        redis_client().ping()
    finally:
        redis_client.cache_clear()


def _ask_by_hub(url: str) -> None:
    async def ask() -> None:
        async with AsyncRedis.from_url(url, socket_connect_timeout=5) as redis:
            await redis.ping()

    asyncio.run(ask())


def _ask_by_beat(_url: str) -> None:
    lock = beat.lock()
    assert lock.acquire()
    lock.release()


CLIENTS: dict[str, Callable[[str], None]] = {
    "cache": _ask_by_cache,
    "publisher": _ask_by_publisher,
    "hub": _ask_by_hub,
    "beat": _ask_by_beat,
    "worker and events": lambda url: _ask(app.connection_for_read(broker_url(url))),
    "who wakes workers": lambda url: _ask(app.connection_for_write(broker_url(url))),
}


@pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
def test_each_client_checks_the_certificate_unless_it_is_told_not_to(
    server: TlsRedis, settings: Settings, ask: Callable[[str], None]
) -> None:
    for query in ("", "?ssl_cert_reqs=", "?ssl_cert_reqs=required"):
        settings.REDIS_URL = checked(server.url(query))
        with pytest.raises(REFUSED):
            ask(settings.REDIS_URL)
    assert server.said_passwords() == 0

    for query in (f"?ssl_ca_certs={server.ca_file}", "?ssl_cert_reqs=none"):
        settings.REDIS_URL = checked(server.url(query))
        ask(settings.REDIS_URL)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_name_in_the_certificate_counts(
    tmp_path: Path, settings: Settings, name: str
) -> None:
    authority = make_authority("Redis CA")
    with TlsRedis.running(tmp_path, authority, "redis.example") as server:
        url = checked(server.url(f"?ssl_ca_certs={server.ca_file}", host=name))
        for ask in (CLIENTS["cache"], CLIENTS["worker and events"]):
            with pytest.raises(REFUSED):
                ask(url)


def test_celery_checks_a_broker_that_comes_from_elsewhere(
    server: TlsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its option -b and its own variables come past the settings."""
    monkeypatch.setenv("CELERY_BROKER_URL", server.url())

    for connection in (app.connection_for_read(), app.connection_for_write()):
        with pytest.raises(OperationalError):
            _ask(connection)


@pytest.mark.long
def test_a_worker_does_not_say_its_password_to_a_stranger(
    server: TlsRedis, tmp_path: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": server.url(),
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "pbxsite", "worker", "--pool", "solo"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stderr
        seen = next(line for line in worker.stderr if "consumer: " in line)
    finally:
        worker.kill()
        worker.communicate()

    assert "certificate verify failed" in seen.lower()
    assert server.said_passwords() == 0


def test_what_the_address_says_of_tls_is_there_for_flower() -> None:
    url = checked("rediss://redis.example/0?ssl_ca_certs=/ca.pem")

    assert broker_tls(url) == {"ssl_cert_reqs": 2, "ssl_ca_certs": "/ca.pem"}
    assert broker_tls("redis://redis.example/0") is None


@pytest.mark.parametrize(
    "url", ["redis://redis.example/0", "unix:///run/redis.sock", "redis+socket:///r"]
)
def test_an_address_without_tls_stays_as_it_is(url: str) -> None:
    assert checked(url) == url


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SystemExit, match="write one of required, optional, none"):
        checked("rediss://redis.example/0?ssl_cert_reqs=CERT_NONE")

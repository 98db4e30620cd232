"""A Redis that answers and refuses: what the site says, and that logins go on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client as Browser
from kombu.exceptions import OperationalError
from redis import Redis as Client
from redis.exceptions import ResponseError

from authconfig.users.models import PbxUser
from pbxsite.broker import broker
from pbxsite.celery import app
from pbxsite.conf.databases import broker_url, redis_address
from tests.conftest import Starter
from tests.support.certificates import make_authority
from tests.support.redis_servers import Redis, TlsRedis
from verification.mail.models import OutgoingEmail
from verification.mail.sending import wake_due
from verification.redis_access import redis_outage

ALLOWED = "a-users-own-word"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop(signal.SIGKILL)


@pytest.fixture
def client(server: Redis) -> Iterator[Client]:
    """The server's own owner, who leaves it as it was."""
    with Client.from_url(server.url) as client:
        yield client
        client.config_set("maxmemory", "128mb")
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.execute_command("ACL", "DELUSER", "pbx")


@pytest.fixture
def speak_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def use(url: str) -> None:
        monkeypatch.setattr(app.conf, "broker_url", broker_url(url))
        monkeypatch.setattr(app, "_pool", None)
        monkeypatch.setattr(app.amqp, "_producer_pool", None)
        redis_outage.end()

    yield use
    redis_outage.end()


def fill(client: Client) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")


def demote(client: Client) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", "1")


@pytest.mark.parametrize(
    ("refuse", "words"), [(fill, "is out of memory"), (demote, "is a replica")]
)
def test_a_redis_that_takes_no_writes_is_down_and_says_why(
    server: Redis,
    client: Client,
    speak_to: Callable[[str], None],
    refuse: Callable[[Client], None],
    words: str,
) -> None:
    speak_to(server.url)
    assert broker().is_up

    refuse(client)

    assert words in broker().sentence
    # While Redis is left alone, the reason is still known.
    assert redis_outage.is_on()
    assert words in broker().sentence


@pytest.mark.django_db
@pytest.mark.usefixtures("two_factor")
@pytest.mark.parametrize("refuse", [fill, demote])
def test_a_redis_that_takes_no_writes_keeps_nobody_out(
    server: Redis,
    client: Client,
    speak_to: Callable[[str], None],
    refuse: Callable[[Client], None],
    start: Starter,
    user: PbxUser,
) -> None:
    speak_to(server.url)
    refuse(client)

    assert not wake_due()
    redis_outage.end()
    assert start(Browser()).headers["Location"] == "/login/waiting/"
    assert OutgoingEmail.objects.count() == 1


def test_each_refusal_has_a_sentence_of_its_own(
    server: Redis, client: Client, speak_to: Callable[[str], None]
) -> None:
    client.execute_command("ACL", "SETUSER", "pbx", "on", f">{ALLOWED}", "~*", "+ping")
    refusals = {
        "redis+socket://pbx:wrong@{}": "refuses the user name or the password",
        f"redis+socket://pbx:{ALLOWED}@{{}}": "lets the user of REDIS_URL do too",
        "redis+socket://{}?virtual_host=99": "no database of the number",
        "redis://127.0.0.1:1/0": "does not answer",
    }
    for url, words in refusals.items():
        speak_to(url.format(server.socket))

        assert words in broker().sentence, url


def test_a_redis_with_a_password_asks_for_it(
    server: Redis, client: Client, speak_to: Callable[[str], None]
) -> None:
    client.config_set("requirepass", ALLOWED)
    try:
        speak_to(f"redis+socket://{server.socket}")
        assert "asks for a password, and REDIS_URL has none" in broker().sentence
        speak_to(f"redis+socket://:wrong@{server.socket}")
        assert "refuses the user name or the password" in broker().sentence
    finally:
        client.config_set("requirepass", "")


# In the words of Redis 5 to 7, as its source has them.
SAID = {
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to"
    " persist to disk.": "cannot write to its disk",
    "LOADING Redis is loading the dataset in memory": "still reading its data",
    "ERR Client sent AUTH, but no password is set": "has no password",
    "ERR invalid password": "refuses the password",
    "READONLY You can't write against a read only replica.": "is a replica",
    "ERR DB index is out of range": "no database of the number",
    "something else": "does not answer",
}


@pytest.mark.parametrize("said", SAID)
def test_a_reason_is_found_below_what_the_libraries_say(said: str) -> None:
    outer = OperationalError("cannot connect")
    outer.__cause__ = ResponseError(said)
    redis_outage.begin(outer)

    assert SAID[said] in broker().sentence

    redis_outage.end()


def test_a_certificate_that_nobody_knows_is_named(
    tmp_path: Path, speak_to: Callable[[str], None]
) -> None:
    with TlsRedis.running(tmp_path, make_authority("Redis CA")) as server:
        speak_to(redis_address(server.url()))

        assert "a certificate that this machine does not trust" in broker().sentence


def test_valkey_is_spoken_to_as_redis() -> None:
    assert redis_address("valkey://host:6379/1") == "redis://host:6379/1"
    secure = "rediss://host/0?ssl_cert_reqs=required"
    assert redis_address("valkeys://host/0") == secure


@pytest.mark.parametrize("url", ["sentinel://host:26379/0", "memcached://host", "host"])
def test_what_the_site_does_not_speak_is_refused_by_name(url: str) -> None:
    with pytest.raises(SystemExit, match="REDIS_URL begins with"):
        redis_address(url)

"""What the cache reads in Redis runs no code and opens no door."""

from __future__ import annotations

import json
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Browser
from pytest_django import Settings
from redis import Redis

from tests.conftest import Starter
from tests.support.redis_servers import Redis as OwnRedis
from tests.support.redis_servers import running_redis
from verification.redis_access import RedisOrLocalCache, redis_outage

VALUE = {"scopes": ("openid", "email"), "redirect_uri": "https://apps.example/"}


class Evil:
    """Whoever unpickles it makes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def redis(settings: Settings) -> Redis:
    return Redis.from_url(settings.REDIS_URL)


def plant(redis: Redis, name: str, value: bytes | str | int) -> None:
    redis.set(cache.make_key(name), value)


def raw(redis: Redis, name: str) -> bytes:
    kept = redis.get(cache.make_key(name))
    assert isinstance(kept, bytes)
    return kept


def test_a_pickle_is_a_miss_and_runs_no_code(redis: Redis, tmp_path: Path) -> None:
    plant(redis, "planted", pickle.dumps(Evil(tmp_path / "owned")))

    assert cache.get("planted", "nothing") == "nothing"
    assert cache.get_many(["planted"]) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_pickles_in_the_place_of_every_limit_run_no_code_in_a_login(
    redis: Redis, tmp_path: Path, start: Starter
) -> None:
    start(Browser(), password="wrong")
    keys = list(redis.scan_iter("*allauth*"))
    assert keys
    for key in keys:
        redis.set(key, pickle.dumps(Evil(tmp_path / "owned")))

    answer = start(Browser())

    assert answer.status_code == 302
    assert list(tmp_path.iterdir()) == []


def test_redis_holds_json_and_gives_the_value_back(redis: Redis) -> None:
    cache.set("whole", VALUE)

    signature, written = json.loads(raw(redis, "whole"))
    assert len(signature) == 43
    assert written["redirect_uri"] == VALUE["redirect_uri"]
    assert cache.get("whole") == VALUE


def test_a_lock_that_a_silent_redis_takes_late_keeps_nobody_out(
    silent: OwnRedis,
) -> None:
    quick = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}
    cache = RedisOrLocalCache(silent.url, {"OPTIONS": quick})
    assert cache.get("asked-before") is None
    silent.stop(signal.SIGSTOP)
    assert cache.add("limit:lock", True, 10)
    cache.delete("limit:lock")
    silent.go_on()
    with Redis.from_url(silent.url) as client:
        assert client.keys("*limit:lock")
    redis_outage.end()

    assert cache.add("limit:lock", True, 10)


@pytest.fixture
def silent() -> Iterator[OwnRedis]:
    """One that may fall silent."""
    with running_redis() as redis:
        yield redis
    redis_outage.end()


@pytest.mark.parametrize(
    "forged",
    [b'["",{"sub":"1"}]', b'{"sub":"1"}', b'["', b"[]", b"\xff\xfe", b""],
    ids=repr,
)
def test_what_this_site_did_not_sign_is_a_miss(redis: Redis, forged: bytes) -> None:
    plant(redis, "forged", forged)

    assert cache.get("forged", "nothing") == "nothing"
    assert not redis_outage.is_on()


def test_a_changed_value_is_a_miss(redis: Redis) -> None:
    cache.set("changed", VALUE)
    plant(redis, "changed", raw(redis, "changed").replace(b"email", b"admin"))

    assert cache.get("changed") is None


def test_a_value_serves_under_its_own_key_alone(redis: Redis) -> None:
    cache.set("one", VALUE)
    plant(redis, "other", raw(redis, "one"))

    assert cache.get("other") is None


def test_an_older_key_still_reads(redis: Redis, settings: Settings) -> None:
    cache.set("kept", VALUE)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key that is long and varied enough 0123456789"
    assert cache.get("kept") == VALUE

    settings.SECRET_KEY_FALLBACKS = []
    assert cache.get("kept") is None


def test_a_key_of_another_kind_is_a_miss_and_no_outage(redis: Redis) -> None:
    redis.rpush(cache.make_key("list"), "a")

    assert cache.get("list", "nothing") == "nothing"
    with pytest.raises(ValueError, match="no number"):
        cache.incr("list")
    assert not redis_outage.is_on()


def test_a_text_is_no_number_to_add_to(redis: Redis) -> None:
    cache.set("text", "a")

    with pytest.raises(ValueError, match="no number"):
        cache.incr("text")
    assert not redis_outage.is_on()


def test_numbers_are_counted_by_redis(redis: Redis) -> None:
    assert cache.add("count", 0)
    assert not cache.add("count", 0)

    assert cache.incr("count", 5) == 5
    assert cache.get("count") == 5
    assert raw(redis, "count") == b"5"
    with pytest.raises(ValueError, match="not found"):
        cache.incr("no-such-count")


def test_many_values_are_written_and_read_at_once() -> None:
    values = {"a": ("x", 1), "b": {2}, "c": None}
    cache.set_many(values)

    assert cache.get_many([*values, "d"]) == values
    assert cache.get("c", "nothing") is None


def test_the_search_of_the_administration_is_kept(admin: Browser) -> None:
    first, second = (admin.get("/admin/search/?s=group") for _ in range(2))

    assert first.status_code == second.status_code == 200
    assert "/admin/auth/group/" in second.content.decode()

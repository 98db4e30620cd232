"""Redis as this site uses it: its cache, its broker, and news for open pages.

A silent Redis costs each question its time limit, and a login asks several questions.
Everything that a login wants of Redis has a second way: the process's memory, the
sweep, the rows. So after a failure the site leaves Redis alone for a while.

Whoever writes to Redis is not trusted: values are signed, and read as JSON.
"""

from __future__ import annotations

import json
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from celery import Task
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.signing import BadSignature, Signer
from django.utils.functional import Promise
from kombu.exceptions import ChannelError, OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from unfold.dataclasses import SearchResult

logger = logging.getLogger(__name__)


class Outage:
    """Belongs to one process; it ends by itself, so that Redis is asked again."""

    SECONDS = 3.0

    def __init__(self) -> None:
        self._ends_at = 0.0
        # What Redis, or the way to it, failed with.
        self.error: BaseException | None = None

    def begin(self, error: BaseException) -> None:
        self._ends_at, self.error = time.monotonic() + self.SECONDS, error

    def end(self) -> None:
        self._ends_at = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self._ends_at


redis_outage = Outage()
# A Redis that is away, and one that refuses: full, a replica, with another password.
BROKER_ERRORS = (OperationalError, ChannelError, RedisError)
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
        redis_outage.begin(error)
        logger.warning("not announced (%s)", type(error).__name__)


def wake_worker(task: Task[..., None]) -> bool:
    """Return whether the broker took the task; sweeps find the work as well."""
    if redis_outage.is_on():
        return False
    try:
        task.delay()
    except BROKER_ERRORS as error:
        redis_outage.begin(error)
        logger.warning("%s: no worker woken (%s)", task.name, error)
        return False
    return True


SALT = "pbxsite.cache"
# What Redis says of a key that holds something else than we would have put there.
STRANGE = ("WRONGTYPE", "value is not an integer")


def sealed(key: str, value: Any) -> int | str:
    """Return what Redis keeps: ["signature",value], or a number that it can add to."""
    if type(value) is int:
        return value
    text = to_json(value)
    return f'["{_signer(key).signature(text)}",{text}]'


def opened(key: str, kept: bytes) -> Any:
    """Return the value; ValueError if this site did not write it to this very key."""
    try:
        return int(kept)
    except ValueError:
        signature, _, rest = kept.decode().removeprefix('["').partition('",')
    text = rest.removesuffix("]")
    try:
        return from_json(_signer(key).unsign(f"{text}:{signature}"))
    except (BadSignature, KeyError, TypeError) as error:
        raise ValueError(key) from error


def _signer(key: str) -> Signer:
    """Sign for one key alone: no value serves under the key of another."""
    return Signer(salt=f"{SALT}:{key}")


class AsItIs:
    """Stands where Django would pickle: the client below has sealed each value."""

    def dumps(self, obj: Any) -> Any:
        return obj

    def loads(self, data: Any) -> Any:
        return data


class SealedClient(RedisCacheClient):
    """The client of Django's cache, with values that are signed and read as JSON."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, serializer=AsItIs, **options)
        self._made: Redis | None = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        """Return the one client: making another costs as much as asking Redis."""
        self._made = self._made or super().get_client(key, write=write)
        return self._made

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return super().add(key, sealed(key, value), timeout)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        super().set(key, sealed(key, value), timeout)

    def set_many(self, data: Mapping[Any, Any], timeout: Any) -> None:
        super().set_many({k: sealed(k, v) for k, v in data.items()}, timeout)

    def get(self, key: Any, default: Any) -> Any:
        return self.get_many([key]).get(key, default)

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """Return what can be read; to MGET a key of another kind is a missing one."""
        found: dict[Any, Any] = {}
        held: dict[Any, Any] = super().get_many(list(keys))
        for key, kept in held.items():
            try:
                found[key] = opened(key, kept)
            except ValueError:
                # Its key may hold a code or somebody's name.
                logger.warning("cache: a value that this site did not write")
        return found

    def incr(self, key: Any, delta: int) -> Any:
        """Raise ValueError for what is no number, as for what is missing."""
        try:
            return super().incr(key, delta)
        except ResponseError as error:
            if str(error).startswith(STRANGE):
                raise ValueError(f"Key {key!r} holds no number.") from error
            raise


class RedisOrLocalCache(RedisCache):
    """Keeps the rate limits, which must neither fail a login nor stop counting."""

    MOST_LEFT = 1000

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = SealedClient
        self._local = LocMemCache("redis-is-away", {})
        self._left: dict[tuple[Any, ...], None] = {}

    def _either(self, name: str, *args: Any, **kwargs: Any) -> Any:
        shared: Callable[..., Any] = getattr(super(), name)
        if not redis_outage.is_on():
            try:
                self._delete_left()
                return shared(*args, **kwargs)
            except RedisError as error:
                redis_outage.begin(error)
                logger.warning("cache: Redis is away (%s)", type(error).__name__)
        return getattr(self._local, name)(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("set", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        deleted = self._either("delete", *args, **kwargs)
        if redis_outage.is_on() and len(self._left) < self.MOST_LEFT:
            self._left[(*args, *kwargs.values())] = None
        return deleted

    def _delete_left(self) -> None:
        """Delete what was to go while Redis was silent.

        It still carries out what it was asked last: the lock of a rate limit would
        keep people out for ten seconds.
        """
        while self._left:
            key = next(iter(self._left))
            super().delete(*key)
            self._left.pop(key, None)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("incr", *args, **kwargs)


# JSON knows neither tuples, sets, moments nor bytes: each becomes an object with a
# single member, whose name says what it was.
MARK = "$"


class Form(NamedTuple):
    """How a value of a kind is written; `parts` may hold any value of the cache."""

    name: str
    parts: Callable[[Any], Any]
    back: Callable[[Any], Any]


FORMS: dict[type, Form] = {
    tuple: Form("tuple", list, tuple),
    set: Form("set", list, set),
    frozenset: Form("frozenset", list, frozenset),
    dict: Form("pairs", lambda pairs: list(pairs.items()), dict),
    bytes: Form("bytes", lambda held: b64encode(held).decode(), b64decode),
    datetime: Form("datetime", datetime.isoformat, datetime.fromisoformat),
    date: Form("date", date.isoformat, date.fromisoformat),
    timedelta: Form(
        "timedelta",
        lambda span: [span.days, span.seconds, span.microseconds],
        lambda parts: timedelta(*parts),
    ),
    Decimal: Form("decimal", str, Decimal),
    UUID: Form("uuid", str, UUID),
    # The theme keeps what the search of the administration has found.
    SearchResult: Form(
        "search result",
        lambda found: [found.title, found.description, found.link, found.icon],
        lambda parts: SearchResult(*parts),
    ),
}
BACK = {f"{MARK}{form.name}": form.back for form in FORMS.values()}


def to_json(value: Any) -> str:
    return json.dumps(_plain(value), separators=(",", ":"))


def from_json(text: str) -> Any:
    """Return the value; KeyError, TypeError or ValueError if it is of no such form."""
    return json.loads(text, object_hook=_marked)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Promise):
        return str(value)
    if type(value) is list:
        return [_plain(each) for each in value]
    if type(value) is dict and not any(map(_needs_pairs, value)):
        return {key: _plain(each) for key, each in value.items()}
    form = FORMS.get(type(value))
    if form is None:
        name = type(value).__name__
        raise TypeError(f"The cache keeps no {name}; add it to {__name__}.FORMS.")
    return {f"{MARK}{form.name}": _plain(form.parts(value))}


def _needs_pairs(key: Any) -> bool:
    """JSON would make a text of the key, or it would look like one of ours."""
    return not isinstance(key, str) or key.startswith(MARK)


def _marked(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    ((name, parts),) = found.items()
    return BACK[name](parts) if name.startswith(MARK) else found

"""Django's cache in Redis, with values that are signed and read as JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.signing import BadSignature, Signer
from redis.exceptions import RedisError, ResponseError

from pbxsite.cache.json_values import from_json, to_json
from verification.redis_access import redis_outage

logger = logging.getLogger(__name__)
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
    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, serializer=AsItIs, **options)

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

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = SealedClient
        self._local = LocMemCache("redis-is-away", {})

    def _either(self, name: str, *args: Any, **kwargs: Any) -> Any:
        shared: Callable[..., Any] = getattr(super(), name)
        if not redis_outage.is_on():
            try:
                return shared(*args, **kwargs)
            except RedisError as error:
                redis_outage.begin()
                logger.warning("cache: Redis is away (%s)", type(error).__name__)
        return getattr(self._local, name)(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("set", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("delete", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("incr", *args, **kwargs)

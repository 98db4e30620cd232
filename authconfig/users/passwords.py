"""PBX passwords: how they are hashed, how many at once, and whose one is right.

All of it stands in one file because a login goes through all of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import argon2
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    PBKDF2PasswordHasher,
    check_password,
    identify_hasher,
    make_password,
    verify_password,
)
from django.db import connection, models
from django.db.models import Count, Value
from django.db.models.functions import Left, Length, Reverse, StrIndex, Substr
from django.utils.crypto import constant_time_compare, salted_hmac

from authconfig.names import name_key

if TYPE_CHECKING:
    from authconfig.users.models import PbxUser

T = TypeVar("T")
# What a change of the password writes.
PASSWORD_FIELDS = ("password", "first_hash", "is_from_mailbox")
# A hash that could not begin by then is refused.
WAIT_SECONDS = 3.0
# More could not begin by then either, so they are refused at once.
WAITING_PER_THREAD = 32
# How long a process believes its count of the parameters in use.
COUNT_TTL_SECONDS = 600.0


class NotHashedError(Exception):
    """Nobody looked at the password, so it was neither right nor wrong."""


class TooManyHashesError(NotHashedError):
    """The process hashes as many passwords as it may."""


class NoMemoryToHashError(NotHashedError):
    """The process has no memory left for a hash."""


class HashingThreads:
    """Threads that do nothing but hash, and the limit of those who wait for them.

    Each request has a thread of its own, and the C library lets each thread keep the
    memory that it has once used: that of these few threads is all there is.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "hash")
        self._most = count * (1 + WAITING_PER_THREAD)
        self._inside = 0
        self._lock = Lock()

    def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns, or raise a NotHashedError."""
        self._enter()
        try:
            return _in_time(self._begin(work))
        except MemoryError as error:
            raise NoMemoryToHashError from error
        finally:
            self._leave()

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        try:
            return self._threads.submit(work)
        except RuntimeError as error:
            # The system gives no further thread.
            raise NoMemoryToHashError from error

    def _enter(self) -> None:
        with self._lock:
            if self._inside >= self._most:
                raise TooManyHashesError
            self._inside += 1
            is_alone = self._inside == 1
        # The database's connections are few, and other pages need them meanwhile.
        if not is_alone and not connection.in_atomic_block:
            connection.close()

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1


def _in_time(hashed: Future[T]) -> T:
    try:
        return hashed.result(WAIT_SECONDS)
    except TimeoutError:
        if hashed.cancel():
            raise TooManyHashesError from None
        # It has begun, so it takes no longer than a hash.
        return hashed.result()


@cache
def _threads(_process: int, _hashes: str, count: int) -> HashingThreads:
    """Make them once in each process: a fork takes no threads along."""
    return HashingThreads(count)


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with the parameters of OWASP's Password Storage Cheat Sheet."""

    memory_cost = 19456
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return _at_most(partial(self._encode, password, salt))

    def _encode(self, password: str, salt: str) -> str:
        try:
            return super().encode(password, salt)
        except argon2.exceptions.HashingError as error:
            raise NoMemoryToHashError from error

    def verify(self, password: str, encoded: str) -> bool:
        work = partial(_matches, password, encoded)
        if self.decode(encoded)["memory_cost"] <= self.memory_cost:
            return _at_most(work)
        # Django's own parameters take 100 MB and eight threads: one hash at a time.
        return _threads(os.getpid(), "heavy", 1).run(work)


def _matches(password: str, encoded: str) -> bool:
    """Compare, and never take a lack of memory for a wrong password as Django does."""
    _algorithm, _, rest = encoded.partition("$")
    try:
        return argon2.PasswordHasher().verify(f"${rest}", password)
    except argon2.exceptions.VerifyMismatchError:
        return False
    except argon2.exceptions.VerificationError as error:
        raise NoMemoryToHashError from error


class Pbkdf2Hasher(PBKDF2PasswordHasher):
    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return _at_most(partial(super().encode, password, salt, iterations))


def _at_most(work: Callable[[], T]) -> T:
    return _threads(os.getpid(), "ours", settings.LIMIT_HASHES).run(work)


class PasswordUser(AbstractBaseUser):
    """A user whose hash can be renewed, while their sessions go on."""

    # The hash that the present password had at first, if it was renewed since.
    first_hash = models.CharField(
        max_length=128, blank=True, default="", db_default="", editable=False
    )
    # Did a link in an e-mail set it in place of a forgotten one, while two-factor
    # authentication was on, and was no login confirmed otherwise since?
    is_from_mailbox = models.BooleanField(
        default=False, db_default=False, editable=False
    )
    # Did the right password show that the hash has older parameters?
    has_old_hash = False

    class Meta:
        abstract = True

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.first_hash = ""
        self.is_from_mailbox = False

    def check_password(self, raw_password: str | None) -> bool:
        """Only compare: Django's own would also renew the hash, and end sessions."""
        return check_password(raw_password, self.password)

    def renew_hash(self, password: str) -> None:
        """Hash the right password anew, by the present parameters.

        The salt stays: it tells of which password `first_hash` is one.
        """
        before = self.password
        if not self._has_first_hash():
            self.first_hash = before
        self.password = make_password(password, salt=_salt(before))
        # Whoever changed the password meanwhile has won.
        type(self)._default_manager.filter(pk=self.pk, password=before).update(
            password=self.password, first_hash=self.first_hash
        )

    def _has_first_hash(self) -> bool:
        """Say whether there is one, and not of an earlier password."""
        is_there = bool(self.first_hash)
        return is_there and _salt(self.first_hash) == _salt(self.password)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """Let sessions go on that began with the first hash, as with an older key."""
        yield from super().get_session_auth_fallback_hash()
        if self._has_first_hash():
            before = type(self)(password=self.first_hash)
            yield before.get_session_auth_hash()
            yield from before.get_session_auth_fallback_hash()

    def is_bound_by(self, shown: str) -> bool:
        """Say whether what is bound to this hash began with the present password."""
        own = self.get_session_auth_hash(), *self.get_session_auth_fallback_hash()
        return any(constant_time_compare(shown, each) for each in own)


def _salt(encoded: str) -> str:
    """Return the salt, "" where there is none that this site can read."""
    try:
        salt: str = identify_hasher(encoded).decode(encoded)["salt"]
    except ValueError:
        return ""
    return salt


class ParametersInUse:
    """Which parameters the users' hashes have, and how many have which.

    Hashes of different parameters differ in time, which Django's Argon2 does not even
    out. A name that no user has costs what some user's could: always the same of them.
    """

    def __init__(self) -> None:
        self._counts: list[tuple[str, int]] = []
        self._until = 0.0
        self._lock = Lock()

    def refresh(self) -> None:
        """Count again when it is time; one thread does, the others go on."""
        if time.monotonic() < self._until or not self._lock.acquire(blocking=False):
            return
        try:
            self._counts = _counts()
            self._until = time.monotonic() + COUNT_TTL_SECONDS
        finally:
            self._lock.release()

    def forget(self) -> None:
        self._until = 0.0

    def hash_for(self, key: str, password: str) -> None:
        """Take as long as a wrong password would if the name were a user's."""
        start = self._start_for(key)
        if start:
            check_password(password, f"{start}{'A' * 22}${'A' * 43}")
        else:
            make_password(password)

    def _start_for(self, key: str) -> str:
        keyed = salted_hmac("authconfig.users.passwords", key, algorithm="sha256")
        part = int.from_bytes(keyed.digest()[:6]) / 2**48
        point = part * sum(number for _start, number in self._counts)
        for start, number in self._counts:
            point -= number
            if point < 0:
                return start
        return ""


def _counts() -> list[tuple[str, int]]:
    """Count the users by what stands before the salt in their hashes.

    In their order: so, while old hashes become fewer, a name changes sides once alone.
    """
    backwards = Reverse("password")
    digest = StrIndex(backwards, Value("$"))
    salt = StrIndex(Substr(backwards, digest + 1), Value("$"))
    start = Left("password", Length("password") - digest - salt + 1)
    # Without a "$" it is no hash: these users have no PBX password.
    hashed = get_user_model().objects.filter(password__contains="$")  # noqa: S106
    return sorted(hashed.order_by().values_list(start).annotate(Count("pk")))


parameters_in_use = ParametersInUse()


def check(name: str, password: str, *, is_known: bool = False) -> PbxUser | None:
    """Return the active user who has this password; every answer costs one hash."""
    key = name_key(name)
    parameters_in_use.refresh()
    user = get_user_model().objects.filter(name_key=key).first()
    if user is None or not user.has_usable_password():
        parameters_in_use.hash_for(key, password)
        return None
    is_right, is_old = verify_password(password, user.password)
    if not is_right or not user.is_active:
        return None
    user.has_old_hash = is_old
    return user

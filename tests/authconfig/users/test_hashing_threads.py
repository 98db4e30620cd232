"""How many passwords a process hashes at once, and what becomes of the others."""

from __future__ import annotations

import multiprocessing
import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from pytest_django import Settings

from authconfig.users import passwords
from authconfig.users.models import PbxUser
from authconfig.users.passwords import (
    Argon2Hasher,
    HashingThreads,
    NoMemoryToHashError,
    Pbkdf2Hasher,
    TooManyHashesError,
)

LIMIT = 10.0
REQUESTS = 6


class Heavy(Argon2Hasher):
    memory_cost = 262144


class Hash:
    """A hash that lasts until it is told to end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.at_once = self.most_at_once = self.count = 0
        self.may_end = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.count += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.release()
        assert self.may_end.wait(LIMIT)
        with self._lock:
            self.at_once -= 1
        return "hashed"


@contextmanager
def requests(threads: HashingThreads, work: Hash) -> Iterator[list[Future[str]]]:
    with ThreadPoolExecutor(REQUESTS) as pool:
        yield [pool.submit(threads.run, work) for _ in range(REQUESTS)]


def test_no_more_than_the_limit_are_hashed_at_once() -> None:
    threads, work = HashingThreads(2), Hash()

    with requests(threads, work) as asked:
        assert work.begun.acquire(timeout=LIMIT)
        assert work.begun.acquire(timeout=LIMIT)
        work.may_end.set()

    assert [each.result() for each in asked] == REQUESTS * ["hashed"]
    assert (work.most_at_once, work.count) == (2, REQUESTS)


def test_who_waits_too_long_is_refused_and_never_hashed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, work = HashingThreads(1), Hash()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(threads.run, work)
        assert work.begun.acquire(timeout=LIMIT)
        monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)

        with pytest.raises(TooManyHashesError):
            threads.run(work)

        work.may_end.set()
        assert first.result(LIMIT) == "hashed"
    assert threads.run(lambda: "next") == "next"
    assert work.count == 1


def test_a_hash_that_has_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, work = HashingThreads(1), Hash()
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(threads.run, work)
        assert work.begun.acquire(timeout=LIMIT)

        threading.Timer(0.1, work.may_end.set).start()

        assert asked.result(LIMIT) == "hashed"


def test_a_queue_that_is_too_long_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "WAITING_PER_THREAD", REQUESTS - 1)
    threads, work = HashingThreads(1), Hash()
    with requests(threads, work) as asked:
        while threads._inside < REQUESTS:
            assert work.at_once <= 1

        with pytest.raises(TooManyHashesError):
            threads.run(work)

        work.may_end.set()
    assert [each.result() for each in asked] == REQUESTS * ["hashed"]


def test_a_fault_of_the_hash_gives_its_turn_back() -> None:
    threads = HashingThreads(1)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            threads.run(lambda: 1 / 0)

    assert threads._inside == 0


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_holds_no_connection_to_the_database() -> None:
    threads, work = HashingThreads(1), Hash()

    def ask() -> bool:
        PbxUser.objects.exists()
        threads.run(work)
        is_kept = connection.connection is not None
        connection.close()
        return is_kept

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask)
        assert work.begun.acquire(timeout=LIMIT)
        second = pool.submit(ask)
        while threads._inside < 2:
            assert not second.done()
        work.may_end.set()

        assert first.result(LIMIT) is True
        assert second.result(LIMIT) is False


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """Note which threads hash."""
    settings.LIMIT_HASHES = 7
    found: list[str] = []
    make = passwords._threads

    def note(process: int, hashes: str, count: int) -> HashingThreads:
        found.append(f"{hashes} {count}")
        return make(process, hashes, count)

    monkeypatch.setattr(passwords, "_threads", note)
    return found


def test_hashes_of_each_kind_have_their_limit(names: list[str]) -> None:
    hasher, pbkdf2 = Argon2Hasher(), Pbkdf2Hasher()
    old = Argon2PasswordHasher().encode("word", "s" * 22)
    new = hasher.encode("word", "s" * 22)
    weak = pbkdf2.encode("word", "s" * 22, 1)
    names.clear()

    checks = [hasher.verify("word", old), hasher.verify("word", new)]

    assert [*checks, pbkdf2.verify("word", weak)] == [True, True, True]
    assert names == ["heavy 1", "ours 7", "ours 7"]


ENOUGH = 2**25
HEAVY = "$argon2id$v=19$m=262144,t=1,p=1$" + "A" * 22 + "$" + "A" * 43


def with_little_memory(hash_once: Callable[[], object]) -> str:
    """Return what is raised in a process that may have 32 MiB more than it has."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)

    def work() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + ENOUGH
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            theirs.send(f"returned {hash_once()}")
        except Exception as error:
            theirs.send(type(error).__name__)

    process = fork.Process(target=work)
    process.start()
    assert ours.poll(LIMIT)
    process.join(LIMIT)
    told: str = ours.recv()
    return told


@pytest.mark.parametrize(
    "hash_once",
    [
        lambda: Argon2Hasher().verify("word", f"argon2{HEAVY}"),
        lambda: Heavy().encode("word", "s" * 22),
    ],
    ids=["verify", "encode"],
)
def test_a_lack_of_memory_is_no_wrong_password(hash_once: Callable[[], object]) -> None:
    assert with_little_memory(hash_once) == "NoMemoryToHashError"


def test_no_further_thread_is_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads = HashingThreads(1)

    with pytest.raises(NoMemoryToHashError):
        threads.run(lambda: True)

    assert threads._inside == 0

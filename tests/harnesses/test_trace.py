"""The trace counts what it says it counts, and its limits are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harnesses.trace.counting import Call, Counter, Trace
from tests.harnesses.trace.limits import LIMITS, LOGIN, WORKER, excesses

OURS = """
def first(then):
    return then()

def last():
    return 1
"""


def trace(*files: str) -> Trace:
    return Trace([Call(file, "work") for file in files])


def many_files(count: int) -> list[str]:
    return [f"authconfig/{number}.py" for number in range(count)]


def test_a_file_counts_once_where_it_is_called_first() -> None:
    found = trace("authconfig/b.py", "pbxsite/a.py", "authconfig/b.py")

    assert found.files == ["authconfig/b.py", "pbxsite/a.py"]


def test_a_change_is_a_call_after_one_of_another_top_package() -> None:
    found = trace(
        "pbxsite/edge/logs.py",
        "pbxsite/gateway/a.py",
        "verification/login/views.py",
        "verification/mail/queue.py",
        "pbxsite/edge/logs.py",
    )

    assert [(last.file, call.file) for last, call in found.changes] == [
        ("pbxsite/gateway/a.py", "verification/login/views.py"),
        ("verification/mail/queue.py", "pbxsite/edge/logs.py"),
    ]


@pytest.fixture
def ours(tmp_path: Path) -> Callable[[str], dict[str, Callable[..., object]]]:
    """Return a function that loads a module which lies at a path of the tree."""

    def load(path: str) -> dict[str, Callable[..., object]]:
        names: dict[str, Callable[..., object]] = {}
        exec(compile(OURS, str(tmp_path / path), "exec"), names)  # noqa: S102
        return names

    return load


def test_functions_of_our_packages_are_counted_until_it_is_over(
    tmp_path: Path, ours: Callable[[str], dict[str, Callable[..., object]]]
) -> None:
    counter = Counter(tmp_path)
    with counter.counting():
        # The body of a module is no call.
        here, there = ours("pbxsite/here.py"), ours("verification/there.py")
        elsewhere = ours("tests/elsewhere.py")
        here["first"](there["last"])
        elsewhere["last"]()
        thread = threading.Thread(target=here["last"])
        thread.start()
        thread.join()
        counter.stop()
        there["last"]()

    assert [str(call) for call in counter.trace.calls] == [
        "pbxsite/here.py:first",
        "verification/there.py:last",
        "pbxsite/here.py:last",
    ]


def test_as_many_files_as_are_allowed_are_no_excess() -> None:
    most = LIMITS[WORKER].files
    assert most

    assert excesses(WORKER, trace(*many_files(most))) == []


def test_one_file_more_is_told() -> None:
    most = LIMITS[WORKER].files
    assert most

    told = excesses(WORKER, trace(*many_files(most + 1)))

    assert told == [f"worker: {most + 1} files, at most {most}"]


def test_one_change_more_is_told() -> None:
    most = LIMITS[LOGIN].changes
    assert most
    files = ["authconfig/a.py", "pbxsite/b.py"] * most

    told = excesses(LOGIN, trace(*files[: most + 2]))

    assert told == [f"login: {most + 1} changes of package, at most {most}"]
    assert excesses(LOGIN, trace(*files[: most + 1])) == []

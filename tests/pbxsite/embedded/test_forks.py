"""Copies of a process: what they share with it, and what they must not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from pbxsite.embedded import forks, supervisor
from pbxsite.embedded.forks import Fork, fork
from pbxsite.embedded.supervisor import ChildEndedError, Family


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said.txt"


@pytest.fixture
def run(said: Path) -> Iterator[Callable[[Callable[[], object]], Fork]]:
    """Run it in a copy whose words are kept."""
    started = list[Fork]()

    def begin(work: Callable[[], object]) -> Fork:
        with said.open("wb") as output:
            files = (0, output.fileno(), output.fileno())
            started.append(fork("copy", work, files, 0))
        return started[-1]

    yield begin
    for each in started:
        each.kill()
        each.wait(5)


Run = Callable[[Callable[[], object]], Fork]


def test_a_copy_says_what_it_says_where_it_is_told_to(run: Run, said: Path) -> None:
    copy = run(lambda: os.write(1, b"here\n"))

    assert copy.wait(5) == 0
    assert said.read_text() == "here\n"


def test_a_copy_that_fails_says_why(run: Run, said: Path) -> None:
    copy = run(lambda: {}["what is not there"])

    assert copy.wait(5) == 1
    assert "KeyError: 'what is not there'" in said.read_text()


@pytest.mark.parametrize(("asked", "code"), [(None, 0), (3, 3), ("I cannot", 1)])
def test_a_copy_ends_with_the_code_it_asks_for(
    run: Run, said: Path, asked: int | str | None, code: int
) -> None:
    assert run(lambda: sys.exit(asked)).wait(5) == code
    assert (said.read_text() == "I cannot\n") == (asked == "I cannot")


def test_a_copy_holds_no_file_of_its_parent(run: Run, said: Path) -> None:
    reading, writing = os.pipe()

    copy = run(lambda: sys.exit(str(sorted(os.listdir("/proc/self/fd")))))  # noqa: PTH208

    os.close(writing)
    assert os.read(reading, 1) == b"", "the copy would keep the guard from its work"
    os.close(reading)
    assert copy.wait(5) == 1
    # The fourth is the directory that is listed.
    assert said.read_text() == "['0', '1', '2', '3']\n"


def test_a_copy_ends_by_the_signal_that_its_parent_survives(run: Run) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        copy = run(lambda: time.sleep(60))
        copy.terminate()

        assert copy.wait(5) == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_copy_is_known_by_its_name(run: Run) -> None:
    copy = run(lambda: time.sleep(60))
    name = Path(f"/proc/{copy.pid}/comm")
    limit = time.monotonic() + 5
    while name.read_text() != "copy\n":
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_nobody_waits_for_a_copy_longer_than_they_will(run: Run) -> None:
    copy = run(lambda: time.sleep(60))

    with pytest.raises(TimeoutExpired):
        copy.wait(0.05)
    assert copy.poll() is None


def test_a_question_leaves_nothing_in_this_process() -> None:
    asked = list[int]()

    assert forks.succeeds(lambda: not asked.append(1))
    assert not forks.succeeds(lambda: False)
    assert asked == []
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & forks.SIGNALS


def said_by(words: str) -> tuple[str, str]:
    """Return what a process says that runs these words, on either output."""
    begin = "import os, sys; from pbxsite.embedded.forks import fork; "
    done = subprocess.run(
        [sys.executable, "-c", begin + words],
        # Without PYTHONUNBUFFERED: what is said waits in the process.
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_what_was_said_before_a_copy_is_written_before_it() -> None:
    said = said_by(
        "print('before'); fork('copy', lambda: print('copy'), (0, 1, 2), 0).wait()"
    )

    assert said == ("before\ncopy\n", "")


def test_outputs_may_be_each_others() -> None:
    said = said_by(
        "fork('copy', lambda: (os.write(1, b'one'), os.write(2, b'two')), (0, 2, 1), 0)"
        ".wait()"
    )

    assert said == ("two", "one")


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    family = Family(tmp_path, tmp_path / "log", os.environ)
    yield family
    family.end()


def mend_for_a_while(family: Family) -> None:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        family.mend(lambda _line: None)
        time.sleep(0.01)


def test_a_copy_that_was_killed_is_made_again(family: Family) -> None:
    family.fork("worker", lambda: time.sleep(60), patience=1)
    (child,) = family.children
    first = child.process.pid

    os.kill(first, signal.SIGKILL)
    limit = time.monotonic() + 20
    while child.process.pid == first:
        assert time.monotonic() < limit
        family.mend(lambda _line: None)
        time.sleep(0.01)

    assert child.process.poll() is None
    assert os.getpgid(child.process.pid) == family.group


def test_a_copy_that_cannot_live_ends_the_site_with_its_last_words(
    family: Family,
) -> None:
    family.fork("worker", lambda: sys.exit("I cannot"), patience=1)

    with pytest.raises(ChildEndedError, match="I cannot"):
        mend_for_a_while(family)


def test_what_is_forgotten_stands_in_no_copys_first_environment() -> None:
    words = (
        "import os; from pbxsite.embedded.environment import forget;"
        " forget(['ADMIN_PASSWORD', 'NOT_GIVEN']); print(dict(os.environ));"
        " os.fork() or print(open('/proc/self/environ').read())"
    )
    env = {"PATH": os.environ["PATH"], "ADMIN_PASSWORD": "secret words", "LAST": "kept"}

    done = subprocess.run(
        [sys.executable, "-c", words], env=env, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "LAST=kept" in done.stdout
    assert "secret" not in done.stdout

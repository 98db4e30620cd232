"""Children that end by themselves: started again, unless they cannot live."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxsite.embedded import scheduler_thread, supervisor
from pbxsite.embedded.scheduler_thread import SchedulerThread
from pbxsite.embedded.supervisor import Child, ChildEndedError, Family

LIVES = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
TALKS = ["/bin/sh", "-c", "while :; do echo here; sleep 0.05; done"]
DIES = [sys.executable, "-c", "raise SystemExit('I cannot')"]


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    family = Family(tmp_path, tmp_path / "log", os.environ)
    yield family
    family.end()


def mend_until(
    family: Family, happened: Callable[[], bool], said: list[str] | None = None
) -> None:
    limit = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < limit
        family.mend((said if said is not None else []).append)
        time.sleep(0.01)


def test_a_child_that_was_killed_is_started_again(family: Family) -> None:
    said = list[str]()
    family.start("worker", LIVES, patience=1)
    (child,) = family.children
    first = child.process.pid

    os.kill(first, signal.SIGKILL)
    mend_until(family, lambda: child.process.pid != first, said)

    assert child.process.poll() is None
    assert said == ["The worker ended (exit code -9) and is started again."]
    assert child.log.with_suffix(".log.1").exists()


def test_a_child_that_cannot_live_ends_the_site_with_its_last_words(
    family: Family,
) -> None:
    said = list[str]()
    family.start("worker", DIES, patience=1)

    with pytest.raises(ChildEndedError, match="I cannot"):
        mend_until(family, lambda: False, said)

    assert len(said) == supervisor.MOST_ENDS - 1


def test_what_ended_long_ago_counts_no_more(family: Family) -> None:
    family.start("worker", LIVES, patience=1)
    (child,) = family.children
    long_ago = time.monotonic() - supervisor.ENDS_WITHIN - 1
    child.ends = [long_ago] * supervisor.MOST_ENDS

    assert child.note_end()
    assert len(child.ends) == 1


def test_each_end_makes_the_pause_before_the_next_start_longer(family: Family) -> None:
    family.start("worker", LIVES, patience=1)
    (child,) = family.children

    for pause in (0.01, 0.02, 0.04):
        child.note_end()
        assert child.starts_at
        assert child.starts_at - child.ends[-1] == pytest.approx(pause)


@pytest.mark.parametrize("is_guarded", [True, False])
def test_nobody_outlives_a_family_that_ends(family: Family, is_guarded: bool) -> None:
    """Not even who hears no SIGTERM, or whom a child has started."""
    words = "trap '' TERM; sleep 60 & echo here $!; while :; do sleep 0.1; done"
    family.start("deaf", ["/bin/sh", "-c", words], patience=0.1)
    (child,) = family.children
    mend_until(family, lambda: "here" in child.log.read_text())
    grandchild = int(child.log.read_text().split()[1])
    if not is_guarded:
        family.guard.kill()
        family.guard.wait()

    family.end()

    assert child.process.returncode == -signal.SIGKILL
    state = Path(f"/proc/{grandchild}/stat")
    limit = time.monotonic() + 10
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_whoever_needs_another_one_ends_before_it(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, end = list[str](), Child.end

    def note(child: Child) -> None:
        ended.append(child.name)
        end(child)

    monkeypatch.setattr(Child, "end", note)
    for name in ("redis", "worker"):
        family.start(name, LIVES, patience=1)

    family.end()

    assert ended[:2] == ["worker", "redis"]


def test_a_guard_that_was_killed_has_a_follower(family: Family) -> None:
    family.start("worker", LIVES, patience=1)
    first = family.guard.pid

    os.kill(first, signal.SIGKILL)
    mend_until(family, lambda: family.guard.pid != first)
    assert family.guard.stdin
    family.guard.stdin.close()

    # It does what the first one would: the group ends with its parent.
    assert family.children[0].process.wait(10) == -signal.SIGKILL


def test_a_long_log_begins_anew(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_LOG", 1000)
    family.start("worker", TALKS, patience=1)
    (child,) = family.children
    mend_until(family, lambda: child.log.stat().st_size > 0)
    with child.log.open("a") as log:
        log.write("x" * 2000)

    mend_until(family, lambda: child.log.stat().st_size < 1000)

    assert "x" * 2000 in child.log.with_suffix(".log.1").read_text()
    mend_until(family, lambda: child.log.stat().st_size > 0)
    assert child.log.read_text().startswith("here")


def test_on_a_full_disk_a_long_log_begins_anew_all_the_same(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_files: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(supervisor, "LONGEST_LOG", 1000)
    monkeypatch.setattr(shutil, "copyfile", full)
    family.start("worker", LIVES, patience=1)
    (child,) = family.children
    child.log.write_text("x" * 2000)

    family.mend(lambda _line: None)

    assert child.log.stat().st_size < 1000


def test_a_scheduler_that_a_full_disk_ended_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = list[float]()

    class Service:
        def __init__(self, app: object, schedule_filename: str) -> None:
            starts.append(time.monotonic())

        def start(self) -> None:
            raise OSError(28, "No space left on device")

        def stop(self, *, wait: bool) -> None:
            pass

    class Worker:
        schedule_filename = str(tmp_path / "schedule")

    monkeypatch.setattr(scheduler_thread, "Service", Service)
    monkeypatch.setattr(scheduler_thread, "FIRST_PAUSE", 0.01)
    step = SchedulerThread(Worker())

    step.start(Worker())
    limit = time.monotonic() + 10
    while len(starts) < 3:
        assert time.monotonic() < limit
        time.sleep(0.01)
    step.stop(Worker())
    assert starts[1] - starts[0] >= 0.01
    assert starts[2] - starts[1] >= 0.02

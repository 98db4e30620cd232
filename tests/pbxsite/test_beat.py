"""Schedulers on several machines: one sends at a time, another takes its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.conf import settings
from redis import Redis

from pbxsite import beat
from pbxsite.celery import app


@pytest.fixture(autouse=True)
def _free() -> None:
    Redis.from_url(settings.REDIS_URL).delete(beat.LOCK_NAME)


def scheduler(directory: Path, name: str) -> beat.OneScheduler:
    return beat.OneScheduler(
        app=app, schedule_filename=str(directory / name), lazy=False
    )


def test_one_of_two_schedulers_sends(tmp_path: Path) -> None:
    first, second = scheduler(tmp_path, "first"), scheduler(tmp_path, "second")

    for each in (first, second, first):
        each.tick()

    assert (first.leads, second.leads) == (True, False)


def test_a_scheduler_that_ends_hands_over_at_once(tmp_path: Path) -> None:
    first, second = scheduler(tmp_path, "first"), scheduler(tmp_path, "second")
    first.tick()

    first.close()
    second.tick()

    assert second.leads


def test_a_scheduler_that_is_gone_is_replaced_when_its_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beat, "LOCK_SECONDS", 0.3)
    first, second = scheduler(tmp_path, "first"), scheduler(tmp_path, "second")
    first.tick()
    time.sleep(0.4)

    second.tick()
    first.tick()

    assert (first.leads, second.leads) == (False, True)


def test_a_scheduler_goes_on_after_a_redis_that_forgot_the_lock(tmp_path: Path) -> None:
    only = scheduler(tmp_path, "only")
    only.tick()
    Redis.from_url(settings.REDIS_URL).delete(beat.LOCK_NAME)

    only.tick()

    assert only.leads


def test_without_redis_a_scheduler_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    alone = scheduler(tmp_path, "alone")

    assert alone.tick() == beat.LOOK_AGAIN_SECONDS
    assert not alone.leads

"""What a process learns of how much the server takes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from verification.mail.account import FIRST_REST, LONGEST_REST, Pace
from verification.mail.choices import MailPriority

URGENT, LATER = MailPriority.URGENT, MailPriority.LATER
START = datetime(2026, 11, 29, 12, tzinfo=timezone.get_default_timezone())


@pytest.fixture
def clock() -> time_machine.Coordinates:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller  # type: ignore[misc]


def rest(pace: Pace, priority: MailPriority = URGENT) -> float:
    return (pace.refuse(priority, is_by_count=True) - timezone.now()).total_seconds()


def test_rests_grow_up_to_a_limit(clock: time_machine.Coordinates) -> None:
    pace, rests = Pace(), []

    for _ in range(7):
        rests.append(rest(pace))
        clock.move_to(pace.refuse(URGENT))

    longest = LONGEST_REST.total_seconds()
    for seconds, middle in zip(rests, [2, 4, 8, 16, 30, 30, 30], strict=True):
        assert 0.89 * middle < seconds < 1.11 * middle
        assert seconds < 1.11 * longest


def test_several_refusals_at_once_count_once(clock: time_machine.Coordinates) -> None:
    pace = Pace()

    assert len({pace.refuse(URGENT) for _ in range(5)}) == 1
    clock.shift(timedelta(seconds=3))
    assert rest(pace) < 4.5


def test_what_one_mail_shows_ends_the_rest(clock: time_machine.Coordinates) -> None:
    pace = Pace()
    pace.refuse(URGENT)
    assert pace.least_urgent() is None
    assert pace.is_asking

    clock.shift(timedelta(seconds=3))
    assert pace.least_urgent() == LATER
    assert pace.is_asking
    pace.accept(URGENT)

    assert not pace.is_asking
    assert rest(pace) < 1.11 * FIRST_REST.total_seconds()


def test_a_recordings_rest_is_not_that_of_urgent_mails() -> None:
    pace = Pace()
    pace.refuse(LATER)

    assert pace.least_urgent() == URGENT
    pace.accept(URGENT)
    assert pace.least_urgent() == URGENT
    pace.accept(LATER)
    assert pace.least_urgent() == LATER


def test_the_minute_of_a_server_that_counts_is_learned(
    clock: time_machine.Coordinates,
) -> None:
    """Thirty mails a minute: each minute's are gone in a second."""
    pace, refusals = Pace(), []

    for minute in range(5):
        clock.move_to(START + timedelta(minutes=minute))
        pace.accept(URGENT)
        clock.shift(timedelta(seconds=1))
        refusals.append(0)
        end = START + timedelta(minutes=minute + 1)
        while (again := pace.refuse(URGENT, is_by_count=True)) < end:
            clock.move_to(again)
            refusals[-1] += 1

    # It asks in vain less often once it knows the minute.
    assert refusals[0] >= 4
    assert max(refusals[1:]) <= 3


@pytest.mark.parametrize(
    ("apart", "is_by_count"),
    [(timedelta(seconds=50), False), (timedelta(hours=1), True)],
    ids=["it was away", "hours"],
)
def test_a_server_that_does_not_count_by_the_minute_is_asked_soon(
    clock: time_machine.Coordinates, apart: timedelta, is_by_count: bool
) -> None:
    pace = Pace()
    for times in range(3):
        clock.move_to(START + times * apart)
        pace.accept(URGENT)
        clock.shift(timedelta(seconds=1))
        pace.refuse(URGENT, is_by_count=is_by_count)

    clock.move_to(START + 3 * apart)
    pace.accept(URGENT)
    assert rest(pace) < 1.11 * FIRST_REST.total_seconds()


def test_a_further_connection_is_tried_again_after_a_while(
    clock: time_machine.Coordinates,
) -> None:
    pace = Pace()
    pace.note_connections(0)
    assert pace.connections == 1

    clock.shift(timedelta(minutes=10, seconds=1))
    assert pace.connections is None

"""Threads that write down what their mails do, together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from django.db import DatabaseError, OperationalError

from verification.mail.claims import LostClaimError
from verification.mail.fast import batches
from verification.mail.fast.batches import Recorder, Sent
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.database

LIMIT = 10.0
THREADS = 4
Answer = Callable[[list[OutgoingEmail], list[Sent]], set[int]]


class Table:
    """Stands for the database's answers; the first statement is as slow as wanted."""

    def __init__(self, answer: Answer) -> None:
        self.statements: list[tuple[list[int], list[int]]] = []
        self.is_asked, self.goes_on = Event(), Event()
        self._answer = answer

    def write_down(self, beginning: list[OutgoingEmail], sent: list[Sent]) -> set[int]:
        keys = [mail.pk for mail in beginning], [one.mail.pk for one in sent]
        self.statements.append(keys)
        self.is_asked.set()
        assert self.goes_on.wait(LIMIT)
        return self._answer(beginning, sent)


def all_ours(beginning: list[OutgoingEmail], sent: list[Sent]) -> set[int]:
    return {mail.pk for mail in beginning}


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[Future[None]]]:
    """Begin mail 0, then 1 to 3 while that is written; one more was sent meanwhile."""

    def run(answer: Answer) -> list[Future[None]]:
        recorder, table = Recorder(), Table(answer)
        monkeypatch.setattr(batches, "write_down", table.write_down)
        with ThreadPoolExecutor(THREADS) as pool:
            begin = recorder.note_data_begins
            tries = [pool.submit(begin, OutgoingEmail(pk=0))]
            assert table.is_asked.wait(LIMIT)
            recorder.add(OutgoingEmail(pk=9), "250 Ok")
            tries += [pool.submit(begin, OutgoingEmail(pk=n)) for n in (1, 2, 3)]
            while len(recorder._beginnings) < THREADS - 1:
                assert not any(one.done() for one in tries)
            table.goes_on.set()
        assert [(sorted(b), s) for b, s in table.statements] == [
            ([0], []),
            ([1, 2, 3], [9]),
        ]
        return tries

    return run


def test_what_comes_during_a_statement_is_written_by_the_next_one(
    together: Callable[[Answer], list[Future[None]]],
) -> None:
    tries = together(all_ours)

    assert [one.exception(LIMIT) for one in tries] == [None] * THREADS


def test_only_the_mail_whose_claim_was_lost_does_not_begin(
    together: Callable[[Answer], list[Future[None]]],
) -> None:
    tries = together(lambda mails, sent: all_ours(mails, sent) - {2})

    errors = [one.exception(LIMIT) for one in tries]
    assert [type(error) for error in errors if error] == [LostClaimError]
    assert isinstance(errors[2], LostClaimError)


def test_none_begins_that_a_failed_statement_was_to_note(
    together: Callable[[Answer], list[Future[None]]],
) -> None:
    def fail(beginning: list[OutgoingEmail], sent: list[Sent]) -> set[int]:
        if len(beginning) > 1:
            raise OperationalError("away")
        return all_ours(beginning, sent)

    tries = together(fail)

    errors = [one.exception(LIMIT) for one in tries]
    assert errors[0] is None
    assert all(isinstance(error, DatabaseError) for error in errors[1:])


def test_after_a_failure_the_next_one_writes_what_was_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(beginning: object, sent: object) -> set[int]:
        raise OperationalError("away")

    recorder, table = Recorder(), Table(all_ours)
    table.goes_on.set()
    monkeypatch.setattr(batches, "write_down", fail)
    with pytest.raises(OperationalError):
        recorder.add(OutgoingEmail(pk=9), "250 Ok")
    # Whoever claims meanwhile leaves it alone.
    assert recorder.unwritten() == {9}
    monkeypatch.setattr(batches, "write_down", table.write_down)

    recorder.note_data_begins(OutgoingEmail(pk=1))
    recorder.flush()

    assert table.statements == [([1], [9])]
    assert not recorder.unwritten()

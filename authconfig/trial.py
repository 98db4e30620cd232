"""Stages of a trial, a login or a delivery: each timed, reported, its error named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db.models import TextChoices

from authconfig.choices import StepState
from authconfig.network import readable


@dataclass(frozen=True)
class Step:
    """How a stage stands; the page shows a line for each step."""

    stage: TextChoices
    state: StepState
    elapsed_ms: int
    words: str


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Report:
    """`remedy` says what to do, or what a trial that succeeded could not show."""

    steps: tuple[Step, ...]
    remedy: str
    accepted: bool


class Failure(NamedTuple):
    """The error that leaves a stage, and the words that its step reports."""

    error: Exception
    words: str


# Says what an exception means in a stage; None if it is no error of the stage's own.
Meaning = Callable[[TextChoices, Exception], Failure | None]


@contextmanager
def run_stage(
    stage: TextChoices, progress: Progress | None, meaning: Meaning
) -> Iterator[list[str]]:
    """Report the stage as it begins and ends, and raise its failure as `meaning` says.

    What the caller appends to the list becomes the words of a stage that succeeds.
    """
    began_at = time.monotonic()
    found: list[str] = []
    report_step(progress, stage, StepState.STARTED, began_at=began_at)
    try:
        yield found
    except Exception as raised:
        failure = meaning(stage, raised)
        if failure is None:
            raise
        report_step(progress, stage, StepState.FAILED, failure.words, began_at=began_at)
        if failure.error is raised:
            raise
        raise failure.error from raised
    words = "; ".join(found)
    report_step(progress, stage, StepState.DONE, words, began_at=began_at)


def report_step(
    progress: Progress | None,
    stage: TextChoices,
    state: StepState,
    words: str = "",
    *,
    began_at: float | None = None,
) -> None:
    if progress is None:
        return
    elapsed = 0.0 if began_at is None else time.monotonic() - began_at
    progress(Step(stage, state, round(elapsed * 1000), readable(words)))


@dataclass
class TrialRecord:
    """Passes each step on, and keeps those that have ended for the report."""

    progress: Progress
    ended: list[Step] = field(default_factory=list)

    def note(self, step: Step) -> None:
        if step.state is not StepState.STARTED:
            self.ended.append(step)
        self.progress(step)

    def report(self, remedy: str, *, accepted: bool) -> Report:
        return Report(tuple(self.ended), remedy, accepted)

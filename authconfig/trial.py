"""A test of a login method, told step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import TextChoices

from authconfig.choices import StepState


@dataclass(frozen=True)
class Step:
    stage: TextChoices
    state: StepState
    elapsed_ms: int
    words: str


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Report:
    """`remedy` says what to do, or what a test that succeeded did not show."""

    steps: tuple[Step, ...]
    remedy: str
    accepted: bool

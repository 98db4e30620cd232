"""What `manage.py directory sync` prints of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from authconfig.sync.choices import Change
from authconfig.sync.people import Step
from authconfig.sync.runs import Report
from authconfig.sync.words import words_of


def as_json(report: Report) -> dict[str, Any]:
    names = {change.value: report.names(change) for change in Change}
    return names | {"stopped": report.stopped or None}


def _why_kept(step: Step) -> str:
    if step.change is Change.DEACTIVATED:
        return "kept, though the directory no longer has this user"
    return f"kept as it is, since too many would change ({words_of(step)})"


def lines(report: Report) -> Iterator[str]:
    would = "would be " if report.is_preview else ""
    for step in report.steps:
        yield f"{step.name}: {would}{step.change.value} ({words_of(step)})".replace(
            " ()", ""
        )
    for step in report.kept:
        yield f"{step.name}: {_why_kept(step)}"
    for refusal in report.refused:
        detail = f" ({refusal.detail})" if refusal.detail else ""
        name = refusal.name or refusal.identity
        yield f"{name}: refused{detail}. {refusal.reason.label}"
    counts = (f"{len(report.names(change))} {change.value}" for change in Change)
    yield ", ".join(counts)

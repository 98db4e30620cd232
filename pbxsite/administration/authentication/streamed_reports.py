"""The answer to a trial that the site runs itself: a line of JSON for each step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse
from django.utils import translation
from django.utils.functional import Promise

from authconfig.trial import Progress, Report, Step

Run = Callable[[Progress], Report]


@dataclass(frozen=True)
class Headings:
    running: str
    accepted: str
    failed: str


def streamed(run: Run, headings: Headings) -> StreamingHttpResponse:
    """Run a trial and answer step by step; the last line holds the outcome."""
    lines = _lines(run, headings, translation.get_language())
    # A proxy that gathers or compresses the lines would show them all at the end.
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store, no-transform"}
    return StreamingHttpResponse(
        lines, content_type="application/x-ndjson", headers=headers
    )


async def _lines(
    run: Run, headings: Headings, language: str | None
) -> AsyncIterator[bytes]:
    loop, steps = asyncio.get_running_loop(), asyncio.Queue[Step | None]()

    def note(step: Step) -> None:
        loop.call_soon_threadsafe(steps.put_nowait, step)

    running = asyncio.ensure_future(_in_thread(run, note, language))
    running.add_done_callback(lambda _done: steps.put_nowait(None))
    shown: dict[str, Step] = {}
    while step := await steps.get():
        shown[step.stage] = step
        yield _line("running", headings.running, "", shown.values())
    report = await running
    outcome = "accepted" if report.accepted else "failed"
    heading = headings.accepted if report.accepted else headings.failed
    yield _line(outcome, heading, report.remedy, shown.values())


async def _in_thread(run: Run, progress: Progress, language: str | None) -> Report:
    def work() -> Report:
        try:
            with translation.override(language):
                return run(progress)
        finally:
            connections.close_all()

    return await sync_to_async(work, thread_sensitive=False)()


def _line(
    state: str, heading: str, text: str | Promise, steps: Iterable[Step]
) -> bytes:
    status = {
        "state": state,
        "heading": heading,
        "text": str(text),
        "steps": [_shown(step) for step in steps],
    }
    return json.dumps(status).encode() + b"\n"


def _shown(step: Step) -> dict[str, Any]:
    return {
        "stage": str(step.stage.label),
        "state": step.state,
        "state_words": str(step.state.label),
        "elapsed_ms": step.elapsed_ms,
        "words": step.words,
    }

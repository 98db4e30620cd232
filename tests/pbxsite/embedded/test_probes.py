"""How a start finds out that its worker is there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pbxsite.embedded import processes
from pbxsite.embedded.plan import Plan
from tests.support.site import free_port


def test_a_worker_that_is_late_is_given_time_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first questions cost a start little; a slow worker answers later ones."""
    monkeypatch.setattr(processes, "succeeds", lambda ask: ask())
    monkeypatch.setattr(processes, "FIRST_ANSWERS_SECONDS", (0.2, 0.2))
    port = free_port()
    plan = Plan(tmp_path, "127.0.0.1", port, free_port(), "", own_redis=False)
    answers = processes.probes(plan)["worker"]

    taken = []
    for _ in range(3):
        began = time.monotonic()
        assert not answers()
        taken.append(time.monotonic() - began)
    # The very first one makes a connection too.
    assert min(taken[:2]) < 0.9
    assert taken[2] >= 1

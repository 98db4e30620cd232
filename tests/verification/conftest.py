"""What tests of the second factor begin with."""

from __future__ import annotations

import pytest

from verification import hub as hubs


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> hubs.Hub:
    """A hub for each test, as a process has one for its loop."""
    fresh = hubs.Hub()
    monkeypatch.setattr(hubs, "hub", fresh)
    return fresh

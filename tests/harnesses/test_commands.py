"""Each harness starts as `make` starts it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.services import ROOT


@pytest.mark.parametrize("name", ["bench", "chaos", "looks", "production", "trace"])
def test_a_harness_tells_how_it_is_used(name: str) -> None:
    words = [sys.executable, "-m", f"tests.harnesses.{name}", "--help"]
    kept = {n: v for n, v in os.environ.items() if n != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(words, cwd=ROOT, env=kept, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout

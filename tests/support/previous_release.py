"""The release before this one, as the repository's history has it."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.services import ROOT

# With each release this becomes the commit that was released before it.
COMMIT = "f843c090c8384c6547b304fb6c045175a7c048a3"


def unpack(place: Path) -> Path:
    """Write its files, or skip the test where the history does not reach so far."""
    words = ["git", "archive", "--format=tar", COMMIT]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=60)
    if done.returncode:
        pytest.skip(f"This clone is too shallow: it lacks the commit {COMMIT[:9]}.")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place

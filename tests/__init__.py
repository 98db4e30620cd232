"""Tests with services of their own; this runs before any settings are read."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if services := os.environ.get("TEST_SERVICES"):
    process = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["REDIS_URL"] = f"unix://{services}/redis-{process}.sock"
elif "DATA_DIR" not in os.environ:
    # A bare pytest must not touch the site that lives in ./var.
    directory = tempfile.mkdtemp(prefix="pbxsite-tests-")
    os.environ["DATA_DIR"] = directory
    atexit.register(shutil.rmtree, directory, ignore_errors=True)

"""Count in the tree that is the present folder: python -m tests.harnesses.trace.walk.

It writes its traces as JSON to the file that it is told.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import django


def main(issuer: str, results: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.harnesses.trace.settings"
    django.setup()
    # Parts of Django can be imported from here on.
    scenarios = import_module("tests.harnesses.trace.scenarios")
    found = scenarios.traces(Path.cwd(), issuer)
    calls = {
        name: [(call.file, call.function) for call in trace.calls]
        for name, trace in found.items()
    }
    Path(results).write_text(json.dumps(calls))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Measure the site against its peers: `make bench`, or some parts of it by name.

python -m tests.harnesses.bench logins waiting

Or measure it beside an older commit of itself: `make bench BASE=COMMIT`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module

import django
from django.test.utils import setup_databases, teardown_databases

from tests.harnesses.bench.figures import Figure, report
from tests.support.services import ROOT

RESULTS = ROOT / "bench.json"
HERE = "tests.harnesses.bench"
# Modules beside this one, each with a function `figures`.
PARTS = (
    *("logins", "directory", "waiting", "myapps", "mail", "forward", "scale"),
    *("burst", "tokens", "start"),
)
# The commit beside which the burst is measured, where no other one is named.
BEFORE_BOUNDS = "2fc21a3"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--runs", default="3", help="of the mail part")
    parser.add_argument("--base", metavar="COMMIT", help="an older commit of the site")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{HERE}.settings"
    os.environ["BENCH_RUNS"] = options.runs
    os.environ["BENCH_BASE"] = options.base or BEFORE_BOUNDS
    django.setup()
    # Whatever was started ends with this process, also when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.base and not options.parts:
        report(beside(options.base), RESULTS)
        return
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        report(against_peers(options.parts or PARTS), RESULTS)
    finally:
        teardown_databases(databases, verbosity=0)


def beside(commit: str) -> Iterator[Figure]:
    """Measure this tree and the commit in turn."""
    found: Iterator[Figure] = import_module(f"{HERE}.beside.figures").figures(commit)
    return found


def against_peers(chosen: Sequence[str]) -> Iterator[Figure]:
    # Models can be imported from here on.
    parts = [import_module(f"{HERE}.{part}") for part in chosen]
    return (figure for part in parts for figure in part.figures())


main()

"""Measure the site against its peers: `make bench`, or some parts of it by name.

python -m tests.harnesses.bench logins waiting
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module

import django
from django.test.utils import setup_databases, teardown_databases

from tests.harnesses.bench.figures import report
from tests.support.services import ROOT

RESULTS = ROOT / "bench.json"
# Modules beside this one, each with a function `figures`.
PARTS = ("logins", "directory", "waiting", "mail", "forward", "scale")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--runs", default="3", help="of the mail part")
    options = parser.parse_args()
    chosen = options.parts or PARTS
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.harnesses.bench.settings"
    os.environ["BENCH_RUNS"] = options.runs
    django.setup()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        # Models can be imported from here on.
        parts = [import_module(f"tests.harnesses.bench.{part}") for part in chosen]
        report((figure for part in parts for figure in part.figures()), RESULTS)
    finally:
        teardown_databases(databases, verbosity=0)


main()

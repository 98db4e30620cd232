"""Measure the site against its peers: `make bench`."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import django
from django.test.utils import setup_databases, teardown_databases

from tests.bench.figures import report

RESULTS = Path(__file__).resolve().parent.parent.parent / "bench.json"


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.settings"
    django.setup()
    # Models can be imported from here on.
    logins = import_module("tests.bench.logins")
    directory = import_module("tests.bench.directory")
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        report([*logins.figures(), *directory.figures()], RESULTS)
    finally:
        teardown_databases(databases, verbosity=0)


main()

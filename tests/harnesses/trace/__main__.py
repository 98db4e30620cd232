"""Count the files that a login and other work touch: `make trace`.

python -m tests.harnesses.trace -v    with the files of each
python -m tests.harnesses.trace -vv   with each change of package as well

Exit status 1: something is over its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.harnesses.older import tree_of
from tests.harnesses.trace.counting import Call, Trace
from tests.harnesses.trace.limits import LIMITS, NO_LIMIT, excesses
from tests.support.provider import running_provider
from tests.support.services import ROOT

LIMIT_SECONDS = 300
# Django's test browser asks for this host.
SITE = {"SITE_URL": "http://localhost", "ALLOWED_HOSTS": "localhost,testserver"}


def traced(tree: Path) -> dict[str, Trace]:
    """Run the scenarios in a tree, by its own Python and on a database of its own."""
    with tempfile.TemporaryDirectory() as place, running_provider() as provider:
        results = Path(place) / "traces.json"
        words = ["-m", "tests.harnesses.trace.walk", provider.issuer, str(results)]
        done = subprocess.run(
            [str(tree / ".venv/bin/python"), *words],
            cwd=tree,
            env=os.environ | SITE | {"DATA_DIR": f"{place}/data"},
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        if done.returncode:
            raise SystemExit(f"The scenarios failed in {tree}:\n{done.stderr}")
        calls = json.loads(results.read_text())
    return {
        name: Trace([Call(*call) for call in found]) for name, found in calls.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", "--verbose", action="count", default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--base", metavar="COMMIT", help="count in an older commit too")
    options = parser.parse_args()
    # The older tree and the provider end with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.base:
        with tree_of(options.base) as tree:
            say(f"Commit {options.base}:")
            show(traced(tree), options.verbose)
        say("", "This tree:")
    found = traced(ROOT)
    show(found, options.verbose)
    if options.json:
        facts = [facts_of(name, trace) for name, trace in found.items()]
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    over = [line for name, trace in found.items() for line in excesses(name, trace)]
    for line in over:
        say(f"Over the limit: {line}")
    return 1 if over else 0


def facts_of(name: str, trace: Trace) -> dict[str, Any]:
    return {
        "name": name,
        "files": trace.files,
        "changes": [[str(last), str(call)] for last, call in trace.changes],
        "calls": len(trace.calls),
    }


def show(found: dict[str, Trace], verbose: int) -> None:
    say(f"{'':20} {'files':>11} {'changes':>11} {'calls':>6}")
    for name, trace in found.items():
        limit = LIMITS.get(name, NO_LIMIT)
        files = figure(len(trace.files), limit.files)
        changes = figure(len(trace.changes), limit.changes)
        say(f"{name:20} {files:>11} {changes:>11} {len(trace.calls):>6}")
    for name, trace in found.items():
        if verbose:
            say("", f"{name}: the files, in the order of their first calls")
            say(*(f"  {file}" for file in trace.files))
        if verbose > 1:
            say("", f"{name}: the changes of package")
            say(*(f"  {last} -> {call}" for last, call in trace.changes))


def figure(value: int, limit: int | None) -> str:
    return f"{value} (max {limit})" if limit else str(value)


def say(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201


sys.exit(main())

"""Drive a whole production site, stop each of its parts, and restart it one by one.

python -m tests.harnesses.production [--rate LOGINS] [--short | --rolling]
"""

from __future__ import annotations

import argparse
import logging
import sys

from tests.harnesses.production.run import FAULTS, SHORT, Outcome, production_run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20, help="logins a second")
    parser.add_argument("--short", action="store_true", help="fewer faults")
    parser.add_argument("--rolling", action="store_true", help="no faults at all")
    options = parser.parse_args()
    # aiosmtpd tells of its own deprecations with each mail.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    outcomes = []
    faults = () if options.rolling else SHORT if options.short else tuple(FAULTS)
    for outcome in production_run(rate=options.rate, faults=faults):
        print(outcome.line(), flush=True)  # noqa: T201
        outcomes.append(outcome)
    total = Outcome.sum(outcomes)
    print(total.line(), flush=True)  # noqa: T201
    return 1 if total.lost else 0


if __name__ == "__main__":
    sys.exit(main())

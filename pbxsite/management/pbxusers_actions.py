"""What `manage.py pbxusers` can be told to do."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path


def add_actions(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    reading = actions.add_parser("import", help="Add and change users; all or none.")
    reading.add_argument("file", type=Path)
    actions.add_parser("export", help="Write every user to standard output.")
    _add_adding(actions)
    unlocking = actions.add_parser("unlock", help="Forget a user's failed logins.")
    unlocking.add_argument("name")
    _add_inviting(actions)
    giving = actions.add_parser(
        "export-data", help="Write all that is kept of a user, as JSON."
    )
    giving.add_argument("name")
    erasing = actions.add_parser(
        "erase", help="Erase a user with all that is kept of them, for good."
    )
    erasing.add_argument("name")
    asking = actions.add_parser("access", help="Say who can log in, and why not.")
    asking.add_argument("--json", action="store_true", dest="as_json")
    asking.add_argument(
        "--closed", action="store_true", help="Only users with a kind that is closed."
    )


def _add_adding(actions: _SubParsersAction[ArgumentParser]) -> None:
    adding = actions.add_parser("add", help="Add one user.")
    adding.add_argument("name")
    for option in ("--email", "--long-name", "--number"):
        adding.add_argument(option, default="")
    adding.add_argument("--admin", action="store_true", help="With all rights.")
    adding.add_argument(
        "--password-stdin",
        action="store_true",
        help="The first line of standard input is the PBX password; else none.",
    )


def _add_inviting(actions: _SubParsersAction[ArgumentParser]) -> None:
    inviting = actions.add_parser(
        "invite", help="Send users a link that sets a PBX password."
    )
    inviting.add_argument("names", nargs="*", metavar="NAME")
    inviting.add_argument(
        "--without-password", action="store_true", help="All active users without one."
    )
    inviting.add_argument(
        "--dry-run", action="store_true", help="Only say who would be invited."
    )

"""The passphrase of a backup, from the first line of standard input or a terminal."""

from __future__ import annotations

import getpass
import sys

from django.core.management.base import CommandError

SHORTEST = 12


def read_passphrase() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Passphrase of the backup: ")
    return sys.stdin.readline().rstrip("\r\n")


def new_passphrase() -> str:
    """Ask for one, twice where somebody types; CommandError if it is short."""
    chosen = read_passphrase()
    if len(chosen) < SHORTEST:
        raise CommandError(
            f"Passphrase: {SHORTEST} characters or more, as the first line of standard"
            " input. --plain writes a backup that anybody can read who has the file."
        )
    if sys.stdin.isatty() and getpass.getpass("Once more: ") != chosen:
        raise CommandError("Passphrase: the two differ.")
    return chosen

"""Settings as words on the command line: as they are shown, and as they are given."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.db.models import BooleanField, DateField

from authconfig.models import MODEL_FIELDS, AuthenticationSettings
from authconfig.oauth2.adapter import redirect_uri
from authconfig.sections import FIELDS, SECRETS
from authconfig.smtp_login.modes import is_interactive
from pbxsite.administration.authentication.smtp_login import visit
from verification.mail.oauth2.authorization import authorized_as
from verification.mail.oauth2.settings import configuration_of

# The provider need not name the account that was authorized.
UNTOLD = "(the provider does not say)"
BOOLEANS = {"on": "on", "off": ""}
Faults = dict[str, list[str]]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "assignments",
        nargs="+",
        metavar="KEY=VALUE",
        help="KEY=@FILE reads a file, KEY=@- the first line of standard input.",
    )
    parser.add_argument(
        "--test", metavar="ADDRESS", help="Send a test with the new values first."
    )
    parser.add_argument(
        "--end-sessions",
        action="store_true",
        help="With two_factor=on: end the myApps sessions that nobody approved.",
    )
    parser.add_argument(
        "--remove-factors",
        action="store_true",
        help="With two_factor=on: remove the passkeys and codes that nobody approved.",
    )


def shown_values(rules: AuthenticationSettings) -> dict[str, Any]:
    """Return every setting by its key; a secret only as set or not."""
    values = {key: _shown(key, getattr(rules, key)) for key in FIELDS}
    configuration = configuration_of(rules) if is_interactive(rules) else None
    account = authorized_as(configuration) if configuration else None
    return values | {
        "oauth2_redirect_uri": redirect_uri(),
        "smtp_oauth2_redirect_uri": visit.redirect_uri(),
        "smtp_oauth2_authorized_as": UNTOLD if account == "" else account or "",
    }


def _shown(key: str, value: Any) -> Any:
    if key in SECRETS:
        return "set" if value else "not set"
    return str(value or "") if isinstance(MODEL_FIELDS[key], DateField) else value


def assignment(key: str, value: Any) -> str:
    """Return one line for each value, certificates too, in the words `set` takes."""
    if isinstance(value, bool):
        value = "on" if value else "off"
    return f"{key}={value}".replace("\n", "\\n")


def read_assignments(words: list[str]) -> tuple[dict[str, str], Faults]:
    values: dict[str, str] = {}
    faults: Faults = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            _check_key(key, equals)
            values[key] = _read_value(key, value)
        except (OSError, ValueError) as error:
            faults.setdefault(key, []).append(str(error))
    return values, faults


def _check_key(key: str, equals: str) -> None:
    if key not in FIELDS:
        near = get_close_matches(key, FIELDS, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"There is no such setting.{hint}")
    if not equals:
        raise ValueError(f"Write {key}=VALUE.")


def _read_value(key: str, word: str) -> str:
    value = _resolved(word)
    field = MODEL_FIELDS[key]
    if isinstance(field, BooleanField) and value not in BOOLEANS:
        raise ValueError("Enter on or off.")
    known = [str(choice) for choice, _label in field.flatchoices]
    if known and value not in known:
        raise ValueError(f"Enter one of {', '.join(known)}.")
    return value


def _resolved(word: str) -> str:
    if word == "@-":
        return sys.stdin.readline().rstrip("\r\n")
    if word.startswith("@"):
        return Path(word[1:]).read_text().rstrip("\r\n")
    return word

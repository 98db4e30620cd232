"""The view "Who can log in" as a file: for spreadsheets, and for scripts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from authconfig.models import current_rules
from authconfig.users.csv_file import escape
from authconfig.users.models import PbxUser
from pbxsite.administration.entry.answers import answer
from pbxsite.administration.entry.facts import (
    FACTS,
    facts_of,
    with_facts,
    with_windows_login,
)
from pbxsite.administration.entry.words import reasons

# Excel takes a file without this mark for its own old encoding.
BYTE_ORDER_MARK = "\ufeff"
COLUMNS = (
    *("name", "myapps", "mypbx", "reasons", "active", "password", "windows_login"),
    *("oauth2", "email", "factor", "factor_counts", "last_login"),
)


def everybody() -> Iterable[dict[str, Any]]:
    users = with_windows_login(with_facts(PbxUser.objects.all(), current_rules()))
    return [as_json(user) for user in users]


def as_json(user: PbxUser) -> dict[str, Any]:
    """Return what is told of a user of a list with facts and Windows logins."""
    number = getattr(user, FACTS)
    facts, found = facts_of(number), answer(current_rules(), number)
    return {
        "name": user.name,
        "myapps": not found.myapps,
        "mypbx": not found.mypbx,
        "reasons": reasons(found),
        "active": facts.is_active,
        "password": facts.has_password,
        "windows_login": _time(getattr(user, "windows_login", None)),
        "oauth2": facts.has_account,
        "email": facts.has_email,
        "factor": facts.has_factor,
        "factor_counts": facts.has_counting_factor,
        "last_login": _time(user.last_login),
    }


def as_csv(users: Iterable[PbxUser]) -> str:
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for user in users:
        row = as_json(user)
        writer.writerow(escape(_cell(row[column])) for column in COLUMNS)
    return file.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return "; ".join(value)
    return value or ""


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None

"""What `manage.py pbxusers access` prints: who can log in, and why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pbxsite.administration.entry.export import everybody

KINDS = ("myapps", "mypbx")


def text(*, as_json: bool, closed: bool) -> str:
    users = [user for user in everybody() if not (closed and _can_all(user))]
    return json.dumps(users, indent=2) if as_json else "\n".join(_lines(users))


def _can_all(user: dict[str, Any]) -> bool:
    return all(user[kind] for kind in KINDS)


def _lines(users: list[dict[str, Any]]) -> Iterator[str]:
    width = max([len("name"), *(len(user["name"]) for user in users)])
    yield f"{'name':{width}}  myapps  mypbx  reasons"
    for user in users:
        words = ["yes" if user[kind] else "no" for kind in KINDS]
        line = f"{user['name']:{width}}  {words[0]:6}  {words[1]:5}"
        yield f"{line}  {'; '.join(user['reasons'])}".rstrip()

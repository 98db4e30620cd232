"""The values of the cache as JSON, and back as what they were.

JSON knows neither tuples, sets, moments nor bytes: each becomes an object with a single
member, whose name says what it was.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.utils.functional import Promise
from unfold.dataclasses import SearchResult

MARK = "$"


class Form(NamedTuple):
    """How a value of a kind is written; `parts` may hold any value of the cache."""

    name: str
    parts: Callable[[Any], Any]
    back: Callable[[Any], Any]


FORMS: dict[type, Form] = {
    tuple: Form("tuple", list, tuple),
    set: Form("set", list, set),
    frozenset: Form("frozenset", list, frozenset),
    dict: Form("pairs", lambda pairs: list(pairs.items()), dict),
    bytes: Form("bytes", lambda held: b64encode(held).decode(), b64decode),
    datetime: Form("datetime", datetime.isoformat, datetime.fromisoformat),
    date: Form("date", date.isoformat, date.fromisoformat),
    timedelta: Form(
        "timedelta",
        lambda span: [span.days, span.seconds, span.microseconds],
        lambda parts: timedelta(*parts),
    ),
    Decimal: Form("decimal", str, Decimal),
    UUID: Form("uuid", str, UUID),
    # The theme keeps what the search of the administration has found.
    SearchResult: Form(
        "search result",
        lambda found: [found.title, found.description, found.link, found.icon],
        lambda parts: SearchResult(*parts),
    ),
}
BACK = {f"{MARK}{form.name}": form.back for form in FORMS.values()}


def to_json(value: Any) -> str:
    return json.dumps(_plain(value), separators=(",", ":"))


def from_json(text: str) -> Any:
    """Return the value; KeyError, TypeError or ValueError if it is of no such form."""
    return json.loads(text, object_hook=_marked)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Promise):
        return str(value)
    if type(value) is list:
        return [_plain(each) for each in value]
    if type(value) is dict and not any(map(_needs_pairs, value)):
        return {key: _plain(each) for key, each in value.items()}
    form = FORMS.get(type(value))
    if form is None:
        name = type(value).__name__
        raise TypeError(f"The cache keeps no {name}; add it to {__name__}.FORMS.")
    return {f"{MARK}{form.name}": _plain(form.parts(value))}


def _needs_pairs(key: Any) -> bool:
    """JSON would make a text of the key, or it would look like one of ours."""
    return not isinstance(key, str) or key.startswith(MARK)


def _marked(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    ((name, parts),) = found.items()
    return BACK[name](parts) if name.startswith(MARK) else found

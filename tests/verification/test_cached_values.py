from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import lazystr
from unfold.dataclasses import SearchResult

from verification.redis_access import from_json, to_json

MOMENT = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)
VALUES: list[Any] = [
    None,
    True,
    1.5,
    "text “€”",
    [1, [2, "three"]],
    {"sub": "a", "scopes": ["openid"], "claims": None, "pkce": {"code": "x"}},
    (1, ("two", 3)),
    [("a", 1), ("b", 2)],
    {1, 2},
    frozenset({"a"}),
    {"at": MOMENT, "day": date(2026, 11, 29), "for": timedelta(-1, 2, 3)},
    b"\x00\xff",
    Decimal("1.10"),
    UUID("12345678123456781234567812345678"),
    {1: "one", (2, 3): "two"},
    {"$tuple": [1]},
    {},
    {"$": 1},
    [SearchResult("Users", "PBX users", "/admin/users/", None)],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_what_it_was(value: Any) -> None:
    written = to_json(value)

    json.loads(written)
    back = from_json(written)
    assert (back, type(back)) == (value, type(value))
    assert repr(back) == repr(value)


def test_a_translated_text_is_kept_as_its_words() -> None:
    assert from_json(to_json({"title": lazystr("Users")})) == {"title": "Users"}


def test_what_json_cannot_hold_is_refused_by_its_name() -> None:
    with pytest.raises(TypeError, match="keeps no Thing"):
        to_json([type("Thing", (), {})()])


@pytest.mark.parametrize("text", ["", "{", '{"$no such": 1}', '{"$tuple": 7}'])
def test_what_nobody_wrote_is_not_read(text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(text)

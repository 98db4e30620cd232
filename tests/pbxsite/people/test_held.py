"""docs/personal-data.md names every table and column, and the export knows them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db.models import Model

from authconfig.users.models import PbxUser
from pbxsite.people.held import HELD, Held, columns_of, every_table

PAGE = Path(__file__).parents[3] / "docs" / "personal-data.md"
WHAT = re.compile(r"^\| \*\*(.+?)\*\*", re.MULTILINE)
HELD_ROW = re.compile(r"^\| ([^|`*]+) \| `(\w+\.\w+)` \| (.+) \|$", re.MULTILINE)
OTHER_ROW = re.compile(r"^\| `(\w+\.\w+)` \| (.+) \|$", re.MULTILINE)
NAME = re.compile(r"`(\w+)`")
# allauth's, and empty: the foreign keys would take along what should be there.
NOTHING_IS_WRITTEN = {
    "account.EmailAddress",
    "socialaccount.SocialAccount",
    "allauth_idp_oidc.Client",  # its owner
}


def documented() -> dict[str, list[str]]:
    """Return the columns that the page names of each table."""
    words, found = PAGE.read_text(), dict[str, list[str]]()
    rows = [row[1:] for row in HELD_ROW.findall(words)] + OTHER_ROW.findall(words)
    for table, columns in rows:
        found.setdefault(table, []).extend(NAME.findall(columns))
    return found


def test_the_page_names_each_table_and_column_once() -> None:
    present = {table._meta.label: columns_of(table) for table in every_table()}
    told = documented()

    assert set(told) == set(present)
    for table, columns in present.items():
        assert sorted(told[table]) == sorted(columns), table


def test_the_page_says_why_and_how_long_of_each() -> None:
    words = PAGE.read_text()

    assert {what for what, _table, _columns in HELD_ROW.findall(words)} - {
        "what"
    } == set(WHAT.findall(words))


@pytest.mark.parametrize("held", HELD, ids=lambda held: held.model)
def test_each_column_is_shown_to_the_user_or_hidden(held: Held) -> None:
    assert sorted(held.shown + held.hidden) == sorted(columns_of(held.table))


def leads_to_a_user(table: type[Model]) -> bool:
    return any(field.related_model is PbxUser for field in table._meta.fields)


def test_each_table_that_leads_to_a_user_is_exported() -> None:
    leading = {t._meta.label for t in every_table() if leads_to_a_user(t)}

    assert leading - {held.model for held in HELD} == NOTHING_IS_WRITTEN


def test_every_table_with_people_is_in_the_list_that_is_erased() -> None:
    with_people = {
        table for _what, table, _columns in HELD_ROW.findall(PAGE.read_text())
    }

    assert with_people - {held.model for held in HELD} == {
        "sessions.Session",  # with the user's sessions
        # What quotes an address, or a filter.
        "sync.ScimRequest",
        "alarms.Alarm",
        "alarms.Call",
        # People change these.
        "authconfig.AuthenticationSettings",
        "mail_oauth2.KeptToken",
    }

"""Inserting many rows that are alike but for a few columns.

`bulk_create` works out every column of every row in Python, which takes most of the
time where thousands of users come at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TypeAlias

from django.db import connection
from django.db.models import AutoField, Field, Model

AT_ONCE = 1000
AnyField: TypeAlias = "Field[Any, Any]"
Row = tuple[str | int | None, ...]


def insert_alike(
    model: type[Model], columns: Sequence[str], rows: Iterable[Row], **alike: Any
) -> None:
    """Insert rows of which the columns differ, which are attribute names.

    Each other column has one value in all rows: that of `alike`, or its default.
    """
    fields = {f.attname: f for f in model._meta.concrete_fields}
    several = [fields.pop(name) for name in columns]
    same = {
        field: field.get_db_prep_save(alike.get(name, field.get_default()), connection)
        for name, field in fields.items()
        if name in alike or not _fills_itself(field)
    }
    write = _by_arrays if connection.vendor == "postgresql" else _row_by_row
    rest = iter(rows)
    while some := list(islice(rest, AT_ONCE)):
        write(model, same, several, some)


def _fills_itself(field: AnyField) -> bool:
    """The database numbers the rows, and fills in its own defaults."""
    return isinstance(field, AutoField) or field.has_db_default()


def _by_arrays(
    model: type[Model],
    same: dict[AnyField, Any],
    several: list[AnyField],
    rows: list[Row],
) -> None:
    """Send each column as an array: the statement stays short, however many rows."""
    one = "".join(f"%s::{_type(field)}, " for field in same)
    many = ", ".join(f"%s::{_type(field)}[]" for field in several)
    into = _insert_into(model, [*same, *several])
    arrays = [list(column) for column in zip(*rows, strict=True)]
    # All names are those of our own columns.
    sql = f"{into} SELECT {one}several.* FROM unnest({many}) AS several"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*same.values(), *arrays])


def _row_by_row(
    model: type[Model],
    same: dict[AnyField, Any],
    several: list[AnyField],
    rows: list[Row],
) -> None:
    marks = ", ".join(["%s"] * (len(same) + len(several)))
    into = _insert_into(model, [*same, *several])
    with connection.cursor() as cursor:
        values = [(*same.values(), *row) for row in rows]
        cursor.executemany(f"{into} VALUES ({marks})", values)


def _insert_into(model: type[Model], fields: Sequence[AnyField]) -> str:
    quoted = connection.ops.quote_name
    names = ", ".join(quoted(str(field.column)) for field in fields)
    return f"INSERT INTO {quoted(model._meta.db_table)} ({names})"


def _type(field: AnyField) -> str:
    """A cast to a column's own length would cut what is too long."""
    return str(field.db_type(connection)).partition("(")[0]

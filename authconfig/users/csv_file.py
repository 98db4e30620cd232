"""The users' CSV file: read strictly, and written so that no cell becomes a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from django.core.exceptions import ValidationError
from django.utils.formats import get_format
from django.utils.translation import gettext as _

from authconfig.users.csv_text import text_of
from authconfig.users.models import PbxUser

COLUMNS = ("name", "long_name", "email", "number", "active")
DELIMITERS = ",;\t"
# Spreadsheets run a cell that begins like this as a formula (CWE-1236); the last
# four are the wide forms of the first four.
FORMULA_STARTS = "[=+\\-@\\t\\r\\n'\uff1d\uff0b\uff0d\uff20]"
# Those of many countries begin a new cell after each semicolon, in any file.
CELL = r"(^|[;\t] *)"
BARE, ESCAPED = (re.compile(f"{CELL}{mark}(?={FORMULA_STARTS})") for mark in ("", "'"))
SHOWN_LENGTH = 40


@dataclass(frozen=True)
class UserRow:
    """A row's values by their columns, and the line of the file on which it begins."""

    line: int
    cells: dict[str, str]


def as_csv(users: Iterable[PbxUser], *, line_end: str = "\r\n") -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator=line_end)
    writer.writerow(COLUMNS)
    writer.writerows([escape(cell) for cell in _cells(user)] for user in users)
    return target.getvalue()


def template() -> str:
    """Return a file without users, as the spreadsheets of this language read it.

    Where the comma divides decimals, they divide a list by semicolons.
    """
    is_comma_taken = get_format("DECIMAL_SEPARATOR") == ","
    return (";" if is_comma_taken else ",").join(COLUMNS) + "\r\n"


def _cells(user: PbxUser) -> tuple[str, ...]:
    active = "1" if user.is_active else "0"
    return user.name, user.long_name, user.email, user.number, active


def escape(text: str) -> str:
    return BARE.sub(r"\1'", text)


def unescape(text: str) -> str:
    return ESCAPED.sub(r"\1", text)


def shown(value: str) -> str:
    line = " ".join(value.split())
    line = "".join(char for char in line if char.isprintable())
    return f"{line[:SHOWN_LENGTH]}…" if len(line) > SHOWN_LENGTH else line


def parse(content: bytes | str) -> list[UserRow]:
    """Return the rows, each with its line; raise a ValidationError with all faults."""
    text = content if isinstance(content, str) else text_of(content)
    records = _records(text)
    _line, header = next(records, (1, []))
    columns = [cell.strip().casefold() for cell in _without_empty_end(header)]
    _check_header(columns)
    rows, faults = [], []
    for line, cells in records:
        values = [unescape(cell.strip()) for cell in _without_empty_end(cells)]
        if len(values) > len(columns):
            faults.append(_wrong_width(line, len(values), len(columns)))
        elif values:
            # Spreadsheets leave empty cells out at the end of a row.
            row = zip_longest(columns, values, fillvalue="")
            rows.append(UserRow(line, dict(row)))
    if not faults and not rows:
        faults.append(_("The file has no users below its first line."))
    if faults:
        raise ValidationError(faults)
    return rows


def _without_empty_end(cells: list[str]) -> list[str]:
    """Leave out empty columns behind the last, and empty cells at a row's end."""
    width = max((at for at, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return cells[:width]


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line on which it begins: a cell may span lines."""
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    source = io.StringIO(text.removeprefix("\ufeff"), newline="")
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    begins = 1
    try:
        for cells in reader:
            yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValidationError(
            _(
                "Line %(line)d cannot be read as CSV (%(error)s). Put a value that"
                " holds a comma or a quote in quotes, and double the quote."
            ),
            params={"line": begins, "error": error},
        ) from error


def _check_header(columns: list[str]) -> None:
    faults = [
        _("Line 1: the column “%(column)s” is missing.") % {"column": column}
        for column in COLUMNS
        if column not in columns
    ]
    faults += [
        _("Line 1: remove the column “%(column)s”.") % {"column": shown(column)}
        for position, column in enumerate(columns)
        if column not in COLUMNS or column in columns[:position]
    ]
    if faults:
        remedy = _("The first line has to be: %(header)s") % {
            "header": ",".join(COLUMNS)
        }
        raise ValidationError([*faults, remedy])


def _wrong_width(line: int, found: int, expected: int) -> str:
    return _(
        "Line %(line)d has %(found)d values instead of %(expected)d. Put a value that"
        " holds a comma in quotes."
    ) % {"line": line, "found": found, "expected": expected}

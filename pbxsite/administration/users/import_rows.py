"""What one row of a file of users changes, and what can be wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from authconfig.users.changes import check_key_length, difference
from authconfig.users.csv_file import COLUMNS, UserRow, shown
from authconfig.users.models import PbxUser
from pbxsite.administration.kept_words import changes_in_words

FIELDS = ("name", "long_name", "email", "number", "is_active")
COLUMN_OF = dict(zip(FIELDS, COLUMNS, strict=True))
# The file says nothing of these.
OTHER_FIELDS = {field.name for field in PbxUser._meta.fields} - set(FIELDS)
YES = {"1", "true", "yes", "on", "ja", "wahr"}
NO = {"0", "false", "no", "off", "nein", "falsch"}
Errors = dict[str, list[ValidationError]]


@dataclass(frozen=True)
class RowFault:
    line: int
    column: str
    value: str
    text: str

    def __str__(self) -> str:
        if not self.line:
            return self.text
        if not self.value:
            return self._at_an_empty_cell()
        return _("Line %(line)d, %(column)s “%(value)s”: %(text)s") % vars(self)

    def _at_an_empty_cell(self) -> str:
        if not self.column:
            return _("Line %(line)d: %(text)s") % vars(self)
        return _("Line %(line)d, %(column)s: %(text)s") % vars(self)


@dataclass(frozen=True)
class UserChange:
    """A user as a row wants them; `before` is None for a new user."""

    line: int
    user: PbxUser
    before: PbxUser | None

    @property
    def difference(self) -> str:
        return difference(self.before, self.user)

    @property
    def preview(self) -> str:
        if self.before:
            return changes_in_words(self.difference)
        facts = [self.user.long_name, self.user.email, self.user.number]
        facts.append("" if self.user.is_active else _("inactive"))
        return _("is added: %(facts)s") % {"facts": ", ".join(filter(None, facts))}


def change_by(row: UserRow, before: PbxUser | None) -> tuple[UserChange, Errors]:
    """Return what the row makes of a user; its name says who is meant, no more."""
    user = copy.copy(before) if before else _new_user(row.cells["name"])
    errors = _fill(user, row.cells)
    # The form's own checks would cost four queries for each row.
    user.clean()
    try:
        user.clean_fields(exclude=OTHER_FIELDS)
    except ValidationError as error:
        error.update_error_dict(errors)
    try:
        check_key_length(user.name)
    except ValidationError as error:
        ValidationError({"name": error}).update_error_dict(errors)
    return UserChange(row.line, user, before), errors


def faults_in(row: UserRow, errors: Errors) -> Iterator[RowFault]:
    for name, texts in ValidationError(errors).message_dict.items():
        column = COLUMN_OF.get(name, "")
        value = shown(row.cells.get(column, ""))
        yield from (RowFault(row.line, column, value, text) for text in texts)


def _new_user(name: str) -> PbxUser:
    user = PbxUser(name=name)
    user.set_unusable_password()
    return user


def _fill(user: PbxUser, cells: dict[str, str]) -> Errors:
    for name in ("long_name", "email", "number"):
        setattr(user, name, cells[name])
    word = cells["active"].casefold()
    if word not in YES | NO | {""}:
        text = _("Enter 1 for active or 0 for inactive.")
        return {"is_active": [ValidationError(text)]}
    # An empty cell keeps what is; a new user is active.
    user.is_active = word in YES if word else user.is_active
    return {}

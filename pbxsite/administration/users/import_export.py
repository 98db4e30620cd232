"""Users from a file and to a file: one set of rules for the admin and the command."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource
from import_export.results import Error, Result, RowResult
from import_export.widgets import Widget
from tablib import Dataset

from authconfig import lockout
from authconfig.choices import Event, Origin
from authconfig.names import name_key
from authconfig.users import audit
from authconfig.users.changes import check_key_length, difference, end_sessions
from authconfig.users.csv_file import COLUMNS, LINE, escape, shown, unescape
from authconfig.users.models import PbxUser

logger = logging.getLogger(__name__)
FIELDS = ("name", "long_name", "email", "number", "is_active")
COLUMN_OF = dict(zip(FIELDS, COLUMNS, strict=True))
# What clean_fields need not look at, for the file says nothing of it.
OTHER_FIELDS = {field.name for field in PbxUser._meta.fields} - set(FIELDS)
YES = {"1", "true", "yes", "on", "ja", "wahr"}
NO = {"0", "false", "no", "off", "nein", "falsch"}


class NobodyLeftError(Exception):
    """The file takes away the last administrator's way in."""


@dataclass(frozen=True)
class Fault:
    line: int
    column: str
    value: str
    text: str

    def __str__(self) -> str:
        if not self.line:
            return self.text
        if not self.column:
            return _("Line %(line)d: %(text)s") % vars(self)
        return _("Line %(line)d, %(column)s “%(value)s”: %(text)s") % vars(self)


class UserRow(RowResult):
    """What comes of one row; rows that change nothing are not kept."""

    line = 0
    difference = ""

    @property
    def preview(self) -> str:
        if not self.is_new():
            return self.difference
        user: PbxUser = self.instance
        facts = [user.long_name, user.email, user.number]
        facts.append("" if user.is_active else _("inactive"))
        return _("is added: %(facts)s") % {"facts": ", ".join(filter(None, facts))}


class UserResult(Result):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []

    def append_invalid_row(
        self, number: int, row: dict[str, Any], validation_error: ValidationError
    ) -> None:
        super().append_invalid_row(number, row, validation_error)
        for field, texts in validation_error.message_dict.items():
            column = COLUMN_OF.get(field, "")
            value = shown(str(row.get(column, "")))
            self.faults += [Fault(row[LINE], column, value, text) for text in texts]

    def append_base_error(self, error: Error) -> None:
        super().append_base_error(error)
        self._append_unexpected(0, error)

    def append_error_row(
        self, number: int, row: dict[str, Any], errors: list[Any]
    ) -> None:
        super().append_error_row(number, row, errors)
        self._append_unexpected(row[LINE], errors[0])

    def _append_unexpected(self, line: int, error: Any) -> None:
        self.faults.append(Fault(line, "", "", _unexpected(error.error)))

    @property
    def summary(self) -> str:
        added = self.totals[RowResult.IMPORT_TYPE_NEW]
        counts = {
            "users": ngettext("%(n)d user added", "%(n)d users added", added)
            % {"n": added},
            "changed": self.totals[RowResult.IMPORT_TYPE_UPDATE],
            "unchanged": self.totals[RowResult.IMPORT_TYPE_SKIP],
        }
        return _("%(users)s, %(changed)d changed, %(unchanged)d unchanged") % counts


def _unexpected(error: Exception) -> str:
    if isinstance(error, NobodyLeftError):
        return lockout.last_one()
    if isinstance(error, IntegrityError):
        return _("The users were being changed by somebody else. Please try again.")
    logger.error("import of users failed", exc_info=error)
    return _("The site could not import this; its log says why.")


class Text(Widget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return unescape(str(value).strip())

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return escape(value)


class YesNo(Widget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> bool | None:
        """An empty cell, None, keeps what is; a new user is active."""
        word = str(value).strip().casefold()
        if word not in YES | NO | {""}:
            raise ValueError(_("Enter 1 for active or 0 for inactive."))
        return word in YES if word else None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "1" if value else "0"


class KnownUsers(BaseInstanceLoader):
    """Finds a row's user among those that were read at once before."""

    def get_instance(self, row: dict[str, Any]) -> PbxUser | None:
        known: dict[str, PbxUser] = self.resource.known
        return known.get(key_of(row))


def key_of(row: dict[str, Any]) -> str:
    return name_key(Text().clean(row["name"]))


class UserResource(ModelResource):
    name = Field("name", "name", Text())
    long_name = Field("long_name", "long_name", Text())
    email = Field("email", "email", Text())
    number = Field("number", "number", Text())
    active = Field("is_active", "active", YesNo(), saves_null_values=False)

    class Meta:
        model = PbxUser
        fields = import_order = export_order = COLUMNS
        import_id_fields = ("name",)
        instance_loader_class = KnownUsers
        use_bulk = True
        batch_size = 500
        skip_unchanged = True
        report_skipped = False
        skip_html_diff = True
        store_instance = True
        use_transactions = True

    def __init__(
        self, actor: PbxUser | None = None, origin: Origin = audit.NOWHERE, **_: Any
    ) -> None:
        """`actor` is None on the command line, whose owner may do anything."""
        super().__init__()
        self.actor = actor
        self.origin = origin
        self.known: dict[str, PbxUser] = {}
        self.had_administrator = self.leaves_nobody = False

    @classmethod
    def get_result_class(cls) -> type[UserResult]:
        return UserResult

    @classmethod
    def get_row_result_class(cls) -> type[UserRow]:
        return UserRow

    def bulk_update(
        self,
        using_transactions: bool,  # noqa: FBT001
        dry_run: bool,  # noqa: FBT001
        raise_errors: bool,  # noqa: FBT001
        batch_size: int | None = None,
        result: UserResult | None = None,
    ) -> None:
        """Django's bulk_update takes four times as long as an upsert."""
        try:
            PbxUser.objects.bulk_create(
                self.update_instances,
                update_conflicts=True,
                unique_fields=["pk"],
                update_fields=FIELDS[1:],
            )
        except IntegrityError as error:
            self.handle_import_error(result, error, raise_errors)
        finally:
            self.update_instances.clear()

    def before_import(self, dataset: Dataset, **kwargs: Any) -> None:
        self.had_administrator = bool(lockout.able_at_present())
        rows = dataset.dict
        self.lines: dict[str, int] = {}
        for row in rows:
            self.lines.setdefault(key_of(row), row[LINE])
        # Locked, so that no row is deleted before the upsert, which would revive it.
        locked = PbxUser.objects.select_for_update()
        self.known = locked.in_bulk(list(self.lines), field_name="name_key")
        self._find_owners(rows)

    def _find_owners(self, rows: list[dict[str, Any]]) -> None:
        """Note who will have which number, so that two users may swap theirs."""
        numbered = PbxUser.objects.exclude(number="")
        self.owners: dict[str, dict[str, str]] = {}
        for number, key, name in numbered.values_list("number", "name_key", "name"):
            if key not in self.known:
                self.owners[number] = {key: name}
        for row in rows:
            number = Text().clean(row["number"])
            name = Text().clean(row["name"])
            self.owners.setdefault(number, {})[name_key(name)] = name
        # Else the database would see two users with a number for a moment.
        moving = [
            user.pk for user in self.known.values() if self._others_with_number_of(user)
        ]
        PbxUser.objects.filter(pk__in=moving).update(number="")

    def _others_with_number_of(self, user: PbxUser) -> list[str]:
        owners = self.owners.get(user.number, {}) if user.number else {}
        key = name_key(user.name)
        return [name for owner, name in owners.items() if owner != key]

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        key = key_of(row)
        first = self.lines[key]
        if key and first != row[LINE]:
            text = _("Line %(line)d has this user already. Remove one of the two.")
            raise ValidationError({"name": text % {"line": first}})

    def after_init_instance(
        self,
        instance: PbxUser,
        new: bool,  # noqa: FBT001
        row: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        if new:
            instance.set_unusable_password()

    def import_field(
        self,
        field: Field,
        instance: PbxUser,
        row: dict[str, Any],
        is_m2m: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> None:
        """A row's name only says who is meant: it renames nobody."""
        if field.attribute != "name" or instance.pk is None:
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def validate_instance(
        self,
        instance: PbxUser,
        import_validation_errors: dict[str, Any] | None = None,
        validate_unique: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Check without a query: a row would cost four otherwise."""
        faults = dict(import_validation_errors or {})
        instance.clean()
        for check in (
            self._check_fields,
            self._check_key,
            self._check_number,
            self._check_actor,
        ):
            try:
                check(instance)
            except ValidationError as error:
                error.update_error_dict(faults)
        if faults:
            raise ValidationError(faults)

    def _check_fields(self, instance: PbxUser) -> None:
        instance.clean_fields(exclude=OTHER_FIELDS)

    def _check_number(self, instance: PbxUser) -> None:
        others = self._others_with_number_of(instance)
        if others:
            text = _("%(name)s has this number. Enter another one or none.")
            raise ValidationError({"number": text % {"name": shown(min(others))}})

    def _check_key(self, instance: PbxUser) -> None:
        try:
            check_key_length(instance.name)
        except ValidationError as error:
            raise ValidationError({"name": error}) from error

    def _check_actor(self, instance: PbxUser) -> None:
        if self.actor is None:
            return
        if instance.pk == self.actor.pk:
            if not instance.is_active:
                text = _("You cannot deactivate yourself. Ask another administrator.")
                raise ValidationError({"is_active": text})
        elif instance.is_staff and not self.actor.is_superuser:
            text = _("Only administrators with all rights change administrators.")
            raise ValidationError({"name": text})

    def after_import_row(
        self, row: dict[str, Any], row_result: UserRow, **kwargs: Any
    ) -> None:
        row_result.line = row[LINE]
        if not row_result.is_skip():
            row_result.difference = difference(row_result.original, row_result.instance)

    def after_import(self, dataset: Dataset, result: UserResult, **kwargs: Any) -> None:
        if result.faults:
            return
        self.leaves_nobody = self.had_administrator and not lockout.able_at_present()
        if self.leaves_nobody and self.actor:
            raise NobodyLeftError
        if kwargs.get("dry_run"):
            return
        rows = result.rows
        audit.record_many(
            Event.USER_CHANGED,
            [(row.instance, f"import: {row.difference}") for row in rows],
            actor=self.actor,
            origin=self.origin,
        )
        end_sessions(
            row.instance
            for row in rows
            if row.original and row.original.is_active and not row.instance.is_active
        )

"""Users from a file: one set of rules for the admin and the command line."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig import lockout
from authconfig.choices import Event, Origin
from authconfig.models import current_rules
from authconfig.names import name_key
from authconfig.sync.choices import CHANGED_THERE, Source
from authconfig.sync.models import SyncedUser
from authconfig.sync.present import fields_from, note_deactivated_here
from authconfig.users import audit
from authconfig.users.changes import end_sessions, follow_addresses
from authconfig.users.csv_file import UserRow, shown
from authconfig.users.models import PbxUser
from pbxsite.administration.entry.answers import Census
from pbxsite.administration.entry.words import Closed, all_closed
from pbxsite.administration.users.import_rows import (
    FIELDS,
    Errors,
    RowFault,
    UserChange,
    change_by,
    faults_in,
)

BATCH_SIZE = 500


class NobodyLeftError(Exception):
    """The file takes away the last administrator's way in."""


@dataclass
class UserImport:
    """`actor` is None on the command line, whose owner may do anything."""

    rows: list[UserRow]
    actor: PbxUser | None = None
    origin: Origin = audit.NOWHERE
    changes: list[UserChange] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    leaves_nobody: bool = False
    # Who of all users could not log in after it; a preview says so too.
    closed: list[Closed] = field(default_factory=list)

    def run(self, *, save: bool) -> None:
        """Change all users or none; a preview writes as well, and takes it back."""
        try:
            with transaction.atomic():
                self._plan()
                if not self.faults:
                    self._write(save=save)
                transaction.set_rollback(bool(self.faults) or not save)
        except NobodyLeftError:
            self._fail(lockout.last_one())
        except IntegrityError:
            self._fail(
                _("The users were being changed by somebody else. Please try again.")
            )

    @property
    def summary(self) -> str:
        added = ngettext("%(n)d user added", "%(n)d users added", self._added)
        words = _("%(users)s, %(changed)d changed, %(unchanged)d unchanged")
        return words % (self._counts | {"users": added % {"n": self._added}})

    @property
    def outlook(self) -> str:
        """Say what a preview found, of which nothing has happened."""
        added = ngettext("%(n)d user to add", "%(n)d users to add", self._added)
        words = _("%(users)s, %(changed)d to change, %(unchanged)d unchanged")
        return words % (self._counts | {"users": added % {"n": self._added}})

    @property
    def _added(self) -> int:
        return sum(change.before is None for change in self.changes)

    @property
    def _counts(self) -> dict[str, int]:
        return {
            "changed": len(self.changes) - self._added,
            "unchanged": len(self.rows) - len(self.changes),
        }

    def _fail(self, text: str) -> None:
        self.faults.append(RowFault(0, "", "", text))

    def _plan(self) -> None:
        """Note for each row what it changes, or what is wrong with it."""
        self.lines: dict[str, int] = {}
        for row in self.rows:
            self.lines.setdefault(name_key(row.cells["name"]), row.line)
        # Locked, so that no row is deleted before the upsert, which would revive it.
        locked = PbxUser.objects.select_for_update()
        # PostgreSQL answers no question with a NUL in it; the row is refused below.
        keys = [key for key in self.lines if "\0" not in key]
        self.known = locked.in_bulk(keys, field_name="name_key")
        self._find_owners()
        rules = current_rules()
        self.fields_of = {each: fields_from(each, rules) for each in Source}
        pks = [user.pk for user in self.known.values()]
        synced = SyncedUser.objects.filter(pk__in=pks)
        self.synced = dict(synced.values_list("pk", "source"))
        for row in self.rows:
            change, errors = self._checked(row)
            self.faults += faults_in(row, errors) if errors else ()
            if change and (change.before is None or change.difference):
                self.changes.append(change)

    def _find_owners(self) -> None:
        """Note who will have which number, so that two users may swap theirs."""
        numbered = PbxUser.objects.exclude(number="")
        self.owners: dict[str, dict[str, str]] = {}
        for number, key, name in numbered.values_list("number", "name_key", "name"):
            if key not in self.known:
                self.owners[number] = {key: name}
        for row in self.rows:
            name, number = row.cells["name"], row.cells["number"]
            self.owners.setdefault(number, {})[name_key(name)] = name

    def _checked(self, row: UserRow) -> tuple[UserChange | None, Errors]:
        key = name_key(row.cells["name"])
        first = self.lines[key]
        if key and first != row.line:
            text = _("Line %(line)d has this user already. Remove one of the two.")
            return None, {"name": [ValidationError(text % {"line": first})]}
        change, errors = change_by(row, self.known.get(key))
        for check in (self._check_number, self._check_actor, self._check_source):
            try:
                check(change.user)
            except ValidationError as error:
                error.update_error_dict(errors)
        return change, errors

    def _check_number(self, user: PbxUser) -> None:
        owners = self.owners.get(user.number, {}) if user.number else {}
        key = name_key(user.name)
        others = [(name, owner) for owner, name in owners.items() if owner != key]
        if not others:
            return
        name, owner = min(others)
        text = _("%(name)s has this number. Enter another one or none.")
        if owner in self.lines:
            text = _("%(name)s, line %(line)d, has it too. Enter another one or none.")
        values = {"name": shown(name), "line": self.lines.get(owner)}
        raise ValidationError({"number": text % values})

    def _check_source(self, user: PbxUser) -> None:
        """What a directory or a provider says of a user, it would write again."""
        before = self.known.get(name_key(user.name))
        if before is None or before.pk not in self.synced:
            return
        source = Source(self.synced[before.pk])
        changed = [
            name
            for name in sorted(self.fields_of[source] & set(FIELDS))
            if getattr(before, name) != getattr(user, name)
        ]
        if changed:
            raise ValidationError(dict.fromkeys(changed, CHANGED_THERE[source]))

    def _check_actor(self, user: PbxUser) -> None:
        if self.actor is None:
            return
        if user.pk == self.actor.pk:
            if not user.is_active:
                text = _("You cannot deactivate yourself. Ask another administrator.")
                raise ValidationError({"is_active": text})
        elif (user.is_staff or user.is_superuser) and not self.actor.is_superuser:
            text = _("Only administrators with all rights change administrators.")
            raise ValidationError({"name": text})

    def _write(self, *, save: bool) -> None:
        had_administrator = bool(lockout.able_at_present())
        _write_users(self.changes)
        self.leaves_nobody = had_administrator and not lockout.able_at_present()
        if self.leaves_nobody and self.actor:
            raise NobodyLeftError
        self.closed = all_closed(Census(current_rules()))
        if save:
            self._follow_up()

    def _follow_up(self) -> None:
        audit.record_many(
            Event.USER_CHANGED,
            [(each.user, f"import: {each.difference}") for each in self.changes],
            actor=self.actor,
            origin=self.origin,
        )
        follow_addresses(
            {each.user: each.before.email for each in self.changes if each.before}
        )
        ended = [
            each.user
            for each in self.changes
            if each.before and each.before.is_active and not each.user.is_active
        ]
        for user in ended:
            note_deactivated_here(user)
        end_sessions(ended)


def _write_users(changes: list[UserChange]) -> None:
    # Otherwise the database would see two users with a number for a moment.
    moving = [
        each.user.pk
        for each in changes
        if each.before and each.before.number not in ("", each.user.number)
    ]
    PbxUser.objects.filter(pk__in=moving).update(number="")
    PbxUser.objects.bulk_create(
        [each.user for each in changes if not each.before], batch_size=BATCH_SIZE
    )
    # An upsert: Django's bulk_update takes four times as long.
    PbxUser.objects.bulk_create(
        [each.user for each in changes if each.before],
        batch_size=BATCH_SIZE,
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=FIELDS[1:],
    )

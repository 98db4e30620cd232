"""Writing a plan: in batches, each of them a transaction that holds the run's lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from secrets import token_urlsafe
from typing import Self

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import IntegrityError, transaction
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from authconfig import lockout
from authconfig.choices import Event
from authconfig.inserting import insert_alike
from authconfig.sync import leases
from authconfig.sync.choices import Change, Reason, Source
from authconfig.sync.models import SyncedUser, SyncRun
from authconfig.sync.people import Refusal, Step
from authconfig.users import audit
from authconfig.users.changes import difference, end_sessions, follow_addresses
from authconfig.users.models import PbxUser

BATCH_SIZE = 500
# They make 40 letters.
RANDOM_BYTES = 30
WRITTEN = (
    *("name", "name_key", "long_name", "email", "number", "language"),
    *("is_active", "is_staff", "is_superuser"),
)
RIGHTS = ("is_staff", "is_superuser")


Pair = tuple[Step, PbxUser]


class LastAdministratorError(Exception):
    """The batch would leave no administrator who can log in."""


@dataclass
class Outcome:
    done: list[Step] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True)
class Writer:
    """Who writes; `hold` raises LeaseLostError once they must not write any more."""

    source: Source
    actor: PbxUser | None = None
    hold: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, run: SyncRun) -> Self:
        return cls(Source(run.source), run.actor, partial(leases.renew, run))


def apply(
    steps: list[Step], writer: Writer, note: Callable[[int], None] = lambda _n: None
) -> Outcome:
    """Write the steps; those that meet somebody else's change are refused.

    Raises LeaseLostError once the run is over; what was written until then stays, and
    the next run finds the rest.
    """
    outcome = Outcome()
    for batch in _batches(steps):
        _write_or_split(batch, writer, outcome)
        note(len(outcome.done) + len(outcome.refused))
    return outcome


def _batches(steps: list[Step]) -> Iterator[list[Step]]:
    """Yield first together all whose names or numbers pass from one to the other."""
    givers = {pk for step in steps for pk in step.takes_from}
    tied = [step for step in steps if step.takes_from or step.pk in givers]
    if tied:
        yield tied
    free = [step for step in steps if not (step.takes_from or step.pk in givers)]
    for at in range(0, len(free), BATCH_SIZE):
        yield free[at : at + BATCH_SIZE]


def _write_or_split(batch: list[Step], writer: Writer, outcome: Outcome) -> None:
    """What cannot be written together is written one by one: so each has its own."""
    try:
        done = Batch(batch, writer).write()
    except (IntegrityError, LastAdministratorError) as error:
        if len(batch) > 1:
            for step in batch:
                _write_or_split([step], writer, outcome)
            return
        is_last = isinstance(error, LastAdministratorError)
        reason = Reason.LAST_ADMINISTRATOR if is_last else Reason.AT_THE_SAME_TIME
        outcome.refused.append(_refusal(batch[0], reason))
    else:
        outcome.done += done
        written = {id(step) for step in done}
        missed = (step for step in batch if id(step) not in written)
        outcome.refused += [_refusal(s, Reason.AT_THE_SAME_TIME) for s in missed]


def _refusal(step: Step, reason: Reason) -> Refusal:
    return Refusal(step.identity, step.name, reason, pk=step.pk)


@dataclass
class Batch:
    steps: list[Step]
    writer: Writer

    @transaction.atomic
    def write(self) -> list[Step]:
        """Return the steps that were written: the others found another user."""
        self.writer.hold()
        users = self._locked()
        steps = [step for step in self.steps if self._still_holds(step, users)]
        with_administrators = any(user.is_staff for user in users.values())
        had_one = with_administrators and bool(lockout.able_at_present())
        self._make_room(steps)
        self._write_users(steps, users)
        if had_one and not lockout.able_at_present():
            raise LastAdministratorError
        return steps

    def _locked(self) -> dict[int, PbxUser]:
        pks = [step.pk for step in self.steps if step.pk]
        if not pks:
            return {}
        rows = PbxUser.objects.select_for_update(of=("self",)).order_by("pk")
        return rows.select_related("synced").in_bulk(pks)

    def _still_holds(self, step: Step, users: dict[int, PbxUser]) -> bool:
        if step.pk is None:
            return True
        user = users.get(step.pk)
        if user is None:
            return False
        synced = getattr(user, "synced", None)
        # Of a link the database says that somebody else has made one.
        is_same = step.is_linked or (synced and synced.identity == step.identity)
        return bool(is_same) and all(
            getattr(user, name) == value for name, value in step.before.items()
        )

    def _make_room(self, steps: Iterable[Step]) -> None:
        """Otherwise the database would see two with a name or number for a moment."""
        if not any(step.takes_from for step in steps):
            return
        moving = [s.pk for s in steps if s.pk and s.before.get("number")]
        PbxUser.objects.filter(pk__in=moving).update(number="")
        renamed = [s.pk for s in steps if s.pk and "name" in s.before]
        own = Concat(Value("~"), Cast(F("pk"), CharField()))
        PbxUser.objects.filter(pk__in=renamed).update(name=own, name_key=own)

    def _write_users(self, steps: list[Step], users: dict[int, PbxUser]) -> None:
        new: list[Pair] = []
        changed: list[Pair] = []
        told: list[tuple[PbxUser, str]] = []
        ended: list[PbxUser] = []
        for step in steps:
            before = users.get(step.pk or 0)
            user = _changed(before, step) if before else _new(step)
            (changed if before else new).append((step, user))
            told.append((user, self._told(step, before, user)))
            if step.change is Change.DEACTIVATED:
                ended.append(user)
        PbxUser.objects.bulk_create([user for _step, user in new])
        _upsert([user for _step, user in changed])
        self._write_identities(new, changed)
        audit.record_many(Event.USER_CHANGED, told, actor=self.writer.actor)
        follow_addresses({user: users[user.pk].email for _step, user in changed})
        if ended:
            end_sessions(ended)

    def _told(self, step: Step, before: PbxUser | None, after: PbxUser) -> str:
        linked = "linked with its entry" if step.is_linked else ""
        changes = difference(before, after)
        said = ", ".join(filter(None, [linked, changes]))
        return f"{self.writer.source}: {said}"

    def _write_identities(self, new: list[Pair], changed: list[Pair]) -> None:
        linked = [(step, user) for step, user in changed if step.is_linked]
        insert_alike(
            SyncedUser,
            ("user_id", "identity", "has_rights_of_group"),
            (
                (user.pk, step.identity, bool(step.rights))
                for step, user in (*new, *linked)
            ),
            source=self.writer.source,
        )
        _update(changed, removed_at=timezone.now(), of=_is_removal)
        _update(changed, removed_at=None, of=lambda step: step.clears_mark)
        _update(changed, has_rights_of_group=True, of=lambda s: s.rights is True)
        _update(changed, has_rights_of_group=False, of=lambda s: s.rights is False)


def _is_removal(step: Step) -> bool:
    return step.change is Change.DEACTIVATED


def _update(
    changed: Iterable[Pair],
    *,
    of: Callable[[Step], bool],
    **values: object,
) -> None:
    pks = [user.pk for step, user in changed if of(step)]
    if pks:
        SyncedUser.objects.filter(pk__in=pks).update(**values)


def _upsert(users: list[PbxUser]) -> None:
    """Django's bulk_update takes four times as long; the rows are locked."""
    PbxUser.objects.bulk_create(
        users, update_conflicts=True, unique_fields=["pk"], update_fields=WRITTEN
    )


def _new(step: Step) -> PbxUser:
    rights = bool(step.rights)
    # As make_password(None) has it, which draws each letter by itself.
    unusable = f"{UNUSABLE_PASSWORD_PREFIX}{token_urlsafe(RANDOM_BYTES)}"
    user = PbxUser(password=unusable, **step.facts)
    user.is_staff = user.is_superuser = rights
    return user


def _changed(before: PbxUser, step: Step) -> PbxUser:
    """Return a copy with the step's values."""
    values = {
        f.attname: getattr(before, f.attname) for f in PbxUser._meta.concrete_fields
    }
    user = PbxUser(**(values | step.facts))
    if step.change in (Change.DEACTIVATED, Change.REACTIVATED):
        user.is_active = step.change is Change.REACTIVATED
    if step.rights is not None:
        user.is_staff = user.is_superuser = step.rights
    return user

"""What is here, as far as a run has to know."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Count, Q
from django.utils import timezone

from authconfig import lockout
from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import FILLABLE, wishes_of
from authconfig.sync.choices import Source
from authconfig.sync.models import SyncedUser
from authconfig.sync.people import Known, Mark, Person, Present
from authconfig.users.models import PbxUser

# A database takes only so many values in one question.
MOST_ASKED = 300
COLUMNS = ("pk", "name", "long_name", "email", "number", "language", "synced__identity")


def is_synced(user: PbxUser) -> bool:
    return SyncedUser.objects.filter(user=user).exists()


def note_deactivated_here(user: PbxUser) -> None:
    """Let no run activate whom an administrator has deactivated."""
    SyncedUser.objects.filter(user=user).update(removed_at=None)


def leave_directory(user: PbxUser) -> bool:
    """Let the user be a local one again; False if it was one."""
    return SyncedUser.objects.filter(user=user).delete()[0] > 0


def source_of(user: PbxUser) -> Source | None:
    """Return where the user's facts come from; None for a local one."""
    found = SyncedUser.objects.filter(user=user).values_list("source", flat=True)
    return Source(found[0]) if found else None


def fields_from(source: Source, rules: AuthenticationSettings) -> frozenset[str]:
    """Return the fields of users from there that nobody changes here."""
    texts = {
        Source.DIRECTORY: rules.directory_sync_attributes,
        Source.SCIM: rules.scim_attributes,
    }
    return frozenset(wish.field for wish in wishes_of(texts[source]))


def marks(
    source: Source = Source.DIRECTORY, identities: Collection[str] | None = None
) -> dict[str, Mark]:
    """Return every user of the source, or those of these entries, by the identity."""
    synced = SyncedUser.objects.filter(source=source)
    if identities is not None:
        synced = synced.filter(identity__in=identities)
    rows = synced.values_list(
        "identity",
        "user_id",
        "user__name",
        "user__is_active",
        "removed_at",
        "user__is_staff",
        "user__is_superuser",
        "has_rights_of_group",
    )
    return {
        identity: Mark(pk, name, active, removed is not None, staff and every, given)
        for identity, pk, name, active, removed, staff, every, given in rows.iterator()
    }


def settled(found: dict[str, Mark], source: Source = Source.DIRECTORY) -> set[str]:
    """Return the identities of users who change only if their entries do."""
    due = SyncedUser.objects.filter(source=source, look_again_at__lte=timezone.now())
    again = set(due.values_list("identity", flat=True))
    return {
        identity
        for identity, mark in found.items()
        if not mark.is_removed and identity not in again
    }


def present_for(
    people: Collection[Person],
    found: dict[str, Mark],
    source: Source = Source.DIRECTORY,
) -> Present:
    able = frozenset(user.pk for user in lockout.able_at_present())
    return Present(found, _users(people), able, _had(source))


def _had(source: Source) -> dict[str, int]:
    """Count the active users of the source who have a value in each field."""
    active = PbxUser.objects.filter(synced__source=source, is_active=True)
    counts = {name: Count("pk", filter=~Q(**{name: ""})) for name in FILLABLE}
    return active.aggregate(**counts)


def present_beside(people: Collection[Person], source: Source) -> Present:
    """Return what is here of a few people alone, and of whoever is in their way."""
    users = _users(people)
    known = {user.identity for user in users} | {p.identity for p in people}
    found = marks(source, known - {""})
    has_administrator = any(mark.is_administrator for mark in found.values())
    able = lockout.able_at_present() if has_administrator else ()
    return Present(found, users, frozenset(user.pk for user in able))


def _users(people: Collection[Person]) -> list[Known]:
    """Return whom the people are, and whoever has a name or number that they claim."""
    users = PbxUser.objects.all()
    if len(people) <= MOST_ASKED:
        # What cannot be used is refused, and PostgreSQL asked for no NUL.
        usable = [person for person in people if not person.fault]
        users = users.filter(
            Q(synced__identity__in=[person.identity for person in people])
            | Q(name_key__in=[person.key for person in usable])
            | Q(number__in=[p.number for p in usable if p.number])
        )
    rows = users.values_list(*COLUMNS)
    names = COLUMNS[1:-1]
    return [
        Known(pk, dict(zip(names, facts, strict=True)), identity or "")
        for pk, *facts, identity in rows.iterator()
    ]

"""What the provider says of its users: kept, and carried out once that is allowed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from authconfig.sync.models import ScimUser
from authconfig.sync.scim import carrying

LONGEST_NAME = ScimUser._meta.get_field("user_name").max_length or 0
LONGEST_ID = ScimUser._meta.get_field("external_id").max_length or 0
# In the resource of a user of whom the provider does not say it any more.
UNSAID = {"active": None}


class TakenError(Exception):
    """Another user of the provider's has this `userName` or `externalId`."""


class OutdatedError(Exception):
    """The user has changed since the provider read it."""


class GoneError(Exception):
    """There is no such user, or the provider has deleted it."""


@dataclass(frozen=True)
class Told:
    """`is_active` is None where the provider says nothing of it, or takes it back."""

    user_name: str
    external_id: str = ""
    is_active: bool | None = True
    resource: dict[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the row's values; where nothing is said, the last word stays.

        Otherwise whoever removes `active` of somebody who left would let them in.
        """
        facts = {
            "user_name": self.user_name,
            "user_key": self.user_name.casefold(),
            "external_id": self.external_id,
            "resource": self.resource,
            "changed_at": timezone.now(),
        }
        if self.is_active is None:
            return facts | {"resource": self.resource | UNSAID}
        return facts | {"is_active": self.is_active}


def everybody() -> QuerySet[ScimUser]:
    return ScimUser.objects.filter(deleted_at=None)


def find(public_id: str) -> ScimUser:
    row = everybody().filter(public_id=_uuid(public_id)).first()
    if row is None:
        raise GoneError
    return row


@transaction.atomic
def add(told: Told) -> ScimUser:
    """Keep a new user, or take one back whom the provider had deleted.

    A new one of whom nothing else is said is one who may log in.
    """
    carrying.hold()
    deleted = ScimUser.objects.exclude(deleted_at=None)
    back = deleted.filter(external_id=told.external_id).exclude(external_id="")
    row = back.select_for_update().first() or ScimUser()
    row.deleted_at = None
    return _write(row, replace(told, is_active=told.is_active is not False))


@transaction.atomic
def change(public_id: str, told: Told, *, version: int | None = None) -> ScimUser:
    return _write(_locked(public_id, version), told)


@transaction.atomic
def delete(public_id: str, *, version: int | None = None) -> None:
    """Deactivate the user: whoever was deleted here would lose sessions and factors."""
    row = _locked(public_id, version)
    row.deleted_at = row.changed_at = timezone.now()
    row.save(update_fields=["deleted_at", "changed_at"])
    carrying.carry_out_if_confirmed([row])


def _locked(public_id: str, version: int | None) -> ScimUser:
    carrying.hold()
    row = find(public_id)
    if version is not None and row.version != version:
        raise OutdatedError
    return row


def _write(row: ScimUser, told: Told) -> ScimUser:
    is_new = row._state.adding
    for name, value in told.facts().items():
        setattr(row, name, value)
    row.version = 1 if is_new else row.version + 1
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise TakenError from error
    carrying.carry_out_if_confirmed([row])
    return row


def _uuid(public_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(public_id)
    except ValueError as error:
        raise GoneError from error

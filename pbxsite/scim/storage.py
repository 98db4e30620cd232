"""The library's storage on our rows: SCIM users become rows, and rows SCIM users."""

from __future__ import annotations

from typing import Any, NoReturn

from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    SearchRequest,
    UniquenessException,
)
from scim2_server.storage import ScimStorage, SearchPage

from authconfig.sync.models import ScimUser
from authconfig.sync.scim import told
from authconfig.sync.scim.told import Told
from pbxsite.scim import filters
from pbxsite.scim.resources import User, user_of

LAST = 2**31
OUTSIDE = {"schemas", "id", "externalId", "meta", "userName", "active"}


class Storage(ScimStorage):
    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: Any = None,
    ) -> Resource[Any]:
        return user_of(_found(resource_id))

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        # No database counts further.
        start = min(search_request.start_index_0 or 0, LAST)
        count = search_request.count
        stop = None if count is None else start + count
        rows = filters.matching(told.everybody().order_by("pk"), search_request.filter)
        return SearchPage(len_of(rows), [user_of(row) for row in rows[start:stop]])

    def create(
        self, resource_type: ResourceType, resource: Resource[Any]
    ) -> Resource[Any]:
        try:
            return user_of(told.add(told_by(resource)))
        except told.TakenError:
            _refuse_taken()

    def update(
        self,
        resource_type: ResourceType,
        resource: Resource[Any],
        *,
        expected_version: str | None = None,
    ) -> Resource[Any]:
        try:
            said, version = told_by(resource), _number(expected_version)
            return user_of(told.change(str(resource.id), said, version=version))
        except told.GoneError:
            raise _gone(str(resource.id)) from None
        except told.OutdatedError:
            raise PreconditionFailedException from None
        except told.TakenError:
            _refuse_taken()

    def delete(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        expected_version: str | None = None,
    ) -> None:
        try:
            told.delete(resource_id, version=_number(expected_version))
        except told.GoneError:
            raise _gone(resource_id) from None
        except told.OutdatedError:
            raise PreconditionFailedException from None


def told_by(resource: Resource[Any]) -> Told:
    assert isinstance(resource, User)
    dumped = resource.model_dump()
    kept = {name: value for name, value in dumped.items() if name not in OUTSIDE}
    said = Told(
        user_name=(resource.user_name or "").strip(),
        external_id=resource.external_id or "",
        is_active=resource.active,
        resource=kept,
    )
    _check(said)
    return said


def _check(said: Told) -> None:
    """Refuse what no row can hold; what no PBX user can have is kept, and refused."""
    if not said.user_name or len(said.user_name) > told.LONGEST_NAME:
        raise InvalidValueException(
            detail=f"userName has to have 1 to {told.LONGEST_NAME} characters"
        )
    if len(said.external_id) > told.LONGEST_ID:
        raise InvalidValueException(
            detail=f"externalId may have {told.LONGEST_ID} characters"
        )
    if _has_nul((said.user_name, said.external_id, said.resource)):
        raise InvalidValueException(detail="No value may hold the character U+0000")


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def len_of(rows: Any) -> int:
    return len(rows) if isinstance(rows, list) else rows.count()


def _found(resource_id: str) -> ScimUser:
    try:
        return told.find(resource_id)
    except told.GoneError:
        raise _gone(resource_id) from None


def _gone(resource_id: str) -> NotFoundException:
    return NotFoundException(detail=f"There is no user {resource_id[:60]!r}")


def _refuse_taken() -> NoReturn:
    raise UniquenessException(
        detail="Another user here has this userName or externalId"
    ) from None


def _number(version: str | None) -> int | None:
    digits = (version or "").removeprefix("W/").strip('"')
    return int(digits) if digits.isdecimal() else None

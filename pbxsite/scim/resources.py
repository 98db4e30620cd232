"""The users that SCIM tells of: which attributes they have, and what is forgiven."""

from __future__ import annotations

from typing import Annotated, ClassVar

from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    Meta,
    Patch,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from authconfig.sync.models import ScimUser

TYPE = "User"
MOST_RESULTS = 500


class Name(ComplexAttribute):
    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class Several(ComplexAttribute):
    """One of several addresses or numbers."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class User(Resource):  # type: ignore[type-arg]  # it has no extensions
    """What this site makes use of; everything else is accepted, and forgotten."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    external_id: Annotated[str | None, CaseExact.true] = None
    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    nick_name: str | None = None
    preferred_language: str | None = None
    locale: str | None = None
    timezone: str | None = None
    active: bool | None = None
    emails: list[Several] | None = None
    phone_numbers: list[Several] | None = None

    Name: ClassVar[type[ComplexAttribute]] = Name


CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer key",
            description="The key of manage.py scimkey make",
        )
    ],
)
# What Entra ID and Okta send beside what is used here.
POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
PROVIDER = ScimProvider(
    models=[User],
    resource_types=[ResourceType.from_resource(User)],
    config=CONFIG,
    policy=POLICY,
)


def user_of(row: ScimUser) -> User:
    return User.model_validate(
        row.resource
        | {
            "id": str(row.public_id),
            "externalId": row.external_id or None,
            "userName": row.user_name,
            "active": row.resource.get("active", row.is_active),
            "meta": Meta(
                resource_type=TYPE,
                created=row.made_at,
                last_modified=row.changed_at,
                version=f'W/"{row.version}"',
            ),
        }
    )

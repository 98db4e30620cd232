"""What of a SCIM user becomes what of a PBX user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from authconfig.models import AuthenticationSettings
from authconfig.names import pbx_name
from authconfig.settings_fields.attributes import Values, wishes_of
from authconfig.sync.facts import fault_in, tidy
from authconfig.sync.models import ScimUser
from authconfig.sync.people import Person

Resource = Mapping[str, Any]
SINGLE = ("displayName", "nickName", "preferredLanguage", "locale", "timezone")
PARTS_OF_NAME = ("formatted", "givenName", "familyName")
SEVERAL = ("emails", "phoneNumbers")


def person_of(row: ScimUser, rules: AuthenticationSettings) -> Person:
    """Return the person whom the provider describes, by the rules' wishes.

    The name loses the domain that a login by OAuth2 takes off, so both are one.
    """
    attributes = attributes_of(row)
    facts = {
        wish.field: wish.value_in(attributes)
        for wish in wishes_of(rules.scim_attributes)
    }
    domains = (rules.oauth2_domain, rules.pbx_domain)
    facts["name"] = pbx_name(facts["name"], domains=domains)
    tidy(facts)
    fault = fault_in(facts) if row.is_wanted else ""
    return Person(row.identity, facts, row.is_wanted, fault)


def attributes_of(row: ScimUser) -> dict[str, Values]:
    """Return the values by names in lower case; "emails.work" are those of a type."""
    told: Resource = row.resource
    found = {
        "username": [row.user_name],
        "externalid": [row.external_id],
        **{name.lower(): _texts([told.get(name)]) for name in SINGLE},
    }
    name = told.get("name") or {}
    found |= {
        f"name.{part.lower()}": _texts([name.get(part)]) for part in PARTS_OF_NAME
    }
    for several in SEVERAL:
        found |= _of_types(several.lower(), told.get(several) or [])
    return found


def _of_types(name: str, entries: Iterable[Resource]) -> dict[str, Values]:
    # False sorts before True: the primary one first, then the one of the work.
    ordered = sorted(
        entries, key=lambda e: (not e.get("primary"), e.get("type") != "work")
    )
    found = {name: _texts(e.get("value") for e in ordered)}
    for type_ in {str(e["type"]).lower() for e in ordered if e.get("type")}:
        own = [e for e in ordered if str(e.get("type")).lower() == type_]
        found[f"{name}.{type_}"] = _texts(e.get("value") for e in own)
    return found


def _texts(values: Iterable[Any]) -> Values:
    return [value for value in values if isinstance(value, str)]

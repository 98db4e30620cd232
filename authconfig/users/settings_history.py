"""The history of the settings: who changed which field last, and what it was."""

from __future__ import annotations

from django.db.models import Window
from django.db.models.functions import RowNumber

from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, SECRETS
from authconfig.users.models import PbxUser, SettingChange

# No key of a row is longer.
MOST_DIGITS = 18
# The page of the settings offers so many of a field to be restored.
MOST_OF_A_FIELD = 10


def note(
    before: AuthenticationSettings,
    after: AuthenticationSettings,
    *,
    actor: PbxUser | None,
) -> None:
    """Keep what differs between two states of the settings."""
    name = actor.name if actor else ""
    SettingChange.objects.bulk_create(
        SettingChange(
            field=field,
            before=text_of(before, field),
            after=text_of(after, field),
            is_secret=field in SECRETS,
            actor_name=name,
        )
        for field in FIELDS
        if getattr(before, field) != getattr(after, field)
    )


def recent() -> dict[str, list[SettingChange]]:
    """Return the last changes of each field that was ever changed, newest first."""
    place = Window(RowNumber(), partition_by="field", order_by="-pk")
    changes = SettingChange.objects.alias(place=place).filter(
        place__lte=MOST_OF_A_FIELD
    )
    found: dict[str, list[SettingChange]] = {}
    for change in changes.order_by("-pk"):
        found.setdefault(change.field, []).append(change)
    return found


def find(key: str) -> SettingChange | None:
    """Return the change that an address names, if it names one."""
    is_key = key.isdecimal() and len(key) <= MOST_DIGITS
    return SettingChange.objects.filter(pk=int(key)).first() if is_key else None


def text_of(rules: AuthenticationSettings, field: str) -> str:
    value = getattr(rules, field)
    return "" if field in SECRETS or value is None else str(value)

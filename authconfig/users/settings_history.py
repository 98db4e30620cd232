"""The history of the settings: who changed which field last, and what it was."""

from __future__ import annotations

from django.db.models import Max

from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, SECRETS
from authconfig.users.models import PbxUser, SettingChange

# No key of a row is longer.
MOST_DIGITS = 18


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


def latest() -> dict[str, SettingChange]:
    """Return the last change of each field that was ever changed."""
    newest = SettingChange.objects.values("field").annotate(newest=Max("pk"))
    changes = SettingChange.objects.filter(pk__in=newest.values("newest"))
    return {change.field: change for change in changes}


def find(key: str) -> SettingChange | None:
    """Return the change that an address names, if it names one."""
    is_key = key.isdecimal() and len(key) <= MOST_DIGITS
    return SettingChange.objects.filter(pk=int(key)).first() if is_key else None


def text_of(rules: AuthenticationSettings, field: str) -> str:
    value = getattr(rules, field)
    return "" if field in SECRETS or value is None else str(value)

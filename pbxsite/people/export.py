"""All that the site keeps of a user, as one JSON file for them to have."""

from __future__ import annotations

import json
from typing import Any

from allauth.idp.oidc.models import Client
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, Model
from django.utils import timezone

from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.people.held import HELD, Held

# A key says nothing to the user, a name does.
TOLD_BY_NAME = (Group, Permission, Client)
# Of an event that another person has part in, what is the other one's.
OF_THE_ACTOR = ("address", "user_agent")
OF_THE_OTHER = ("user_name", "detail")
# Rows are read by so many: a user's events of years are many.
AT_ONCE = 1000


def data_of(user: PbxUser) -> dict[str, Any]:
    """Return the user's rows by table, without what opens something."""
    tables = {held.model: _rows(held, user) for held in HELD if held.shown}
    return {
        "site": settings.SITE_URL,
        "user": user.name,
        "exported_at": timezone.now(),
        "tables": {model: rows for model, rows in tables.items() if rows},
    }


def as_json(user: PbxUser) -> str:
    return json.dumps(
        data_of(user), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False
    )


def _rows(held: Held, user: PbxUser) -> list[dict[str, Any]]:
    fields = [held.table._meta.get_field(name) for name in held.shown]
    named = [f.name for f in fields if f.related_model in TOLD_BY_NAME]
    rows = held.rows(user).select_related(*named) if named else held.rows(user)
    return [_row(row, fields, user) for row in rows.iterator(AT_ONCE)]


def _row(row: Model, fields: list[Any], user: PbxUser) -> dict[str, Any]:
    told = {field.name: _value(row, field) for field in fields}
    if isinstance(row, AuditEvent):
        for name in _of_others(row, user):
            del told[name]
    return told


def _of_others(event: AuditEvent, user: PbxUser) -> tuple[str, ...]:
    if event.user_id != user.pk:
        return OF_THE_OTHER
    return OF_THE_ACTOR if event.actor_id not in (None, user.pk) else ()


def _value(row: Model, field: Field[Any, Any]) -> Any:
    if field.related_model in TOLD_BY_NAME:
        return str(getattr(row, field.name))
    return getattr(row, field.attname)

"""The settings form with what it asks of the site, saved with what is kept of it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from authconfig import lockout
from authconfig.choices import Event, Origin
from authconfig.models import AuthenticationSettings
from authconfig.settings_form import OutsideFacts, SettingsForm
from authconfig.users import audit, settings_history
from authconfig.users.models import PbxUser
from verification.mail.account import account_of
from verification.mail.account_trial import was_accepted

MOST_CHARACTERS = 200


def account_was_accepted(rules: AuthenticationSettings) -> bool:
    return was_accepted(account_of(rules))


def outside_facts(administrator: PbxUser | None) -> OutsideFacts:
    """Return what the form asks of the rest of the site, for this administrator."""
    return OutsideFacts(
        account_was_accepted=account_was_accepted,
        lockout=lambda rules, new_rules: lockout.lockout_by(
            rules, new_rules, administrator
        ),
    )


def save(
    form: SettingsForm, *, actor: PbxUser | None, origin: Origin = audit.NOWHERE
) -> list[str]:
    """Save a valid form, its audit events and history; return the changed keys."""
    changes = list(form.changes())
    with transaction.atomic():
        form.save()
        settings_history.note(form.rules, form.instance, actor=actor)
        for key, old, new in changes:
            audit.record(
                Event.SETTING_CHANGED,
                user=None,
                actor=actor,
                origin=origin,
                detail=f"{key}: {_shortened(old)} → {_shortened(new)}",
            )
    return [key for key, _old, _new in changes]


def _shortened(value: Any) -> str:
    text = " ".join(str(value).split())
    is_long = len(text) > MOST_CHARACTERS
    return f"“{text[:MOST_CHARACTERS]}…”" if is_long else f"“{text}”"

"""What two administrators, or two tabs, saved at the same time, put together.

The page says by digests what stood in it when it was opened. So a field that was left
as it was follows what others saved, and one that both changed is a conflict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils.crypto import salted_hmac

from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, SECRETS
from authconfig.settings_form import NOTHING_OUTSIDE, SettingsForm
from authconfig.users.settings_history import text_of

OPENED = "opened"
THEIRS, MINE = "theirs", "mine"


@dataclass
class Merged:
    """The form's data, and which fields others have changed since it was opened."""

    data: QueryDict | None = None
    # Others' values that now stand in fields which were left as they were.
    theirs: list[str] = field(default_factory=list)
    # What was entered here is what is stored by now, as after a double click.
    same: list[str] = field(default_factory=list)
    # Changed here and there; with the digest of what stood in it before.
    conflicts: dict[str, str] = field(default_factory=dict)


def opened(rules: AuthenticationSettings, conflicts: Mapping[str, str]) -> str:
    """Return what the page notes of the values that it shows.

    A conflict lasts until somebody chooses. A secret is entered anew, which decides it.
    """
    lasting = {name: conflicts[name] for name in conflicts if name not in SECRETS}
    return json.dumps({name: digest(rules, name) for name in FIELDS} | lasting)


def digest(rules: AuthenticationSettings, name: str) -> str:
    value = f"{name}={getattr(rules, name)}"
    return salted_hmac("settings.opened", value, algorithm="sha256").hexdigest()[:16]


def choice_name(name: str) -> str:
    return f"choose-{name}"


def merge(posted: QueryDict, rules: AuthenticationSettings) -> Merged:
    before = _noted(posted.get(OPENED, ""))
    changed = [n for n in FIELDS if before.get(n, digest(rules, n)) != digest(rules, n)]
    merged = Merged(posted.copy())
    if changed:
        entered = SettingsForm(posted, instance=copy(rules), outside=NOTHING_OUTSIDE)
        entered.is_valid()
        for name in changed:
            _settle(merged, rules, entered, name, before[name])
    return merged


def _noted(text: str) -> dict[str, str]:
    """Read what the page noted; of a request without it nothing is known."""
    try:
        noted = json.loads(text)
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _settle(
    merged: Merged,
    rules: AuthenticationSettings,
    entered: SettingsForm,
    name: str,
    before: str,
) -> None:
    data = merged.data
    assert data is not None
    now, mine = digest(rules, name), _digest_of_entry(entered, name, before)
    chosen = data.get(choice_name(name))
    if mine == before or chosen == f"{THEIRS}:{now}":
        merged.theirs.append(name)
        _enter(data, name, rules)
    elif mine == now:
        merged.same.append(name)
    elif chosen != f"{MINE}:{now}":
        merged.conflicts[name] = before


def _digest_of_entry(entered: SettingsForm, name: str, before: str) -> str:
    """Take an entry as it would be saved; an empty box leaves a secret as it was."""
    if name not in SECRETS:
        return digest(entered.new_rules(), name)
    widget = entered.fields[name].widget
    value = widget.value_from_datadict(entered.data, {}, name)
    if value == "":
        return before
    return digest(AuthenticationSettings(**{name: value or ""}), name)


def _enter(data: QueryDict, name: str, rules: AuthenticationSettings) -> None:
    """Write a stored value into the form's data, as a browser would post it."""
    if name in SECRETS:
        return
    data.pop(name, None)
    value = getattr(rules, name)
    if value is not False:
        data[name] = "on" if value is True else text_of(rules, name)

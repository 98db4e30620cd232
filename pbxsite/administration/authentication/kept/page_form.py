"""The settings form as the page shows it: with its past, and with others' changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from authconfig.sections import SECRETS
from authconfig.settings_form import SettingsForm
from authconfig.users import settings_history
from authconfig.users.models import SettingChange
from pbxsite.administration.authentication.kept import merging
from pbxsite.administration.authentication.kept.merging import MINE, THEIRS, Merged
from pbxsite.administration.authentication.kept.values import (
    Past,
    by_whom,
    in_words,
    past_of,
)


@dataclass(frozen=True)
class Side:
    """One of two values for a field, to be chosen."""

    title: str
    words: str
    value: str
    choice: str


@dataclass(frozen=True)
class Conflict:
    name: str
    sides: tuple[Side, Side]


class PageForm(SettingsForm):
    def __init__(self, merged: Merged, **kwargs: Any) -> None:
        super().__init__(merged.data, **kwargs)
        self.merged = merged
        # Why the page shows what is not stored, before anybody has saved it.
        self.notices: list[str] = []

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in self.merged.conflicts:
            self.add_error(name, self._told(name))
        return cleaned

    @property
    def opened(self) -> str:
        return merging.opened(self.rules, self.merged.conflicts)

    @property
    def is_unsaved(self) -> bool:
        return self.is_bound or bool(self.notices)

    @cached_property
    def changes_before(self) -> dict[str, list[SettingChange]]:
        return settings_history.recent()

    def past_of(self, name: str) -> tuple[Past, ...]:
        """Return a field's changes, the newest first; of a secret the last alone."""
        changes = self.changes_before.get(name, [])
        shown = changes[:1] if name in SECRETS else changes
        return tuple(past_of(change) for change in shown)

    def conflict_of(self, name: str) -> Conflict | None:
        if name not in self.merged.conflicts or name in SECRETS:
            return None
        stored = settings_history.text_of(self.rules, name)
        mine = str(self[name].data)
        stamp = merging.digest(self.rules, name)
        return Conflict(
            merging.choice_name(name),
            (
                Side(_("Theirs"), in_words(name, stored), stored, f"{THEIRS}:{stamp}"),
                Side(_("Mine"), in_words(name, mine), mine, f"{MINE}:{stamp}"),
            ),
        )

    def _told(self, name: str) -> str:
        if name in SECRETS:
            remedy = _("Leave it empty to keep theirs, or enter yours again.")
        else:
            remedy = _("Choose which value stays, then save again.")
        changes = self.changes_before.get(name)
        if not changes:
            return _("This was changed since you opened the page.") + f" {remedy}"
        fault = _("Changed by %(who)s on %(when)s, after you opened the page.")
        return f"{fault % by_whom(changes[0])} {remedy}"

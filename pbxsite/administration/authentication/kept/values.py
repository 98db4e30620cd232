"""Values of the settings in words, and what is kept of their past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import BooleanField
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from authconfig.models import MODEL_FIELDS
from authconfig.users import pseudonyms
from authconfig.users.models import SettingChange
from pbxsite.administration.cells import moment

MOST_CHARACTERS = 120


@dataclass(frozen=True)
class Past:
    """One change of a field, told below it."""

    sentence: str
    # Empty for a secret: what it was is kept nowhere.
    was: str = ""
    value: str = ""
    key: int = 0


def past_of(change: SettingChange) -> Past:
    if change.is_secret:
        return Past(_("Changed by %(who)s on %(when)s.") % by_whom(change))
    sentence = _("Changed by %(who)s on %(when)s; before:") % by_whom(change)
    was = in_words(change.field, change.before)
    return Past(sentence, was, change.before, change.pk)


def by_whom(change: SettingChange) -> dict[str, str]:
    who = pseudonyms.in_words(change.actor_name)
    who = who or _("somebody on the server's command line")
    return {"who": who, "when": moment(change.at)}


def in_words(field: str, text: str) -> str:
    """Return a value, given as a form posts it, as the page would call it."""
    value = value_of(field, text)
    if isinstance(MODEL_FIELDS[field], BooleanField):
        return _("On") if value else _("Off")
    label = dict(MODEL_FIELDS[field].flatchoices).get(value, value)
    words = " ".join(str(label).split())
    return Truncator(words).chars(MOST_CHARACTERS) or _("empty")


def value_of(field: str, text: str) -> Any:
    """Return what the column would hold; text that it cannot hold stays text."""
    try:
        return MODEL_FIELDS[field].to_python(text)
    except ValidationError:
        return text

"""Form fields that read what a caller or a device without a clock has chosen.

A message must not be lost over any of it: the fields clean, shorten or leave out.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.forms.fields import BaseTemporalField
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from authconfig.validators import DIRECTIONS

# The marks of a direction turn no text, but nobody sees them either; lone surrogates
# fit into no database, and a byte order mark is none of the text.
INVISIBLE = DIRECTIONS | set("\u061c\u200e\u200f\ufeff")
LEFT_OUT, BLANK = ("Cs",), ("Cc", "Zl", "Zp", "Zs")
LONGEST_MESSAGE = timedelta(days=1)
# In every time zone these are moments that Python can reckon with.
FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
# "0000-00-00 00:00:00" and a leap second look like this, too.
LOOKS_LIKE_A_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ][\d:.,]+\s*(?:Z|[+-][\d:]+)?)?", re.ASCII
)


class LineField(forms.CharField):
    """One line of visible text, cut to `longest` characters."""

    def __init__(self, *, longest: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest
        # Django's field would refuse NUL, which is a blank here.
        self.validators = []

    def to_python(self, value: Any) -> str:
        text = " ".join("".join(map(_visible, str(value or ""))).split())
        return text if len(text) <= self.longest else text[: self.longest - 1] + "…"


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category in LEFT_OUT or char in INVISIBLE:
        return ""
    return " " if category in BLANK else char


class MomentField(forms.DateTimeField):
    """When it was recorded; None where that is no moment that this site can keep.

    Clocks repeat an hour once a year, whose first turn counts here, and skip another.
    """

    def to_python(self, value: Any) -> datetime | None:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            read = parse_datetime(text)
        except ValueError:
            read = None
        if read is None and LOOKS_LIKE_A_MOMENT.fullmatch(text):
            return None
        moment = read or BaseTemporalField.to_python(self, text)
        assert isinstance(moment, datetime)
        return _kept(moment)


def _kept(moment: datetime) -> datetime | None:
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    return moment if FIRST < moment < LAST else None


class DurationField(forms.FloatField):
    """In seconds; None where no call is so long: the clock was set meanwhile."""

    def clean(self, value: Any) -> int | None:
        seconds: float | None = super().clean(value)
        if seconds is None or seconds > LONGEST_MESSAGE.total_seconds():
            return None
        return round(seconds)

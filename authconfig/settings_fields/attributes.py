"""Which attribute of a directory's entry becomes what of a user: the setting's grammar.

    name=sAMAccountName|uid, number=telephoneNumber /(\\d{3})$/

Of several attributes the first that has a value counts. Between the slashes stands a
regular expression: its first group is kept, or all that it finds if it has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# What a directory can say of a user.
FILLABLE = ("name", "long_name", "email", "number", "language")
DEFAULT = (
    "name=sAMAccountName|uid, long_name=displayName|cn, email=mail,"
    " number=telephoneNumber"
)
SCIM_DEFAULT = (
    "name=userName, long_name=displayName|name.formatted, email=emails,"
    " number=phoneNumbers.work, language=preferredLanguage|locale"
)
# Active Directory marks the primary address of several so.
ADDRESSES, PRIMARY_MARK, MARK = "proxyaddresses", "SMTP:", re.compile("smtp:", re.I)
# A value that is longer is no name or number, and would keep a pattern busy.
LONGEST_VALUE = 256
BETWEEN = re.compile(r"[,;\n]\s*(?=\w+\s*=)")
WISH = re.compile(
    r"(?P<field>\w+)\s*=\s*(?P<names>[A-Za-z][\w.-]*(?:\s*\|\s*[A-Za-z][\w.-]*)*)"
    r"(?:\s+/(?P<pattern>.*)/)?"
)
Values = Sequence[str]


@dataclass(frozen=True)
class Wish:
    """A field of the user, the attributes that fill it, and what of them is kept."""

    field: str
    names: tuple[str, ...]
    pattern: re.Pattern[str] | None = None

    def value_in(self, attributes: Mapping[str, Values]) -> str:
        """Return the field's value; the attributes have their names in lower case."""
        found = next((text for n in self.names if (text := _first(attributes, n))), "")
        return self._kept(found) if self.pattern else found

    def _kept(self, value: str) -> str:
        assert self.pattern
        match = self.pattern.search(value[:LONGEST_VALUE])
        if not match:
            return ""
        return (match[1] if match.re.groups else match[0]) or ""


def _first(attributes: Mapping[str, Values], name: str) -> str:
    values = attributes.get(name, ())
    if name == ADDRESSES:
        mails = [value for value in values if MARK.match(value)]
        # False sorts before True.
        mails.sort(key=lambda value: not value.startswith(PRIMARY_MARK))
        values = [value[len(PRIMARY_MARK) :] for value in mails]
    return next((text for value in values if (text := value.strip())), "")


def wishes_of(text: str) -> list[Wish]:
    """Return the setting's wishes; ValidationError names what cannot be read."""
    parts = [part.strip() for part in BETWEEN.split(text.strip(" ,;\n\r\t"))]
    wishes = [_wish(part) for part in parts if part]
    fields = [wish.field for wish in wishes]
    if doubled := next((f for f in fields if fields.count(f) > 1), ""):
        raise ValidationError(
            _("“%(field)s” stands there twice. Remove one of the two."),
            code="doubled",
            params={"field": doubled},
        )
    if "name" not in fields:
        raise ValidationError(
            _("Say which attribute is the login name: name=sAMAccountName"),
            code="no_name",
        )
    return wishes


def attribute_names(wishes: Iterable[Wish]) -> list[str]:
    return list(dict.fromkeys(name for wish in wishes for name in wish.names))


def validate_attributes(text: str) -> None:
    wishes_of(text)


def _wish(part: str) -> Wish:
    found = WISH.fullmatch(part)
    if not found:
        raise ValidationError(
            _(
                "“%(part)s” cannot be read. Enter field=attribute, as in"
                " email=mail, or with a pattern, as in"
                " number=telephoneNumber /(\\d{3})$/"
            ),
            code="syntax",
            params={"part": part},
        )
    if found["field"] not in FILLABLE:
        raise ValidationError(
            _("“%(field)s” is no field of a user. Enter one of %(fields)s."),
            code="field",
            params={"field": found["field"], "fields": ", ".join(FILLABLE)},
        )
    names = tuple(name.strip().lower() for name in found["names"].split("|"))
    return Wish(found["field"], names, _compiled(found["pattern"]))


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ValidationError(
            _("“%(pattern)s” is no regular expression: %(error)s. Correct it."),
            code="pattern",
            params={"pattern": pattern, "error": error},
        ) from error

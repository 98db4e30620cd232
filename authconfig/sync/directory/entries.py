"""What an entry of the directory says of a person."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ldap.filter import escape_filter_chars

from authconfig.directory.entries import ATTRIBUTES, account_fault, turns_at
from authconfig.settings_fields.attributes import Wish, attribute_names
from authconfig.sync.facts import fault_in, tidy
from authconfig.sync.people import Person

Raw = Mapping[str, Sequence[bytes]]
Texts = dict[str, list[str]]


@dataclass(frozen=True)
class IdentityKind:
    """The attribute that stays with an entry, whatever its name and place."""

    attribute: str
    is_binary: bool = False

    def of(self, raw: Raw) -> str:
        """Return an entry's identity as text; "" if the entry shows none."""
        for name, values in raw.items():
            if name.lower() == self.attribute.lower() and values:
                return self._text(values[0])
        return ""

    def condition(self, identity: str) -> str:
        """Return the filter that finds the entry."""
        value = escape_filter_chars(identity)
        if self.is_binary:
            octets = uuid.UUID(identity).bytes_le
            value = "".join(f"\\{octet:02x}" for octet in octets)
        return f"({self.attribute}={value})"

    def _text(self, value: bytes) -> str:
        if not self.is_binary:
            return value.decode(errors="replace").lower()
        return str(uuid.UUID(bytes_le=value)) if len(value) == 16 else ""


# Microsoft's, RFC 4530's, and that of 389 Directory Server.
OBJECT_GUID = IdentityKind("objectGUID", is_binary=True)
ENTRY_UUID = IdentityKind("entryUUID")
NS_UNIQUE_ID = IdentityKind("nsUniqueId")


class PersonReader:
    """Makes people of entries, by the rules' wishes."""

    def __init__(self, wishes: list[Wish], identity: IdentityKind) -> None:
        self.wishes, self.identity = wishes, identity
        self.fields = tuple(wish.field for wish in wishes)
        self.attributes = list(
            dict.fromkeys((*attribute_names(wishes), *ATTRIBUTES, identity.attribute))
        )

    def read(self, raw: Raw) -> Person | None:
        """Return None for what has no identity, and so is no entry of a user."""
        identity = self.identity.of(raw)
        if not identity:
            return None
        texts = _texts(raw)
        facts = {wish.field: wish.value_in(texts) for wish in self.wishes}
        tidy(facts)
        is_enabled = account_fault(texts) is None
        fault = fault_in(facts) if is_enabled else ""
        return Person(identity, facts, is_enabled, fault, turns_at(texts))


def _texts(raw: Raw) -> Texts:
    """Take a value with an option, as of a language, where there is none without."""
    texts: Texts = {}
    for name in sorted(raw, key=lambda name: ";" in name):
        plain = name.partition(";")[0].lower()
        if plain not in texts:
            texts[plain] = [value.decode(errors="replace") for value in raw[name]]
    return texts


def any_of(conditions: Iterable[str]) -> str:
    return f"(|{''.join(conditions)})"

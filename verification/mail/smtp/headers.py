"""Python's policy for mails, with a memory for what stands in every one of them."""

from __future__ import annotations

from email.headerregistry import BaseHeader, HeaderRegistry
from email.policy import EmailPolicy
from functools import lru_cache
from typing import Any

# Some headers are new with every mail; those that are not stay remembered.
REMEMBERED = 256
SHORT = 76  # with ": " within the 78 of RFC 5322, 2.1.1


class Headers(HeaderRegistry):
    """The library's own, which parses the same words once."""

    def __init__(self) -> None:
        super().__init__()
        self._classes: dict[str, type[BaseHeader]] = {}
        self._parsed = lru_cache(REMEMBERED)(super().__call__)

    def __getitem__(self, name: str) -> type[BaseHeader]:
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = super().__getitem__(name)
        return found

    def __call__(self, name: str, value: Any) -> BaseHeader:
        if isinstance(value, str):
            return self._parsed(name, str(value))
        return super().__call__(name, value)


class Policy(EmailPolicy):
    """Parses a plain header only if somebody reads it, as one that was received."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if isinstance(value, str) and _is_plain(name, value):
            return name, str(value)
        return super().header_store_parse(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return _folded(self, name, value)


def _is_plain(name: str, value: str) -> bool:
    """It needs no encoding and no second line, and cannot begin another header."""
    is_short = len(name) + len(value) < SHORT
    return is_short and value.isascii() and value.isprintable()


@lru_cache(REMEMBERED)
def _folded(policy: Policy, name: str, value: str) -> bytes:
    return EmailPolicy.fold_binary(policy, name, value)


POLICY = Policy(linesep="\r\n", header_factory=Headers())


@lru_cache
def wire_policy(*, smtputf8: bool, eight_bit: bool) -> Policy:
    return POLICY.clone(utf8=smtputf8, cte_type="8bit" if eight_bit else "7bit")

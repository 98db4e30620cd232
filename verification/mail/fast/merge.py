"""Mail merge: a template is rendered once, each mail's values are put in afterwards.

Rendering costs several times what sending does, and so does laying a body out. A
context of plain strings is merged, so its templates may show them, and must not change
or compare them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import get_language

# Letters that no language uses and no escaping changes.
BEGIN, END = "\ue000", "\ue001"
# A name that ends so asks for its value as HTML shows it.
ESCAPED = "\ue002"
MARK = re.compile(f"{BEGIN}([a-z_]+{ESCAPED}?){END}")
Pieces = tuple[str, ...]


def render(template: str, context: Mapping[str, Any]) -> str:
    """Render a mail's template in the active language."""
    if not is_plain(context):
        return render_to_string(template, dict(context))
    return merged(pieces_of(template, tuple(context), get_language()), context)


def is_plain(context: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) for value in context.values())


@lru_cache(maxsize=64)
def pieces_of(template: str, names: tuple[str, ...], language: str | None) -> Pieces:
    """Render with marks for the values, in the active language, which is given."""
    ending = ESCAPED if template.endswith(".html") else ""
    marks = {name: f"{BEGIN}{name}{ending}{END}" for name in names}
    return split(render_to_string(template, marks))


def split(text: str) -> Pieces:
    """What the text says stands at even places, what it asks for at odd ones."""
    return tuple(MARK.split(text))


def joined(pieces: Iterable[str]) -> str:
    """Return the text with its marks."""
    return "".join(f"{BEGIN}{p}{END}" if n % 2 else p for n, p in enumerate(pieces))


def merged(pieces: Pieces, context: Mapping[str, str]) -> str:
    values = dict(context)
    values |= {name + ESCAPED: escape(value) for name, value in context.items()}
    return "".join(values[p] if n % 2 else p for n, p in enumerate(pieces))

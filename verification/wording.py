"""Mail merge: a template is rendered once, each mail's values are put in afterwards.

Rendering costs several times what sending does. A context of plain strings is merged,
so its templates may show them, and must not change or compare them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import get_language

# Letters that no language uses and no escaping changes.
BEGIN, END = "\ue000", "\ue001"
MARK = re.compile(f"{BEGIN}([a-z_]+){END}")


def render(template: str, context: Mapping[str, Any]) -> str:
    """Render a mail's template in the active language."""
    if not all(isinstance(value, str) for value in context.values()):
        return render_to_string(template, dict(context))
    values = context
    if template.endswith(".html"):
        values = {name: escape(value) for name, value in context.items()}
    pieces = _pieces(template, tuple(context), get_language())
    # What the text says stands at even places, what it asks for at odd ones.
    return "".join(values[p] if n % 2 else p for n, p in enumerate(pieces))


@lru_cache(maxsize=64)
def _pieces(
    template: str, names: tuple[str, ...], language: str | None
) -> tuple[str, ...]:
    marks = {name: f"{BEGIN}{name}{END}" for name in names}
    return tuple(MARK.split(render_to_string(template, marks)))

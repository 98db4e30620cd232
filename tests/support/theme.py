"""What holds for the theme's version that the site asks for, and for no other."""

from __future__ import annotations

from importlib.metadata import version

import pytest


def of_the_pinned_theme(reason: str) -> pytest.MarkDecorator:
    """Skip the test where `make test-next` brings another version."""
    is_other = not version("django-unfold").startswith("0.91.")
    return pytest.mark.skipif(is_other, reason=reason)

"""The rules of new PBX passwords: a length, and nothing that everybody would guess.

NIST SP 800-63B-4, 3.1.1.2, wants no rules of composition and no expiry.
"""

from __future__ import annotations

from django.contrib.auth.password_validation import (
    MinimumLengthValidator as DjangoMinimumLengthValidator,
)

from authconfig.models import current_rules


class MinimumLengthValidator(DjangoMinimumLengthValidator):
    """Django's validator, with the length from the rules."""

    def __init__(self) -> None:
        """Django's own would take the length from settings.py."""

    @property
    def min_length(self) -> int:  # type: ignore[override]  # is read only
        return current_rules().password_min_length

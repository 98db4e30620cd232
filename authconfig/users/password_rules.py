"""The rules of new PBX passwords: length, and what everybody would guess.

NIST SP 800-63B-4, 3.1.1.2: no rules of composition, no expiry.
"""

from __future__ import annotations

from django.contrib.auth.password_validation import (
    MinimumLengthValidator as DjangoMinimumLengthValidator,
)

from authconfig.models import current_settings


class MinimumLengthValidator(DjangoMinimumLengthValidator):
    """Django's, with the length that the settings page says."""

    def __init__(self) -> None:
        """Django's own takes the length from settings.py."""

    @property
    def min_length(self) -> int:  # type: ignore[override]  # is read only
        return current_settings().password_min_length

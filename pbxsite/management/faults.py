"""The faults of what was typed, a line each."""

from __future__ import annotations

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError


def fault_lines(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [
        text if field == NON_FIELD_ERRORS else f"{field.replace('_', '-')}: {text}"
        for field, texts in error.message_dict.items()
        for text in texts
    ]

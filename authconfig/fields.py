"""Encrypted secrets with their inputs, and a key that follows the field `name`."""

from __future__ import annotations

import base64
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django import forms
from django.conf import settings
from django.db import models

from authconfig.names import name_key

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
    CharField = models.CharField[str, str]
else:
    TextField, CharField = models.TextField, models.CharField

logger = logging.getLogger(__name__)


@cache
def _fernet(key: str) -> Fernet:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"authconfig.fields")
    return Fernet(base64.urlsafe_b64encode(kdf.derive(key.encode())))


def _key_ring() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in settings.ENCRYPTION_KEYS])


def encrypted(text: str) -> str:
    return _key_ring().encrypt(text.encode()).decode()


def decrypted(text: str) -> str:
    """Undo `encrypted`; InvalidToken if none of ENCRYPTION_KEYS fits."""
    return _key_ring().decrypt(text).decode()


class SecretField(TextField):
    """Text that the database holds encrypted.

    A value that no key opens reads as "", so that whatever needs it stays closed.
    """

    def get_prep_value(self, value: Any) -> str:
        return encrypted(str(value)) if value else ""

    def from_db_value(self, value: str | None, *_: object) -> str:
        if not value:
            return ""
        try:
            return decrypted(value)
        except InvalidToken:
            logger.error("%s: no key of ENCRYPTION_KEYS opens the secret", self)
            return ""


class NameKeyField(CharField):
    """The comparable form of the field `name`, renewed with every save."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: FBT001
        key = name_key(model_instance.name)  # type: ignore[attr-defined]
        setattr(model_instance, self.attname, key)
        return key


class SecretInput(forms.PasswordInput):
    """An input that never shows its value: left empty, it keeps what is stored."""

    template_name = "authconfig/secret_input.html"
    # The form sets this.
    is_stored = False
    is_of_lines = False

    @staticmethod
    def removal_name(name: str) -> str:
        return f"{name}-remove"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        value: str = super().value_from_datadict(data, files, name) or ""
        removed = self.removal_name(name) in data
        return None if removed and not value else value

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Were it omitted, Django would keep a secret that a changed server clears."""
        return False

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        context["widget"] |= {
            "is_stored": self.is_stored,
            "is_of_lines": self.is_of_lines,
            "was_entered": bool(value),
            "is_removed": value is None,
            "removal_name": self.removal_name(name),
        }
        described = context["widget"]["attrs"]
        described["aria-describedby"] = " ".join(
            filter(None, [described.get("aria-describedby"), f"id_{name}_state"])
        )
        return context


class SecretLinesInput(SecretInput):
    """For a secret of several lines, which an input of one line would join."""

    is_of_lines = True


class SecretFormField(forms.CharField):
    """Cleans to "" for "keep it", and to None for "remove it"."""

    widget = SecretInput

    def to_python(self, value: Any) -> Any:
        return None if value is None else super().to_python(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return data is None or bool(data)

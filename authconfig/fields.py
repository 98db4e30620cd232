"""Model fields: secrets encrypted at rest, and keys that follow another field."""

from __future__ import annotations

import base64
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
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
    """Return the text as only a key of ENCRYPTION_KEYS opens it."""
    return _key_ring().encrypt(text.encode()).decode()


def decrypted(text: str) -> str:
    """Return what `encrypted` was given; raises InvalidToken if no key opens it."""
    return _key_ring().decrypt(text).decode()


class SecretField(TextField):
    """Text that the database holds encrypted with the first of ENCRYPTION_KEYS.

    A value that no key opens reads as "", so that what needs it stays closed.
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
    """The comparable form of the model's field `name`, kept whenever it is saved."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: FBT001
        key = name_key(model_instance.name)  # type: ignore[attr-defined]
        setattr(model_instance, self.attname, key)
        return key

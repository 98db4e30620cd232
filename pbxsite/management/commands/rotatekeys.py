"""`manage.py rotatekeys`: encrypt every stored secret with the first key."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import CommandError
from django.db import models, transaction
from django.db.models.functions import Cast

from authconfig.fields import SecretField, decrypted, encrypted
from pbxsite.management.site_command import SiteCommand

NO_KEY = (
    "no key opens it. Nothing was changed. Add the old key to ENCRYPTION_KEYS, or enter"
    " the secret again and retry."
)
FACTOR_SECRETS = ("secret", "seed")


class Command(SiteCommand):
    help = (
        "Encrypt every stored secret anew with the first of ENCRYPTION_KEYS;"
        " then the older keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            count = sum(_rotate(model) for model in apps.get_models())
            count += sum(map(_rotate_factor, Authenticator.objects.all()))
        self.stdout.write(f"{count} secrets are encrypted with the first key.")


def _rotate(model: type[models.Model]) -> int:
    names = [f.name for f in model._meta.fields if isinstance(f, SecretField)]
    count = 0
    for row in model._default_manager.all() if names else ():
        for name in names:
            count += _reencrypt(row, name)
    return count


def _rotate_factor(factor: Authenticator) -> int:
    """Encrypt an app's secret or recovery codes' seed, which allauth keeps in JSON."""
    held = [name for name in FACTOR_SECRETS if name in factor.data]
    for name in held:
        try:
            factor.data[name] = encrypted(decrypted(factor.data[name]))
        except InvalidToken as error:
            raise CommandError(f"{factor.user}: {NO_KEY}") from error
    factor.save(update_fields=["data"])
    return len(held)


def _reencrypt(row: models.Model, name: str) -> int:
    """Save one secret again; raise CommandError if no key opens it."""
    if getattr(row, name):
        row.save(update_fields=[name])
        return 1
    if _stored(row, name):
        raise CommandError(f"{row._meta.label}.{name}: {NO_KEY}")
    return 0


def _stored(row: models.Model, name: str) -> str:
    encrypted = Cast(name, models.TextField())
    rows = type(row)._default_manager.filter(pk=row.pk)
    return str(rows.annotate(held=encrypted).values_list("held", flat=True)[0] or "")

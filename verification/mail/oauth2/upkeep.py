"""What is done with or without mails: renewing in good time, and forgetting."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from authconfig.models import current_rules
from verification.mail.oauth2 import keeping
from verification.mail.oauth2.models import KeptToken
from verification.mail.oauth2.settings import configuration_of

# An authorization may come before the settings that it is for are saved.
UNUSED_FOR = timedelta(days=1)


def keep_up() -> None:
    configuration = configuration_of(current_rules())
    if configuration:
        keeping.keep_fresh(configuration)
    forget_unused(configuration.key if configuration else "")


def forget_unused(key: str) -> int:
    """Forget the tokens of other settings than those of the key."""
    before = timezone.now() - UNUSED_FOR
    is_old = Q(obtained_at=None) | Q(obtained_at__lt=before)
    others = KeptToken.objects.exclude(key=key).filter(is_old, created_at__lt=before)
    return others.delete()[0]

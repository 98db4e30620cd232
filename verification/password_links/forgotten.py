"""Asking for a link because the password is forgotten."""

from __future__ import annotations

from django.db import transaction
from django.utils import translation

from authconfig.choices import Event, Origin
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.names import name_key
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.password_links.making import wake_making
from verification.password_links.models import ForgottenRequest


def key_of(entered: str) -> str:
    """Return what all spellings of a name have in common."""
    return name_key(current_rules().login_name(entered))


@transaction.atomic
def ask(entered: str, *, kind: Kind, origin: Origin) -> None:
    """Note the wish, of a name that no user has as well; a worker answers it."""
    key = key_of(entered)
    user = PbxUser.objects.filter(name_key=key).first()
    language = translation.get_language() or "en"
    ForgottenRequest.objects.create(user=user, language=language)
    audit.record(
        Event.PASSWORD_FORGOTTEN,
        user=user,
        user_name=user.name if user else audit.unknown_name(key),
        origin=origin,
        kind=kind,
    )
    transaction.on_commit(wake_making)

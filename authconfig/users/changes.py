"""Checks of changes to PBX users, and what follows from a change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import Signal
from django.utils.translation import gettext as _

from authconfig.names import name_key
from authconfig.users import kept_passwords
from authconfig.users.models import PbxUser

# The audit log names these fields with the old and the new value.
TOLD = (
    "name",
    "long_name",
    "email",
    "number",
    "language",
    "time_zone",
    "is_active",
    "is_staff",
    "is_superuser",
)
# Sent with `users`: receivers end pending logins and whatever else these users have.
sessions_ended = Signal()
# Sent with `old_addresses`: users, each with the e-mail address that they had before.
addresses_changed = Signal()
MAX_KEY_LENGTH = PbxUser._meta.get_field("name_key").max_length or 0


def check_key_length(name: str) -> None:
    """A name may grow when its case is folded: "ῷ" becomes three characters."""
    if len(name_key(name)) > MAX_KEY_LENGTH:
        raise ValidationError(_("Enter a shorter name."), code="max_length")


def check_name(name: str, *, besides: int | None = None) -> None:
    check_key_length(name)
    key = name_key(name)
    others = PbxUser.objects.exclude(pk=besides) if besides else PbxUser.objects.all()
    if others.filter(name_key=key).exists():
        unique = PbxUser._meta.get_field("name").error_messages["unique"]
        raise ValidationError(unique, code="unique")


def check_new(user: PbxUser, password: str | None) -> None:
    """Raise one ValidationError with every fault of a user who is about to be made."""
    faults: dict[str, Any] = {}
    user.name = PbxUser.normalize_username(user.name)
    _collect(faults, "name", partial(check_name, user.name))
    _collect(faults, "", partial(user.full_clean, {"password", "name_key", *faults}))
    if password is not None:
        _collect(faults, "password", partial(validate_password, password, user))
    if faults:
        raise ValidationError(faults)


def add(user: PbxUser, password: str | None) -> None:
    """Save a new user; raise ValidationError with every fault, and save nothing."""
    check_new(user, password)
    user.set_password(password)
    with transaction.atomic():
        user.save()
        kept_passwords.keep(user, password)


def _collect(faults: dict[str, Any], field: str, check: Callable[[], None]) -> None:
    try:
        check()
    except ValidationError as error:
        named = ValidationError({field: error}) if field else error
        named.update_error_dict(faults)


def without_factor(users: QuerySet[PbxUser]) -> QuerySet[PbxUser]:
    """Keep the users who have neither a passkey nor an authenticator app.

    Recovery codes do not count: they stand in for one of these.
    """
    factors = Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES)
    return users.exclude(pk__in=factors.values("user"))


def difference(before: PbxUser | None, after: PbxUser) -> str:
    """Name each changed field with both values; passwords are not among the fields."""
    if before is None:
        return "added"
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in TOLD)
    return ", ".join(
        f"{name}: {_plain(old)} → {_plain(new)}"
        for name, old, new in pairs
        if old != new
    )


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "empty"


@transaction.atomic
def end_sessions(
    users: Iterable[PbxUser], *, besides: str = "", kept: Collection[str] = ()
) -> int:
    """End the sessions for good: activating a user again must not revive them."""
    # The lock lets a login that is being completed end before or after, not between.
    locked = PbxUser.objects.select_for_update().order_by("pk")
    found = list(locked.filter(pk__in=[user.pk for user in users]))
    sessions = UserSession.objects.filter(user__in=found)
    ended = list(sessions.exclude(session_key__in=[besides, *kept]))
    get_adapter().end_sessions(ended)
    kept_passwords.forget(user for user in found if not user.is_active)
    sessions_ended.send(PbxUser, users=found)
    return len(ended)


def follow_addresses(before: Mapping[PbxUser, str]) -> None:
    """Tell whatever went to an e-mail address that it is no longer the user's.

    To be called in the transaction of the change, with the address of each user before
    it, "" for none; users whose address stays are left alone.
    """
    changed = {user: old for user, old in before.items() if old not in ("", user.email)}
    if changed:
        addresses_changed.send(PbxUser, old_addresses=changed)


def hold_sessions(pks: Iterable[int]) -> None:
    """Let the sessions of these users end before or after a transaction, not in it."""
    locked = PbxUser.objects.select_for_update(no_key=True).order_by("pk")
    list(locked.filter(pk__in=pks).values_list("pk"))


def follow_session(old_key: str, new_key: str) -> None:
    """Keep a session listed when Django changes its key; else nobody could end it."""
    UserSession.objects.filter(session_key=old_key).update(session_key=new_key)

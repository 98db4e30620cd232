"""PBX passwords that are kept encrypted beside their hashes, for digest logins.

A myApps client without OAuth2 sends a digest of the password, which a hash cannot
check. One is kept while the rules allow such logins, and only then read.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from django.db import transaction

from authconfig.bounded_counts import bounded_count
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.policy import offers_digest
from authconfig.users.models import KeptPassword, PbxUser


class Count(NamedTuple):
    """Active users who have a PBX password: of how many it is kept, and not."""

    kept: int
    missing: int


def keep(user: PbxUser, password: str | None) -> None:
    """Keep the password that was just found right, or just written to the user's row.

    None, as of a user whose password was removed, forgets what was kept.
    """
    if password is None or not offers_digest(current_rules()):
        forget([user])
    elif kept_password_of(user) != password:
        _write(user, password)


def kept_password_of(user: PbxUser) -> str | None:
    """Return the present PBX password of an active user, if it may be used.

    It takes one query, whether there is one or not.
    """
    row = KeptPassword.objects.filter(user=user).first()
    if row is None or not user.is_active or not offers_digest(current_rules()):
        return None
    return row.password if row.password and user.is_bound_by(row.bound_to) else None


def forget(users: Iterable[PbxUser]) -> None:
    KeptPassword.objects.filter(user__in=[user.pk for user in users]).delete()


def forget_all() -> None:
    KeptPassword.objects.all().delete()


def count() -> Count:
    # Without a "$" it is no hash: these users have no PBX password.
    able = PbxUser.objects.filter(is_active=True, password__contains="$")  # noqa: S106
    kept = KeptPassword.objects.values("user")
    return Count(
        bounded_count(able.filter(pk__in=kept)),
        bounded_count(able.exclude(pk__in=kept)),
    )


@transaction.atomic
def _write(user: PbxUser, password: str) -> None:
    """Whoever changed the password or deactivated the user meanwhile has won."""
    locked = PbxUser.objects.select_for_update(no_key=True)
    if not locked.filter(pk=user.pk, password=user.password, is_active=True).exists():
        return
    values = {"password": password, "bound_to": user.get_session_auth_hash()}
    KeptPassword.objects.update_or_create(user=user, defaults=values)
    # The rules may change meanwhile: whoever commits last forgets it.
    transaction.on_commit(partial(_forget_if_unwanted, user))


def _forget_if_unwanted(user: PbxUser) -> None:
    if not offers_digest(AuthenticationSettings.load()):
        forget([user])

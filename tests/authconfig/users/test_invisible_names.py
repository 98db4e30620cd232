"""Names from before what cannot be seen was no part of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from authconfig.users.models import PbxUser

pytestmark = pytest.mark.database
forget_them: Any = import_module(
    "authconfig.users.migrations.0006_forget_invisible_characters"
).forget_them


def keep_old_key(name: str) -> int:
    """Add a user as an older version of the site kept them."""
    user = PbxUser.objects.create(name=name)
    PbxUser.objects.filter(pk=user.pk).update(name_key=name)
    return user.pk


@pytest.mark.django_db
def test_a_user_is_found_without_it_from_now_on() -> None:
    pk = keep_old_key("an\ufe0fna")

    forget_them(apps, None)

    user = PbxUser.objects.get_by_natural_key("anna")
    assert (user.pk, user.name) == (pk, "anna")


def test_two_users_of_one_name_stop_it(user: PbxUser) -> None:
    other = PbxUser.objects.create(name="x\u3164")
    PbxUser.objects.filter(pk=other.pk).update(name="anna\u3164", name_key="anna\u1160")

    with pytest.raises(ValueError, match=f"user {other.pk} .* 'anna' without"):
        forget_them(apps, None)

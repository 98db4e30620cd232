"""The time zone of a user's e-mails."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from authconfig.users.models import AuditEvent, PbxUser
from authconfig.validators import validate_time_zone
from tests.support.html import Page


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_the_names_of_the_iana_database_are_taken(zone: str) -> None:
    validate_time_zone(zone)


@pytest.mark.parametrize("zone", ["Berlin", "CEST", "+01:00", "../etc/passwd", "\0"])
def test_anything_else_is_refused_with_an_example(zone: str) -> None:
    with pytest.raises(ValidationError, match="Europe/Berlin"):
        validate_time_zone(zone)


def test_an_administrator_sets_it_and_the_log_tells(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    url = f"/admin/users/pbxuser/{user.pk}/change/"
    page = Page(admin_client_myapps.get(url).content.decode())
    assert page.find(name="time_zone")
    values = {"name": "anna", "email": user.email, "is_active": "on"}

    refused = admin_client_myapps.post(url, values | {"time_zone": "Atlantis"})
    admin_client_myapps.post(url, values | {"time_zone": "Europe/Berlin"})

    assert "is not a time zone" in refused.content.decode()
    user.refresh_from_db()
    assert user.time_zone == "Europe/Berlin"
    told = AuditEvent.objects.filter(user=user, detail__contains="time_zone")
    assert told.count() == 1

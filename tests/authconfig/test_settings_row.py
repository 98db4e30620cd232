"""What the row of settings refuses before the database does."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Model

from authconfig.models import AuthenticationSettings

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "values",
    [
        {"id": 2},
        {"two_factor": True},
        {"factor_required": True, "smtp_connections": 0},
        {"authentication_type": "netlogon_only"},
        {"smtp_login": "oauth2", "smtp_security": "none"},
        {"alarm_webhook_url": "https://alarms.example/"},
        {"smtp_security": "none of these"},
    ],
    ids=lambda values: " ".join(values),
)
def test_it_is_judged_as_django_judges_it(values: dict[str, Any]) -> None:
    row = AuthenticationSettings(**{"id": 1} | values)

    with pytest.raises(ValidationError) as ours:
        row.validate_constraints()
    with pytest.raises(ValidationError) as djangos:
        Model.validate_constraints(row)

    assert ours.value.message_dict == djangos.value.message_dict


def test_what_is_wrong_already_is_not_judged_again() -> None:
    row = AuthenticationSettings(id=1, two_factor=True)

    row.validate_constraints(exclude={"two_factor"})


def test_a_fresh_row_is_right() -> None:
    AuthenticationSettings.load().validate_constraints()

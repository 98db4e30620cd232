from __future__ import annotations

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone
from pytest_django import Settings

from authconfig.fields import decrypted, encrypted
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from verification.mail.models import AccountTrial

pytestmark = pytest.mark.django_db
SECRETS = ("smtp_password", "netlogon_bind_password", "oauth2_client_secret")


def stored(column: str) -> str:
    held = AuthenticationSettings.objects.annotate(held=Cast(column, TextField()))
    return str(held.values_list("held", flat=True)[0])


def read() -> list[str]:
    rules = AuthenticationSettings.objects.get()
    return [getattr(rules, name) for name in SECRETS]


def rotate() -> str:
    out = StringIO()
    call_command("rotatekeys", stdout=out)
    return out.getvalue()


@pytest.fixture
def secrets(settings: Settings, configure: SettingsSetter) -> None:
    """Secrets that were stored while "old" was the only key."""
    settings.ENCRYPTION_KEYS = ["old"]
    configure(smtp_password="one", netlogon_bind_password="two")
    AccountTrial.objects.create(
        recipient="a@b.example",
        server="s",
        port=25,
        email_address="c@d.example",
        fingerprint="f",
        password="three",
    )


def test_after_the_rotation_the_old_key_can_go(
    secrets: None, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = ["new", "old"]

    assert rotate().startswith("3 secrets")

    settings.ENCRYPTION_KEYS = ["new"]
    assert read() == ["one", "two", ""]
    assert AccountTrial.objects.get().password == "three"
    settings.ENCRYPTION_KEYS = ["old"]
    assert read() == ["", "", ""]


def test_before_the_rotation_both_keys_are_needed(
    secrets: None, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = ["new"]
    assert read() == ["", "", ""]

    settings.ENCRYPTION_KEYS = ["new", "old"]
    assert read() == ["one", "two", ""]


@pytest.mark.database
@pytest.mark.parametrize("lost", SECRETS)
def test_a_secret_that_no_key_opens_changes_nothing_at_all(
    secrets: None, settings: Settings, configure: SettingsSetter, lost: str
) -> None:
    settings.ENCRYPTION_KEYS = ["lost"]
    configure(**{lost: "four"})
    before = [stored(name) for name in SECRETS]
    settings.ENCRYPTION_KEYS = ["new", "old"]

    with pytest.raises(CommandError, match=f"{lost}: no key opens it"):
        rotate()

    assert [stored(name) for name in SECRETS] == before


def test_rotating_twice_is_harmless(secrets: None, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["new", "old"]

    rotate()
    rotate()

    assert read() == ["one", "two", ""]


def test_a_site_without_secrets_has_nothing_to_rotate(db: None) -> None:
    assert rotate().startswith("0 secrets")


@pytest.mark.database
def test_the_rotation_changes_no_other_column(
    secrets: None, settings: Settings
) -> None:
    before = AuthenticationSettings.objects.values().get()
    settings.ENCRYPTION_KEYS = ["new", "old"]

    rotate()

    assert AuthenticationSettings.objects.values().get() == before
    assert before["changed_at"] < timezone.now()


def test_the_secrets_of_second_factors_rotate_too(
    user: PbxUser, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = ["old"]
    data = {"secret": encrypted("JBSWY3DP")}
    factor = Authenticator.objects.create(user=user, type="totp", data=data)
    settings.ENCRYPTION_KEYS = ["new", "old"]

    assert rotate().startswith("1 secrets")

    settings.ENCRYPTION_KEYS = ["new"]
    factor.refresh_from_db()
    assert decrypted(factor.data["secret"]) == "JBSWY3DP"

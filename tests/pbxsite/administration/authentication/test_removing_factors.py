"""Switching two-factor on offers to remove the factors that nobody approved."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.factors import add_app, approve_all, is_signed_in, show_code
from tests.support.settings_data import posted
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db
PAGE = "/admin/authconfig/authenticationsettings/"
FACTORS = "/admin/mfa/authenticator/"
OFFER = "Remove the passkeys and codes of 1 user that nobody approved"
ON = {"two_factor": "on"}


@pytest.fixture
def anna(ready: AuthenticationSettings, start: Starter) -> Browser:
    """She added an app while two-factor was off."""
    browser = Browser()
    start(browser)
    add_app(browser)
    return browser


@pytest.mark.database
def test_the_page_offers_it_and_does_it(
    anna: Browser, admin_client_myapps: Browser, user: PbxUser
) -> None:
    assert OFFER in admin_client_myapps.get(PAGE).content.decode()

    page = admin_client_myapps.post(
        PAGE, posted(**ON) | {"remove_factors": "on"}, follow=True
    )

    assert "of 1 user that nobody approved were removed" in page.content.decode()
    assert not Authenticator.objects.exists()
    event = AuditEvent.objects.get(event=Event.FACTOR_REMOVED)
    assert (event.user, event.actor.name) == (user, "admin")  # type: ignore[union-attr]
    assert OutgoingEmail.objects.filter(kind="factor", user=user).count() == 2


def test_left_alone_they_stay(anna: Browser, admin_client_myapps: Browser) -> None:
    admin_client_myapps.post(PAGE, posted(**ON))

    assert AuthenticationSettings.load().two_factor
    assert Authenticator.objects.count() == 2


def test_what_was_approved_stays(
    anna: Browser, admin_client_myapps: Browser, user: PbxUser
) -> None:
    approve_all(user)

    assert OFFER not in admin_client_myapps.get(PAGE).content.decode()
    admin_client_myapps.post(PAGE, posted(**ON) | {"remove_factors": "on"})

    assert Authenticator.objects.count() == 2


def test_recovery_codes_end_with_the_last_factor(
    anna: Browser, admin_client_myapps: Browser, user: PbxUser
) -> None:
    approve_all(user)
    Authenticator.objects.get(type="totp").binding.delete()

    admin_client_myapps.post(PAGE, posted(**ON) | {"remove_factors": "on"})

    assert not Authenticator.objects.exists()


def test_the_offer_is_gone_when_two_factor_is_on(
    anna: Browser, admin_client_myapps: Browser, configure: SettingsSetter
) -> None:
    configure(two_factor=True)

    assert OFFER not in admin_client_myapps.get(PAGE).content.decode()


def test_the_preview_says_what_becomes_of_them(
    anna: Browser, admin_client_myapps: Browser
) -> None:
    answer = admin_client_myapps.post(f"{PAGE}preview/", posted(**ON))

    said = answer.json()["sections"]["authentication"]
    assert any("1 user has a passkey, app or recovery codes" in each for each in said)


@pytest.mark.parametrize("words", [(), ("--remove-factors",)])
def test_the_command_line_says_how_many_and_removes_them_when_told(
    anna: Browser, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    call_command("authconfig", "set", "two_factor=on", *words)

    said = capsys.readouterr()
    assert Authenticator.objects.exists() is not bool(words)
    assert ("that nobody approved were removed." in said.out) is bool(words)
    assert ("--remove-factors removes them" in said.err) is not bool(words)


def test_a_session_by_such_a_factor_was_approved_by_nobody(
    anna: Browser, admin_client_myapps: Browser, start: Starter
) -> None:
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    stranger = Browser()
    start(stranger)
    show_code(stranger, codes[0])
    assert is_signed_in(stranger)

    admin_client_myapps.post(PAGE, posted(**ON) | {"end_sessions": "on"})

    assert not is_signed_in(stranger)


@pytest.mark.database
def test_the_list_says_which_nobody_approved(
    anna: Browser, admin_client_myapps: Browser, user: PbxUser
) -> None:
    page = admin_client_myapps.get(FACTORS).content.decode()
    assert page.count("Nobody yet") == 2
    listed = admin_client_myapps.get(f"{FACTORS}?approved=no").context["cl"]
    assert listed.result_count == 2

    approve_all(user)

    listed = admin_client_myapps.get(f"{FACTORS}?approved=no").context["cl"]
    assert listed.result_count == 0
    assert "Nobody yet" not in admin_client_myapps.get(FACTORS).content.decode()

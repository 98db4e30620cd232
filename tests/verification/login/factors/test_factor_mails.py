"""What the owner is told of second factors, and of wrong codes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser
from django.test import TestCase
from django.utils import timezone
from pytest_django import Settings

from authconfig.models import AuthenticationSettings
from authconfig.users.audit import NOWHERE
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.factors import add_app, approve_all, secret_in, show_code
from verification.mail.account import account_of
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import render_mail
from verification.sessions.factor_mails import tell_of_wrong_codes
from verification.sessions.factors import remove_all

pytestmark = pytest.mark.django_db
NOTICES = OutgoingEmail.objects.filter(kind="factor").order_by("pk")
WARNINGS = OutgoingEmail.objects.filter(kind="wrong_code")


@pytest.fixture
def signed_in(two_factor: object, configure: SettingsSetter, start: Starter) -> Browser:
    """With an e-mail account, and two-factor switched off again."""
    configure(two_factor=False)
    browser = Browser(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    start(browser)
    return browser


def said(mail: OutgoingEmail) -> tuple[str, str]:
    message = render_mail(mail, account_of(AuthenticationSettings.load())).whole()
    body = message.get_body(("plain",))
    assert body
    html = message.get_body(("html",))
    assert html
    assert "was not you" in html.get_content() or "expected none" in html.get_content()
    return str(message["Subject"]), body.get_content()


def test_nobody_fills_the_queue_by_their_own_changes(
    signed_in: Browser, settings: Settings
) -> None:
    """Such a mail goes out before the next one that somebody needs to log in."""
    limits = settings.ACCOUNT_RATE_LIMITS | {"change_factor": "3/10m/user"}
    settings.ACCOUNT_RATE_LIMITS = limits
    add_app(signed_in)

    with TestCase.captureOnCommitCallbacks(execute=True):
        pages = [signed_in.post("/account/factors/codes/new/") for _ in range(4)]

    assert [page.status_code for page in pages] == [302, 302, 429, 429]
    assert NOTICES.count() == 3
    assert signed_in.get("/account/factors/app/remove/").status_code == 200


def test_adding_renewing_and_removing_is_told(signed_in: Browser) -> None:
    add_app(signed_in)
    with TestCase.captureOnCommitCallbacks(execute=True):
        signed_in.post("/account/factors/codes/new/")
    signed_in.post("/account/factors/app/remove/")

    told = [said(mail) for mail in NOTICES]
    assert [subject.partition(": ")[2] for subject, _text in told] == [
        "An authenticator app was added to your account",
        "New recovery codes were made for your account",
        "An authenticator app was removed from your account",
    ]
    for _subject, text in told:
        assert "This was not you?" in text
        assert "Address: 127.0.0.1" in text
        assert "Browser: Firefox on Linux" in text


def test_no_notice_holds_a_secret(signed_in: Browser) -> None:
    secret = secret_in(add_app(signed_in))

    assert secret not in said(NOTICES.get())[1]


def test_the_owner_hears_of_what_an_administrator_removed(
    signed_in: Browser, user: PbxUser, administrator: PbxUser
) -> None:
    add_app(signed_in)

    remove_all(user, actor=administrator)

    subject, text = said(NOTICES.latest("pk"))
    assert "An administrator removed passkeys and codes" in subject
    assert "Address" not in text


def enter_wrong(browser: Browser, times: int) -> None:
    for _ in range(times):
        show_code(browser, "000000")


@pytest.fixture
def stranger(signed_in: Browser, user: PbxUser, start: Starter) -> Browser:
    """Somebody who knows the password of a user with an app."""
    add_app(signed_in)
    approve_all(user)
    browser = Browser(REMOTE_ADDR="192.0.2.9")
    start(browser)
    return browser


def test_the_third_wrong_code_after_the_right_password_is_told_once_a_day(
    stranger: Browser, start: Starter
) -> None:
    enter_wrong(stranger, 2)
    assert not WARNINGS.exists()

    enter_wrong(stranger, 5)

    subject, text = said(WARNINGS.get())
    assert subject.endswith("right password, wrong codes")
    assert "Address: 192.0.2.9" in text
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        start(stranger)
        enter_wrong(stranger, 3)
    assert WARNINGS.count() == 2


def test_wrong_passkeys_are_told_as_well(stranger: Browser) -> None:
    for _ in range(3):
        stranger.post("/login/factor/", {"credential": '{"id": "made up"}'})

    assert WARNINGS.count() == 1


def test_a_slip_in_the_own_session_is_not_told(
    signed_in: Browser, stranger: Browser
) -> None:
    for _ in range(4):
        signed_in.post("/account/factors/confirm/", {"code": "000000"})

    assert not WARNINGS.exists()


def test_without_an_email_account_nothing_fails(
    stranger: Browser, configure: SettingsSetter, user: PbxUser
) -> None:
    configure(smtp_server="")

    enter_wrong(stranger, 4)

    assert not WARNINGS.exists()
    assert not tell_of_wrong_codes(user, origin=NOWHERE)

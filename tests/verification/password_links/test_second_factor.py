"""The login after a forgotten password, while two-factor authentication is on.

The link came by e-mail, so an e-mail does not confirm that login as well.
"""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.factors import (
    FACTOR_PAGE,
    add_app,
    approve_all,
    finish_by_email,
    is_signed_in,
    later,
    secret_in,
    show_code,
)
from tests.support.password_links import NEW, deliver, forget, links, set_password
from tests.support.smtp_servers import Server
from tests.support.totp import totp
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.mail.models import OutgoingEmail
from verification.password_links.models import PasswordLink

pytestmark = pytest.mark.django_db
APPROVALS = OutgoingEmail.objects.filter(kind="approval")


@pytest.fixture
def existing(strict: Server, start: Starter) -> Browser:
    """A browser in which Anna is signed in, as she approved it by e-mail."""
    browser = Browser()
    start(browser)
    finish_by_email(browser)
    return browser


def reset(server: Server) -> None:
    """Set a new password by the link in an e-mail."""
    forget()
    deliver()
    assert set_password(links(server)[-1]).status_code == 302


def log_in(start: Starter, **how: str) -> tuple[Browser, HttpResponse]:
    browser = Browser()
    return browser, start(browser, password=NEW, **how)


def approve_in(existing: Browser) -> None:
    login = LoginSession.objects.get(state="pending")
    decision = {"decision": "accept", "code": approval_code(login)}
    existing.post(f"/account/approvals/{login.pk}/", decision)


@pytest.mark.database
def test_an_existing_session_confirms_it_and_ends(
    strict: Server, existing: Browser, start: Starter, user: PbxUser
) -> None:
    reset(strict)
    before = APPROVALS.count()

    browser, _ = log_in(start)
    page = browser.get("/login/waiting/").content.decode()
    assert is_signed_in(existing)
    approve_in(existing)
    browser.post("/login/waiting/continue/")

    user.refresh_from_db()
    assert APPROVALS.count() == before
    assert "mailbox" not in page
    assert is_signed_in(browser)
    assert not is_signed_in(existing)
    assert not user.is_from_mailbox


def test_a_code_of_the_app_confirms_it(
    strict: Server, existing: Browser, start: Starter
) -> None:
    secret = secret_in(add_app(existing))
    reset(strict)

    with later(60):
        browser, asked = log_in(start)
        assert asked.url == FACTOR_PAGE
        show_code(browser, totp(secret))

    assert is_signed_in(browser)
    assert not is_signed_in(existing)


def test_a_recovery_code_confirms_it(
    strict: Server, existing: Browser, start: Starter, user: PbxUser
) -> None:
    add_app(existing)
    codes = RecoveryCodes.activate(user)
    approve_all(user)
    reset(strict)

    browser, _ = log_in(start)
    show_code(browser, codes.get_unused_codes()[0])

    assert is_signed_in(browser)


def test_without_any_of_these_no_link_is_sent(strict: Server, user: PbxUser) -> None:
    forget()
    deliver()

    [mail] = strict.mails
    assert mail.message["Subject"] == "PBX: your forgotten password"
    assert not links(strict)
    assert not PasswordLink.objects.exists()


def test_once_the_session_is_gone_nothing_confirms_it(
    strict: Server, existing: Browser, start: Starter
) -> None:
    reset(strict)
    existing.post("/logout/")
    before = APPROVALS.count()

    _, refused = log_in(start)

    assert b"the same mailbox cannot confirm the login" in refused.content
    assert APPROVALS.count() == before
    assert not LoginSession.objects.filter(state="pending").exists()
    refusal = AuditEvent.objects.filter(event=Event.LOGIN_REFUSED).get()
    assert refusal.detail == "password by e-mail, nothing else to approve"


def test_no_mail_is_sent_again_for_it(
    strict: Server, existing: Browser, start: Starter
) -> None:
    reset(strict)
    browser, _ = log_in(start)
    before = APPROVALS.count()

    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        browser.post("/login/waiting/send-again/")

    assert APPROVALS.count() == before


def test_the_same_mailbox_confirms_it_where_the_settings_allow_that(
    strict: Server, configure: SettingsSetter, start: Starter, user: PbxUser
) -> None:
    configure(forgotten_password_same_mailbox=True)
    reset(strict)

    browser, _ = log_in(start)
    finish_by_email(browser)

    assert is_signed_in(browser)


def test_a_session_of_mypbx_approves_nothing_and_ends(
    strict: Server, existing: Browser, start: Starter
) -> None:
    mypbx = Browser()
    start(mypbx, path="/mypbx/login/")
    assert is_signed_in(mypbx)
    reset(strict)

    assert not is_signed_in(mypbx)
    assert is_signed_in(existing)


def test_a_session_of_an_older_password_comes_back_with_no_reset(
    strict: Server, existing: Browser, start: Starter, user: PbxUser
) -> None:
    """Its row may be there, as after Django's own `manage.py changepassword`."""
    user.set_password("set on the server")
    user.save()
    present = Browser()
    start(present, password="set on the server")
    finish_by_email(present)

    reset(strict)

    assert is_signed_in(present)
    assert not is_signed_in(existing)


def test_an_e_mail_confirms_the_logins_after_it(
    strict: Server, existing: Browser, start: Starter
) -> None:
    reset(strict)
    first, _ = log_in(start)
    approve_in(existing)
    first.post("/login/waiting/continue/")

    second, _ = log_in(start)
    finish_by_email(second)

    assert is_signed_in(second)


@pytest.mark.parametrize("by", ["the user", "an administrator"])
def test_another_password_is_confirmed_by_e_mail_again(
    strict: Server, existing: Browser, start: Starter, user: PbxUser, by: str
) -> None:
    reset(strict)
    user.refresh_from_db()
    assert user.is_from_mailbox

    user.set_password("a third long password")
    user.save()
    browser = Browser()
    start(browser, password="a third long password")

    finish_by_email(browser)
    assert is_signed_in(browser)


def test_the_administrator_sees_whom_it_keeps_out(
    strict: Server, existing: Browser, user: PbxUser
) -> None:
    reset(strict)
    existing.post("/logout/")
    out = StringIO()

    call_command("pbxusers", "access", "--json", stdout=out)

    [anna] = json.loads(out.getvalue())
    assert anna["reasons"] == ["myApps: the password came by e-mail: invite the user"]
    assert (anna["myapps"], anna["mypbx"]) == (False, True)

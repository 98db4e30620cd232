"""A factor that the administrator requires: nothing else opens before it is set up."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
from pbxsite.gateway.forward.lookups import look_up
from pbxsite.gateway.forward.requests import Ticket
from tests.conftest import SettingsSetter, Starter
from tests.support.factors import add_app, approve_all
from tests.support.streams import Stream
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code

pytestmark = pytest.mark.django_db
NEEDED = "/account/factors/needed/"
USERS = "/admin/users/pbxuser/"
SETTINGS = "/admin/authconfig/authenticationsettings/"


@pytest.fixture
def required(
    two_factor: AuthenticationSettings, configure: SettingsSetter
) -> AuthenticationSettings:
    return configure(factor_required=True)


@pytest.fixture
def approved(
    required: AuthenticationSettings, browser: Browser, start: Starter
) -> Browser:
    """Anna's browser after a login that was approved by e-mail alone."""
    start(browser)
    LoginSession.objects.update(
        state=LoginState.ACCEPTED, decided_at=timezone.now(), approver="email"
    )
    assert browser.post("/login/waiting/continue/").url == "/account/"
    return browser


@pytest.mark.parametrize(
    "path",
    [
        "/account/",
        "/account/password/",
        "/account/approvals/",
        "/account/factors/codes/",
    ],
)
def test_who_has_none_is_led_to_set_one_up_first(approved: Browser, path: str) -> None:
    answer = approved.get(path)

    assert (answer.status_code, answer.url) == (302, NEEDED)


def test_no_post_does_anything_before(approved: Browser) -> None:
    answer = approved.post("/account/sessions/end-others/")

    assert answer.url == NEEDED


def test_an_administrator_sets_one_up_first_as_well(
    required: AuthenticationSettings, admin_client_myapps: Browser
) -> None:
    for path in ("/admin/", SETTINGS, USERS):
        assert admin_client_myapps.get(path).url == NEEDED


def test_the_page_says_why_and_leads_on(approved: Browser) -> None:
    page = approved.get(NEEDED).content.decode()

    assert "Your administrator requires a passkey or an authenticator app" in page
    assert 'href="/account/factors/app/add/"' in page
    # This site is reached by an IP address.
    assert 'href="/account/factors/passkeys/add/"' not in page
    assert "a passkey belongs to a host name" in page


def test_with_an_app_the_session_opens_everything(approved: Browser) -> None:
    add_app(approved)

    assert approved.get("/account/factors/codes/").status_code == 200
    assert approved.get("/account/").status_code == 200
    assert approved.get(NEEDED).url == "/account/"


def test_recovery_codes_alone_are_no_factor(approved: Browser, user: PbxUser) -> None:
    kind = Authenticator.Type.RECOVERY_CODES
    Authenticator.objects.create(user=user, type=kind, data={"used_mask": 0})

    assert approved.get("/account/").url == NEEDED


def test_when_the_last_one_is_removed_another_is_needed(
    approved: Browser, user: PbxUser
) -> None:
    add_app(approved)
    Authenticator.objects.filter(user=user).delete()

    assert approved.get("/account/").url == NEEDED


def test_logging_out_and_a_new_login_stay_possible(approved: Browser) -> None:
    assert approved.get("/mypbx/login/").status_code == 200
    assert approved.get("/login/again/").status_code == 200
    assert approved.post("/logout/").url == "/login/"


def test_mypbx_knows_no_second_factor(
    required: AuthenticationSettings, start: Starter, browser: Browser
) -> None:
    start(browser, path="/mypbx/login/")

    assert browser.get("/account/").status_code == 200


def test_such_a_session_decides_about_no_login(
    approved: Browser, start: Starter
) -> None:
    start(Browser())
    login = LoginSession.objects.get(state=LoginState.PENDING)
    values = {"decision": "accept", "code": approval_code(login)}

    assert "Is this you" not in approved.get(NEEDED).content.decode()
    assert approved.post(f"/account/approvals/{login.pk}/", values).url == NEEDED
    login.refresh_from_db()
    assert login.state == LoginState.PENDING


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("hub")
def test_its_pages_are_told_of_no_login(approved: Browser, start: Starter) -> None:
    start(Browser())

    async def story() -> None:
        stream = Stream(approved, path="/account/events/")
        assert await stream.open() == 200
        assert '"pending": 0' in await stream.read()
        await stream.leave()

    asyncio.run(story())


def test_no_client_opens_before_and_each_does_afterwards(approved: Browser) -> None:
    ticket = Ticket("myapps", approved.session.session_key or "", "", "")
    opening = "/clients/myapps/open/"

    assert look_up([ticket])[ticket].status is HTTPStatus.UNAUTHORIZED
    assert approved.get(opening).url == NEEDED
    assert approved.get("/openid/authorize").url == NEEDED
    add_app(approved)
    assert look_up([ticket])[ticket].status is HTTPStatus.OK
    assert approved.get(opening).url == "/account/"


def test_no_tool_of_operators_opens_before(
    required: AuthenticationSettings,
    administrator: PbxUser,
    admin_client_myapps: Browser,
) -> None:
    assert admin_client_myapps.get("/operators/allowed/").status_code == 403

    add_app(admin_client_myapps)
    assert admin_client_myapps.get("/operators/allowed/").status_code == 403
    approve_all(administrator)

    assert admin_client_myapps.get("/operators/allowed/").status_code == 204


def test_without_two_factor_it_can_not_be_required(
    admin_client_myapps: Browser, configure: SettingsSetter
) -> None:
    configure()
    values = {"factor_required": "on", "authentication_type": "pbx_only"}
    values |= {"smtp_security": "starttls", "netlogon_security": "tls"}

    answer = admin_client_myapps.post(SETTINGS, values)

    assert "Needs two-factor authentication" in answer.content.decode()
    assert not current_rules().factor_required


def test_rescue_takes_the_requirement_back(
    required: AuthenticationSettings, administrator: PbxUser
) -> None:
    call_command("rescue", "admin", "--reset")

    current_rules.forget()
    assert not current_rules().factor_required


def test_the_page_and_the_list_name_those_without(
    admin_client_myapps: Browser, user: PbxUser, administrator: PbxUser
) -> None:
    kind = Authenticator.Type.TOTP
    Authenticator.objects.create(user=administrator, type=kind, data={"secret": ""})

    page = admin_client_myapps.get(SETTINGS).content.decode()
    listed = admin_client_myapps.get(f"{USERS}?factor=none").content.decode()

    assert "1 user has neither yet" in page
    assert ">anna<" in listed
    assert f"{USERS}{administrator.pk}/change/" not in listed

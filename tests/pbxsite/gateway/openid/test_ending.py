"""A client's access ends when the session does, in whatever way that happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType
from authconfig.clients.choices import AsksBy, Kind
from authconfig.clients.models import ClientApplication
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid.models import Grant, SigningKey
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.openid import Party, handed_out, make_party
from tests.support.totp import approve_factors
from tests.verification.login.factors.test_factors import add_app
from verification.sessions.lifecycle import clear_expired


def log_out(browser: Browser) -> None:
    browser.post("/logout/")


def end_from_another_browser(browser: Browser) -> None:
    other = Browser()
    other.post("/login/", {"login": "anna", "password": PASSWORD})
    other.post("/account/sessions/end-others/")


def end_in_the_admin(browser: Browser) -> None:
    PbxUser.objects.create_superuser("boss", PASSWORD, email="boss@example.com")
    boss = Browser()
    boss.post("/login/", {"login": "boss", "password": PASSWORD})
    session = UserSession.objects.get(user__name="anna")
    words = {"action": "end_selected", "_selected_action": session.pk}
    answer = boss.post("/admin/usersessions/usersession/", words | {"confirmed": "yes"})
    assert answer.status_code == 302


def deactivate(browser: Browser) -> None:
    PbxUser.objects.filter(name="anna").update(is_active=False)


def change_the_password(browser: Browser) -> None:
    anna = PbxUser.objects.get(name="anna")
    anna.set_password("another long password")
    anna.save()


def delete_the_user(browser: Browser) -> None:
    PbxUser.objects.filter(name="anna").delete()


def log_in_to_mypbx(browser: Browser) -> None:
    browser.post("/mypbx/login/", {"login": "anna", "password": PASSWORD})


def log_in_again(browser: Browser) -> None:
    browser.post("/login/again/", {"login": "anna", "password": PASSWORD})


def make_it_a_mypbx_client(browser: Browser) -> None:
    ClientApplication.objects.filter(slug="voicemail").update(kind=Kind.MYPBX)


def let_it_ask_otherwise(browser: Browser) -> None:
    applications = ClientApplication.objects.filter(slug="voicemail")
    applications.update(asks_by=AsksBy.FORWARD_AUTH)


def delete_the_client(browser: Browser) -> None:
    ClientApplication.objects.filter(slug="voicemail").delete()


def require_a_factor(browser: Browser) -> None:
    AuthenticationSettings.objects.update(
        two_factor=True,
        factor_required=True,
        verification_link="https://pbx.example/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_email_address="pbx@example.com",
    )
    current_rules.forget()


def let_it_run_out(browser: Browser) -> None:
    Session.objects.update(expire_date=timezone.now())
    clear_expired()


ENDS: list[Callable[[Browser], None]] = [
    log_out,
    end_from_another_browser,
    end_in_the_admin,
    deactivate,
    change_the_password,
    delete_the_user,
    log_in_to_mypbx,
    log_in_again,
    make_it_a_mypbx_client,
    let_it_ask_otherwise,
    delete_the_client,
    require_a_factor,
    let_it_run_out,
]
SESSION_ENDS: list[Callable[[Browser], None]] = [
    log_out,
    end_from_another_browser,
    end_in_the_admin,
    delete_the_user,
    let_it_run_out,
    log_in_to_mypbx,
    log_in_again,
]
# The client itself is known no more.
CLIENT_ENDS = {let_it_ask_otherwise, delete_the_client}


@pytest.mark.parametrize("end", ENDS)
def test_what_a_client_holds_is_refused_at_once(
    end: Callable[[Browser], None], anna: Browser, party: Party
) -> None:
    tokens, code = party.tokens(anna), party.code(anna)
    assert party.userinfo(tokens["access_token"]).status_code == 200

    end(anna)

    assert party.userinfo(tokens["access_token"]).status_code == 401
    fault = "invalid_client" if end in CLIENT_ENDS else "invalid_grant"
    assert party.refresh(tokens["refresh_token"]).json()["error"] == fault
    assert party.token(code=code).json()["error"] == fault
    assert party.userinfo(tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("end", SESSION_ENDS)
def test_no_row_of_a_token_outlives_its_session(
    end: Callable[[Browser], None], anna: Browser, party: Party
) -> None:
    party.tokens(anna)
    assert handed_out().count() == 2

    end(anna)

    assert not Token.objects.exists()
    assert not Grant.objects.exists()


def test_what_a_client_holds_stays_where_the_required_factor_is_there(
    anna: Browser, party: Party
) -> None:
    tokens = party.tokens(anna)
    add_app(anna)
    approve_factors()

    require_a_factor(anna)

    assert party.userinfo(tokens["access_token"]).status_code == 200
    assert party.refresh(tokens["refresh_token"]).status_code == 200


def test_what_a_client_holds_ends_where_nobody_approved_the_factor(
    anna: Browser, party: Party
) -> None:
    tokens = party.tokens(anna)
    add_app(anna)

    require_a_factor(anna)

    assert party.userinfo(tokens["access_token"]).status_code == 401


def test_a_client_of_mypbx_needs_no_factor(
    start: Starter, signing_key: SigningKey
) -> None:
    party, browser = make_party(kind=Kind.MYPBX), Browser()
    start(browser, path="/mypbx/login/")
    tokens = party.tokens(browser)

    require_a_factor(browser)

    assert party.userinfo(tokens["access_token"]).status_code == 200


@pytest.mark.database
def test_a_session_that_nobody_used_takes_its_tokens_along(
    anna: Browser, party: Party
) -> None:
    tokens = party.tokens(anna)

    over = timezone.now() + settings.SESSION_IDLE_TTL + timedelta(minutes=1)
    with time_machine.travel(over):
        before = party.refresh(tokens["refresh_token"])
        clear_expired()

        assert before.json() == {"error": "invalid_grant"}
        after = party.refresh(tokens["refresh_token"])
        assert after.json() == {"error": "invalid_grant"}


def test_other_sessions_of_the_user_go_on(
    anna: Browser, party: Party, start: Starter
) -> None:
    second = Browser()
    start(second)
    kept = party.tokens(second)

    log_out(anna)

    assert party.userinfo(kept["access_token"]).status_code == 200


@pytest.mark.database
def test_a_client_that_is_told_costs_few_queries(
    anna: Browser, party: Party, django_assert_max_num_queries: object
) -> None:
    value = party.tokens(anna)["access_token"]
    party.userinfo(value)

    with django_assert_max_num_queries(10):  # type: ignore[operator]
        party.userinfo(value)


def test_where_the_policy_lets_nobody_in_any_more_tokens_are_over(
    user: PbxUser,
    signing_key: SigningKey,
    browser: Browser,
    start: Starter,
    configure: SettingsSetter,
) -> None:
    party = make_party("phone", kind=Kind.MYPBX)
    start(browser, path="/mypbx/login/")
    tokens = party.tokens(browser)
    assert party.userinfo(tokens["access_token"]).status_code == 200

    configure(
        authentication_type=AuthenticationType.OAUTH2_ONLY,
        oauth2_provider_name="Windows",
        oauth2_well_known_url="https://idp.example/",
        oauth2_client_id="pbx",
    )

    assert party.userinfo(tokens["access_token"]).status_code == 401
    refreshed = party.refresh(tokens["refresh_token"])
    assert refreshed.json() == {"error": "invalid_grant"}

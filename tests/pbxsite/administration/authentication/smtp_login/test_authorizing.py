"""“Authorize …”: to the provider of the mailbox and back, in one browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from io import StringIO
from time import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
import time_machine
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.html import Page
from tests.support.mail_provider import (
    MAILBOX,
    SECRET,
    MailProvider,
    running_mail_provider,
)
from tests.support.scripted_tokens import TokenEndpoint, token, token_endpoint
from tests.support.settings_data import posted
from tests.verification.login.test_oauth2_trial import address_in, read
from tests.verification.sessions.test_reauthentication import grow_old
from verification.mail.oauth2.authorization import authorized_as
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.models import KeptToken
from verification.mail.oauth2.settings import configuration_of

pytestmark = pytest.mark.django_db
PAGE = "/admin/authconfig/authenticationsettings/"
AUTHORIZE = "/admin/smtp-oauth2/authorize/"
CALLBACK = "/admin/smtp-oauth2/callback/"
SITE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def mail_provider() -> Iterator[MailProvider]:
    with running_mail_provider() as running:
        yield running


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as running:
        yield running


def account(url: str, client_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "smtp_server": "mail.example.com",
        "smtp_login": "client_secret",
        "smtp_username": MAILBOX,
        "smtp_oauth2_token_url": f"{url}/token",
        "smtp_oauth2_authorize_url": f"{url}/auth",
        "smtp_oauth2_client_id": client_id,
        "smtp_oauth2_client_secret": SECRET,
        "smtp_oauth2_scope": "openid email smtp offline_access",
    } | changes


@pytest.fixture
def stored(
    configure: SettingsSetter, mail_provider: MailProvider
) -> AuthenticationSettings:
    return configure(**account(mail_provider.issuer, "mail-post"))


@pytest.fixture
def scripted(
    configure: SettingsSetter, endpoint: TokenEndpoint
) -> AuthenticationSettings:
    url = endpoint.url.removesuffix("/token")
    return configure(**account(url, "pbx"))


def present() -> Configuration:
    found = configuration_of(AuthenticationSettings.load())
    assert found
    return found


def asked(browser: Browser, **values: str) -> dict[str, str]:
    """Begin an authorization; return what the provider is asked."""
    return dict(parse_qsl(urlsplit(address_in(browser.post(AUTHORIZE, values))).query))


def come_back(browser: Browser, **answer: str) -> HttpResponse:
    return browser.get(f"{CALLBACK}?{urlencode(answer)}")  # type: ignore[return-value]


def visit(browser: Browser, provider: MailProvider, name: str) -> HttpResponse:
    address = address_in(browser.post(AUTHORIZE))  # type: ignore[arg-type]
    back = provider.log_in(address, name)
    assert back.startswith(f"{SITE}{CALLBACK}")
    return browser.get(back.removeprefix(SITE))  # type: ignore[return-value]


def id_token(nonce: str, **changes: Any) -> str:
    claims = {"aud": "pbx", "exp": time() + 60, "nonce": nonce, "sub": "1"} | changes
    return jwt.encode(claims, "the key of nobody in particular: 32 bytes", "HS256")


def answered(browser: Browser, endpoint: TokenEndpoint, **claims: Any) -> HttpResponse:
    """Come back from a scripted provider that names somebody in an ID token."""
    sent = asked(browser)
    told = id_token(**({"nonce": sent["nonce"]} | claims))
    endpoint.answers = [token(refresh_token="r-1", id_token=told)]
    return come_back(browser, code="c", state=sent["state"])


def test_the_request_is_bound_to_this_browser_and_site(
    admin: Browser, stored: AuthenticationSettings
) -> None:
    first, second = asked(admin), asked(admin)

    assert first["redirect_uri"] == f"{SITE}{CALLBACK}"
    assert first["code_challenge_method"] == "S256"
    assert first["login_hint"] == MAILBOX
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) > 30
        assert first[name] != second[name]


def test_a_visit_at_the_real_provider_authorizes_the_mailbox(
    admin: Browser, stored: AuthenticationSettings, mail_provider: MailProvider
) -> None:
    page = visit(admin, mail_provider, MAILBOX)

    assert f"may send e-mails as {MAILBOX}" in read(page)
    assert authorized_as(present()) == MAILBOX
    assert KeptToken.objects.get().refresh_token
    event = AuditEvent.objects.get(event=Event.MAIL_AUTHORIZED)
    assert event.actor
    assert MAILBOX in event.detail
    assert f"Authorized as {MAILBOX}" in Page(admin.get(PAGE).content.decode()).text(
        id="smtp-authorization-text"
    )


def test_the_command_line_tells_the_redirect_uri_and_the_account(
    admin: Browser, stored: AuthenticationSettings, mail_provider: MailProvider
) -> None:
    visit(admin, mail_provider, MAILBOX)
    out = StringIO()

    call_command("authconfig", "show", stdout=out)
    assert f"smtp_oauth2_redirect_uri={SITE}{CALLBACK}" in out.getvalue().splitlines()
    assert f"smtp_oauth2_authorized_as={MAILBOX}" in out.getvalue().splitlines()


def test_another_mailbox_is_refused_in_words(
    admin: Browser, stored: AuthenticationSettings, mail_provider: MailProvider
) -> None:
    words = read(visit(admin, mail_provider, "anna@example.com"))

    assert f"as anna@example.com, but the user name is {MAILBOX}" in words
    assert "switch “Shared mailbox” on" in words
    assert authorized_as(present()) is None


def test_another_account_may_send_for_a_shared_mailbox(
    admin: Browser,
    stored: AuthenticationSettings,
    configure: SettingsSetter,
    mail_provider: MailProvider,
) -> None:
    configure(smtp_oauth2_shared_mailbox=True)
    assert "login_hint" not in asked(admin)

    words = read(visit(admin, mail_provider, "anna@example.com"))
    assert f"sends for the shared mailbox {MAILBOX}" in words
    assert authorized_as(present()) == "anna@example.com"


def test_the_answer_counts_in_the_browser_that_asked_alone(
    admin: Browser,
    scripted: AuthenticationSettings,
) -> None:
    sent = asked(admin)
    PbxUser.objects.create_superuser("boss", PASSWORD)
    answer = {"code": "c", "state": sent["state"]}

    forged = come_back(admin, code="c", state="x" * len(sent["state"]))
    assert forged.status_code == HTTPStatus.BAD_REQUEST
    stranger = come_back(Browser(), **answer)
    assert "/login/" in stranger.headers["Location"]
    for name in ("boss", "admin"):
        elsewhere = Browser()
        elsewhere.force_login(
            PbxUser.objects.get(name=name), "verification.login.PolicyBackend"
        )
        assert come_back(elsewhere, **answer).status_code != HTTPStatus.OK
    assert not KeptToken.objects.exists()


def test_an_answer_counts_once_and_for_ten_minutes(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    used = asked(admin)
    endpoint.answers = [token(refresh_token="r-1")]
    assert come_back(admin, code="c", state=used["state"]).status_code == HTTPStatus.OK
    again = come_back(admin, code="c", state=used["state"])
    assert again.status_code == HTTPStatus.BAD_REQUEST
    assert "no authorization that you have begun in this browser" in read(again)

    late = asked(admin)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        answer = come_back(admin, code="c", state=late["state"])
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert len(endpoint.forms) == 1


def test_the_code_is_shown_with_its_verifier(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    answered(admin, endpoint, email=MAILBOX)

    (form,) = endpoint.forms
    assert form["redirect_uri"] == f"{SITE}{CALLBACK}"
    assert len(form["code_verifier"]) > 40


@pytest.mark.parametrize("claim", ["email", "preferred_username", "upn"])
def test_the_id_token_names_the_account(
    admin: Browser,
    scripted: AuthenticationSettings,
    endpoint: TokenEndpoint,
    claim: str,
) -> None:
    answered(admin, endpoint, **{claim: MAILBOX.upper()})

    assert authorized_as(present()) == MAILBOX


def test_one_name_of_several_is_enough(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    answered(admin, endpoint, email="alias@example.com", upn=MAILBOX)

    assert authorized_as(present()) == MAILBOX


def test_a_provider_that_does_not_say_is_warned_of(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    words = read(answered(admin, endpoint))

    assert "as whom the provider does not say" in words
    assert authorized_as(present()) == ""
    shown = Page(admin.get(PAGE).content.decode())
    assert "the provider does not say" in shown.text(id="smtp-authorization-text")


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"aud": "another"}, {"exp": 1}],
    ids=["nonce", "audience", "expiry"],
)
def test_an_id_token_for_somebody_else_is_refused(
    admin: Browser,
    scripted: AuthenticationSettings,
    endpoint: TokenEndpoint,
    claims: dict[str, Any],
) -> None:
    words = read(answered(admin, endpoint, email=MAILBOX, **claims))

    assert "not to what this site has asked" in words
    assert authorized_as(present()) is None


@pytest.mark.parametrize("broken", ["", "x", "a.b.c", "a.W10.c"])
def test_what_is_no_id_token_is_refused(
    admin: Browser,
    scripted: AuthenticationSettings,
    endpoint: TokenEndpoint,
    broken: str,
) -> None:
    sent = asked(admin)
    endpoint.answers = [token(refresh_token="r-1", id_token=broken)]

    come_back(admin, code="c", state=sent["state"])
    assert authorized_as(present()) == (None if broken else "")


def test_the_answer_of_another_issuer_is_refused(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    sent = asked(admin)

    answer = {"code": "c", "state": sent["state"], "iss": "https://evil.example"}
    assert "not to what this site has asked" in read(come_back(admin, **answer))
    assert endpoint.forms == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "did not authorize this site: access_denied: she said no"),
        ("interaction_required", "wants somebody to log in or to consent"),
        ("unauthorized_client", "does not accept this site as its client"),
        ("", "refuses the request"),
    ],
)
def test_what_the_provider_says_is_told_with_a_remedy(
    admin: Browser, scripted: AuthenticationSettings, error: str, words: str
) -> None:
    sent = asked(admin)
    said = {"error": error, "error_description": "she said no"}

    assert words in read(come_back(admin, state=sent["state"], **said))


def test_an_authorization_that_could_not_be_renewed_is_refused(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    sent = asked(admin)
    endpoint.answers = [token()]

    words = read(come_back(admin, code="c", state=sent["state"]))
    assert "gave no refresh token" in words
    assert authorized_as(present()) is None


def test_values_on_the_screen_count_before_they_are_saved(
    admin: Browser, mail_provider: MailProvider
) -> None:
    entered = posted(**account(mail_provider.issuer, "mail-post"))
    address = address_in(admin.post(AUTHORIZE, entered))  # type: ignore[arg-type]

    back = mail_provider.log_in(address, MAILBOX)
    assert MAILBOX in read(admin.get(back.removeprefix(SITE)))  # type: ignore[arg-type]
    assert AuthenticationSettings.load().smtp_login == "password"
    assert KeptToken.objects.get().account == MAILBOX


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"smtp_login": "password"}, "needs nobody to authorize it"),
        ({"smtp_oauth2_grant": "client_credentials"}, "needs nobody to authorize it"),
        ({"smtp_oauth2_authorize_url": ""}, "Authorization endpoint: Enter it"),
        ({"smtp_oauth2_authorize_url": "http://idp.example/"}, "https"),
        ({"smtp_username": "", "smtp_email_address": ""}, "Enter the mailbox"),
    ],
)
def test_values_that_lead_nowhere_are_named(
    admin: Browser,
    scripted: AuthenticationSettings,
    changes: dict[str, str],
    words: str,
) -> None:
    answer = admin.post(AUTHORIZE, posted(**changes))

    assert words in read(answer)  # type: ignore[arg-type]


def test_an_old_login_has_to_show_again_who_it_is(
    admin: Browser, scripted: AuthenticationSettings
) -> None:
    grow_old(admin)
    assert "Your login is older than 15 minutes" in read(admin.post(AUTHORIZE))  # type: ignore[arg-type]

    assert asked(admin, own_password=PASSWORD)["state"]


def test_the_page_needs_the_right_and_a_post(admin: Browser) -> None:
    assert admin.get(AUTHORIZE).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert "/login/" in Browser().post(AUTHORIZE).headers["Location"]
    assert admin.post(CALLBACK).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_no_secret_is_on_the_way(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    page = admin.post(AUTHORIZE)
    assert SECRET not in page.content.decode()
    kept = str(dict(admin.session))

    assert SECRET not in kept
    assert parse_qs(urlsplit(address_in(page)).query)["state"][0] not in kept  # type: ignore[arg-type]


def test_another_server_or_tenant_has_no_authorization(
    admin: Browser, scripted: AuthenticationSettings, endpoint: TokenEndpoint
) -> None:
    answered(admin, endpoint, email=MAILBOX)

    assert authorized_as(present()) == MAILBOX
    assert authorized_as(replace(present(), server="mail.evil.example")) is None

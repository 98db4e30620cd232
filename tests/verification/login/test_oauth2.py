"""OAuth2 against a certified provider: who logs in, as whom, and who does not."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event, Method
from authconfig.models import AuthenticationSettings
from authconfig.oauth2 import identities
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import LINK, PASSWORD, SettingsSetter, Starter
from tests.support.provider import Provider, running_provider
from verification.approval.models import LoginSession

pytestmark = pytest.mark.django_db


@pytest.fixture
def oauth2(configure: SettingsSetter, provider: Provider) -> SettingsSetter:
    """Let users log in to myApps with OAuth2 as well, unless told else."""

    def set_fields(**values: object) -> AuthenticationSettings:
        chosen = {"authentication_type": "pbx_and_oauth2"} | values
        return configure(**provider.settings(**chosen))

    set_fields()
    return set_fields


def start_at(browser: Browser, query: str = "", **values: str) -> str:
    """Press the button; return the provider's address that the page leads to."""
    answer = browser.post(f"/login/oauth2/{query}", values)
    assert answer.status_code == 200, answer
    found = re.search(r'id="lead-on" href="([^"]+)"', answer.content.decode())
    assert found
    return html.unescape(found[1])


def log_in(
    browser: Browser, provider: Provider, account: str, **values: str
) -> HttpResponse:
    """Go there and back again."""
    back = provider.log_in(start_at(browser, **values), account)
    return browser.get(back.removeprefix("http://127.0.0.1:8000"))  # type: ignore[return-value]


def refusal(browser: Browser) -> str:
    page = browser.get("/login/").content.decode()
    found = re.search(
        r'role="alert".*?<p>(.*?)</p>|<p>([^<]*Reference[^<]*)</p>', page, re.S
    )
    assert found, page
    return html.unescape(found[1] or found[2]).strip()


def is_signed_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def test_a_user_logs_in_and_is_bound_to_the_account(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    answer = log_in(browser, provider, "1")

    assert answer.url == "/account/"  # type: ignore[attr-defined]
    assert browser.get("/account/").context["user"] == user
    identity = ProviderIdentity.objects.get()
    assert (identity.user, identity.issuer, identity.subject) == (
        user,
        provider.issuer,
        "1",
    )
    event = AuditEvent.objects.get(event=Event.LOGIN)
    assert event.method == Method.OAUTH2
    assert event.proof
    history = browser.get("/account/").content.decode()
    assert "An account for OAuth2 logins was connected" in history


def test_what_goes_to_the_provider(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter
) -> None:
    oauth2(oauth2_authorize_query="&prompt=login&client_id=other")

    answer = browser.post("/login/oauth2/?scope=admin&auth_params=acr_values%3Dx", {})

    found = re.search(r'href="([^"]+)"', answer.content.decode().split("lead-on")[1])
    assert found
    query = parse_qs(urlsplit(html.unescape(found[1])).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["client_id"] == ["pbx"]
    assert query["prompt"] == ["login"]
    assert query["scope"] == ["openid profile email"]
    assert query["redirect_uri"] == ["http://127.0.0.1:8000/login/oauth2/callback/"]
    assert set(query) >= {"state", "nonce", "code_challenge"}
    assert "acr_values" not in query


@pytest.mark.parametrize(
    ("client", "secret"),
    [("pbx", True), ("pbx-post", True), ("pbx-public", False)],
)
def test_each_way_of_showing_the_secret_works(
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    client: str,
    secret: bool,
) -> None:
    row = oauth2(oauth2_client_id=client)
    if not secret:
        oauth2(oauth2_client_id=client, oauth2_client_secret="")
    assert row.oauth2_client_id == client

    assert log_in(browser, provider, "1").url == "/account/"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("client", "why"),
    [
        ("pbx-hs512", "it is signed by another algorithm: HS512"),
        ("pbx-encrypted", "the provider's answer is encrypted: ID token"),
        ("pbx-signed", "the provider answers with a signed UserInfo"),
    ],
)
def test_what_the_provider_is_set_up_for_in_vain_is_named(
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    client: str,
    why: str,
) -> None:
    oauth2(oauth2_client_id=client)

    assert log_in(browser, provider, "1").url == "/login/"  # type: ignore[attr-defined]

    assert why in AuditEvent.objects.get(event=Event.LOGIN_FAILED).detail


def test_a_provider_that_takes_basic_alone_logs_in(
    user: PbxUser, browser: Browser, configure: SettingsSetter
) -> None:
    with running_provider(clientAuthMethods=["client_secret_basic"]) as provider:
        configure(**provider.settings(authentication_type="pbx_and_oauth2"))

        assert log_in(browser, provider, "1").url == "/account/"  # type: ignore[attr-defined]


def test_it_goes_on_to_where_the_user_wanted_to_go(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    assert log_in(browser, provider, "1", next="/admin/").url == "/admin/"  # type: ignore[attr-defined]
    other = Browser()
    gone = log_in(other, provider, "1", next="https://evil.example/")
    assert gone.url == "/account/"  # type: ignore[attr-defined]


def test_two_factor_applies_and_nothing_of_the_provider_lies_in_the_session(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    oauth2(
        two_factor=True,
        verification_link=LINK,
        smtp_server="127.0.0.1",
        smtp_email_address="pbx@example.com",
    )

    answer = log_in(browser, provider, "1")

    assert answer.url == "/login/waiting/"  # type: ignore[attr-defined]
    assert not is_signed_in(browser)
    assert "anna@example.com" not in str(dict(browser.session))
    assert "access_token" not in str(dict(browser.session))
    # Somebody may still reject this login, of an account that nobody knows yet.
    assert not ProviderIdentity.objects.exists()
    accepted = {"state": "accepted", "approver": "session"}
    LoginSession.objects.update(decided_at=timezone.now(), **accepted)
    browser.post("/login/waiting/continue/")
    assert is_signed_in(browser)
    assert ProviderIdentity.objects.get().user == user


def test_who_was_bound_meanwhile_by_another_account_is_turned_away(
    user: PbxUser,
    browser: Browser,
    two_factor: object,
    oauth2: SettingsSetter,
    provider: Provider,
) -> None:
    oauth2(two_factor=True)
    log_in(browser, provider, "1")
    identities.bind(user, provider.issuer, "3", origin=audit.NOWHERE)
    accepted = {"state": "accepted", "approver": "session"}
    LoginSession.objects.update(decided_at=timezone.now(), **accepted)

    browser.post("/login/waiting/continue/")

    assert not is_signed_in(browser)
    assert ProviderIdentity.objects.get().subject == "3"


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("7", "is not known here"),  # no PBX user
        ("6", "is not known here"),  # no UPN
    ],
)
def test_who_is_no_pbx_user_is_turned_away(
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    account: str,
    words: str,
) -> None:
    answer = log_in(browser, provider, account)

    assert answer.url == "/login/"  # type: ignore[attr-defined]
    said = refusal(browser)
    assert words in said
    reference = said.rpartition(" ")[2]
    event = AuditEvent.objects.get(event=Event.LOGIN_FAILED)
    assert event.detail.startswith(f"{reference}: ")
    assert not is_signed_in(browser)
    assert not ProviderIdentity.objects.exists()


def test_a_second_account_of_the_same_name_opens_nothing(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    log_in(Browser(), provider, "1")

    log_in(browser, provider, "3")

    assert not is_signed_in(browser)
    assert ProviderIdentity.objects.count() == 1


def test_a_bound_account_is_found_whatever_its_name_has_become(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    log_in(Browser(), provider, "1")
    PbxUser.objects.filter(pk=user.pk).update(name="renamed", name_key="renamed")
    PbxUser.objects.create_user("anna", PASSWORD)

    log_in(browser, provider, "1")

    assert browser.get("/account/").context["user"] == user


def test_an_unverified_address_names_nobody(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    oauth2(oauth2_upn_claim="email")

    log_in(browser, provider, "4")

    assert not is_signed_in(browser)
    PbxUser.objects.create_user("carl")
    log_in(browser, provider, "5")
    assert is_signed_in(browser)


def test_an_inactive_user_is_turned_away(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    log_in(Browser(), provider, "1")
    PbxUser.objects.filter(pk=user.pk).update(is_active=False)

    log_in(browser, provider, "1")

    assert not is_signed_in(browser)


def test_an_administrator_connects_the_account_while_signed_in(
    administrator: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    start: Starter,
) -> None:
    log_in(browser, provider, "2")
    assert not is_signed_in(browser)
    assert "connect your account first" in refusal(browser)

    start(browser, "admin")
    assert log_in(browser, provider, "2").url == "/account/"  # type: ignore[attr-defined]
    assert ProviderIdentity.objects.get().user == administrator

    other = Browser()
    log_in(other, provider, "2")
    assert other.get("/account/").context["user"] == administrator


def test_nobody_connects_anothers_account(
    administrator: PbxUser,
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    start: Starter,
) -> None:
    start(browser, "admin")

    log_in(browser, provider, "1")

    assert not ProviderIdentity.objects.exists()
    assert "belongs to another user" in browser.get("/account/").content.decode()


@pytest.mark.parametrize("kind", ["pbx_only", "netlogon_only"])
def test_only_the_authentication_type_opens_the_door(
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    kind: str,
) -> None:
    address = start_at(browser)
    oauth2(authentication_type=kind, netlogon_domain="ad.example.com")

    back = provider.log_in(address, "1")
    browser.get(back.removeprefix("http://127.0.0.1:8000"))

    assert not is_signed_in(browser)
    assert browser.post("/login/oauth2/").url == "/login/"  # type: ignore[attr-defined]


def test_a_callback_works_once_and_in_the_browser_that_started(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    back = provider.log_in(start_at(browser), "1")
    path = back.removeprefix("http://127.0.0.1:8000")
    stranger = Browser()

    stranger.get(path)
    assert not is_signed_in(stranger)
    browser.get(path)
    assert is_signed_in(browser)
    browser.post("/logout/")
    browser.get(path)
    assert not is_signed_in(browser)


def test_a_login_that_was_cancelled_there_says_so(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter
) -> None:
    state = parse_qs(urlsplit(start_at(browser)).query)["state"][0]

    browser.get(f"/login/oauth2/callback/?error=access_denied&state={state}")

    assert "was cancelled" in refusal(browser)


def test_the_session_key_is_a_new_one(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    browser.get("/login/")
    back = provider.log_in(start_at(browser), "1")
    before = browser.session.session_key

    browser.get(back.removeprefix("http://127.0.0.1:8000"))

    assert browser.session.session_key != before


def test_nothing_of_allauths_is_stored_and_get_starts_nothing(
    user: PbxUser, browser: Browser, oauth2: SettingsSetter, provider: Provider
) -> None:
    log_in(browser, provider, "1")

    assert not SocialAccount.objects.exists()
    assert not SocialToken.objects.exists()
    assert Browser().get("/login/oauth2/").status_code == 405


def test_account_security_tells_of_the_account_and_offers_to_connect_it(
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    start: Starter,
) -> None:
    start(browser)
    assert "not connected yet" in browser.get("/account/").content.decode()

    log_in(browser, provider, "1")

    page = browser.get("/account/").content.decode()
    assert "Your account there is connected to this one." in page
    oauth2(authentication_type="pbx_only")
    assert "Login with Windows" not in browser.get("/account/").content.decode()


def test_the_policy_is_asked_again_when_a_signed_in_user_comes_back(
    user: PbxUser,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
    start: Starter,
) -> None:
    start(browser)
    back = provider.log_in(start_at(browser), "1")
    oauth2(authentication_type="pbx_only")

    browser.get(back.removeprefix("http://127.0.0.1:8000"))

    assert not ProviderIdentity.objects.exists()
    assert "not offered any more" in browser.get("/account/").content.decode()

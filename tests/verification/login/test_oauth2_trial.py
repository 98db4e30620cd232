"""The test of OAuth2 that goes to the real provider and back, and logs nobody in."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig import lockout
from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.provider import CLIENT_SECRET, Provider
from tests.support.scripted_provider import scripted_provider
from tests.verification.sessions.test_reauthentication import PAGE as SETTINGS
from tests.verification.sessions.test_reauthentication import grow_old

pytestmark = pytest.mark.django_db
TEST = "/admin/oauth2/test/"
CONNECT = f"{TEST}connect/"
SITE = "http://127.0.0.1:8000"
RoundTrip = Callable[..., HttpResponse]


@pytest.fixture
def stored(configure: SettingsSetter, provider: Provider) -> AuthenticationSettings:
    """The provider's settings, saved, while OAuth2 is not allowed yet."""
    return configure(**provider.settings())


def address_in(answer: HttpResponse) -> str:
    found = re.search(r'id="lead-on" href="([^"]+)"', answer.content.decode())
    assert found, answer.content.decode()
    return html.unescape(found[1])


def read(answer: HttpResponse) -> str:
    """Return the page's words alone."""
    words = re.sub(r"<[^>]+>", "", answer.content.decode())
    return html.unescape(re.sub(r"\s+", " ", words))


def offer_in(answer: HttpResponse) -> str:
    found = re.search(r'name="offer" value="([^"]+)"', answer.content.decode())
    assert found
    return found[1]


@pytest.fixture
def go(admin: Browser, provider: Provider) -> RoundTrip:
    """Go there as an account and come back to the result."""

    def round_trip(account: str, **values: str) -> HttpResponse:
        back = provider.log_in(address_in(post(admin, **values)), account)
        return admin.get(back.removeprefix(SITE))  # type: ignore[return-value]

    return round_trip


def post(browser: Browser, path: str = TEST, **values: str) -> HttpResponse:
    # The page posts its whole section.
    whole = {"oauth2_session_hours": "12"} | values
    return browser.post(path, whole)  # type: ignore[return-value]


def event() -> AuditEvent:
    return AuditEvent.objects.filter(event=Event.OAUTH2_TESTED).latest("pk")


def test_it_says_whom_the_account_logs_in_and_logs_in_nobody(
    user: PbxUser,
    admin: Browser,
    administrator: PbxUser,
    stored: AuthenticationSettings,
    go: RoundTrip,
    provider: Provider,
) -> None:
    page = read(go("1"))

    assert "This account logs in as anna. The first login connects it" in page
    assert "upn anna@example.com" in page
    assert "name Anna Berg" in page
    assert "nonce" not in page
    assert admin.get("/account/").context["user"] == administrator
    assert not ProviderIdentity.objects.exists()
    assert (event().user, event().actor) == (user, administrator)
    assert f"{provider.well_known_url} pbx: 1 ({provider.issuer})" in event().detail


def test_values_that_are_not_saved_are_tested(
    user: PbxUser, admin: Browser, go: RoundTrip, provider: Provider
) -> None:
    page = read(go("1", **provider.settings(oauth2_domain="", oauth2_upn_claim="name")))

    assert "no PBX user of this name. Anna Berg" in page
    assert "Add a PBX user of this name." in page
    assert "name Anna Berg" in page
    assert AuthenticationSettings.load().oauth2_well_known_url == ""
    assert event().proof == ""


def test_the_secret_lies_in_the_session_encrypted_and_no_longer_than_the_test(
    admin: Browser, provider: Provider
) -> None:
    address = address_in(post(admin, **provider.settings()))

    kept = str(dict(admin.session))
    assert "oauth2_test" in kept
    assert CLIENT_SECRET not in kept
    admin.get(provider.log_in(address, "2").removeprefix(SITE))
    assert "oauth2_test" not in admin.session


def test_a_stored_secret_is_not_sent_to_a_changed_provider(
    admin: Browser, stored: AuthenticationSettings, provider: Provider
) -> None:
    changed = provider.settings(oauth2_client_secret="", oauth2_client_id="other")

    page = read(post(admin, **changed))

    assert "Client secret (OAuth2): Enter it again" in page


def test_what_is_missing_is_told(admin: Browser) -> None:
    page = read(post(admin))

    assert "Client ID (OAuth2): Enter it first." in page
    assert "well-known configuration URL: Enter it first." in page


def test_an_account_that_is_bound_is_found_by_that_alone(
    user: PbxUser, stored: AuthenticationSettings, go: RoundTrip, provider: Provider
) -> None:
    issuer = provider.issuer
    identity = ProviderIdentity.objects.create(user=user, issuer=issuer, subject="7")

    assert "This account logs in as anna. It is connected" in read(go("7"))
    identity.refresh_from_db()
    assert identity.last_used_at is None


def test_the_testers_own_account_is_connected_by_his_word_and_is_then_proof(
    administrator: PbxUser, admin: Browser, go: RoundTrip, provider: Provider
) -> None:
    values = provider.settings()
    wanted = AuthenticationSettings(authentication_type="oauth2_only", **values)
    shown = go("2", **values)
    assert "an administrator's account has to be connected first" in read(shown)
    assert lockout.lockout_by(AuthenticationSettings(), wanted, administrator)

    connected = read(post(admin, CONNECT, offer=offer_in(shown)))

    assert "This account logs in as admin. It is connected" in connected
    assert ProviderIdentity.objects.get().user == administrator
    assert not lockout.lockout_by(AuthenticationSettings(), wanted, administrator)
    wanted.oauth2_client_id = "other"
    assert lockout.lockout_by(AuthenticationSettings(), wanted, administrator)


def test_the_own_bound_account_is_proof_at_once(
    administrator: PbxUser, go: RoundTrip, provider: Provider
) -> None:
    issuer = provider.issuer
    ProviderIdentity.objects.create(user=administrator, issuer=issuer, subject="2")
    values = provider.settings()
    wanted = AuthenticationSettings(authentication_type="oauth2_only", **values)

    assert "It is your own account" in read(go("2", **values))

    assert not lockout.lockout_by(AuthenticationSettings(), wanted, administrator)


def test_nobody_is_offered_another_administrators_account(
    stored: AuthenticationSettings, admin: Browser, go: RoundTrip
) -> None:
    PbxUser.objects.create_superuser("anna")

    page = read(go("1"))

    assert "an administrator's account has to be connected first. anna" in page
    assert "Is it yours?" not in page
    assert "no login was started" in read(post(admin, CONNECT, offer="made-up"))
    assert not ProviderIdentity.objects.exists()


def test_an_old_session_connects_nothing_before_it_is_proved(
    stored: AuthenticationSettings,
    administrator: PbxUser,
    admin: Browser,
    go: RoundTrip,
) -> None:
    offer = offer_in(go("2"))
    grow_old(admin)

    asked = post(admin, CONNECT, offer=offer)
    assert unquote(asked.url) == f"/account/confirm/?next={CONNECT}"  # type: ignore[attr-defined]
    assert not ProviderIdentity.objects.exists()

    answer = {"password": PASSWORD, "next": CONNECT}
    connected = read(post(admin, "/account/confirm/", **answer))
    assert "This account logs in as admin. It is connected" in connected
    assert ProviderIdentity.objects.get().user == administrator


def test_who_logged_in_again_instead_goes_on_in_the_settings(
    admin: Browser,
) -> None:
    assert admin.get(CONNECT).url == SETTINGS  # type: ignore[attr-defined]


def test_an_offer_is_for_who_got_it_and_for_ten_minutes(
    administrator: PbxUser,
    stored: AuthenticationSettings,
    admin: Browser,
    go: RoundTrip,
) -> None:
    offer = offer_in(go("2"))
    other = PbxUser.objects.create_superuser("other", PASSWORD)
    theirs = Browser()
    theirs.force_login(other)
    session = theirs.session
    session["kind"] = "myapps"
    session["began_at"] = time.time()
    session.save()

    post(theirs, CONNECT, offer=offer)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        post(admin, CONNECT, offer=offer)

    assert not ProviderIdentity.objects.exists()


def test_a_wrong_secret_is_told_with_its_remedy(
    stored: AuthenticationSettings, configure: SettingsSetter, go: RoundTrip
) -> None:
    configure(oauth2_client_secret="wrong")

    page = read(go("1"))

    assert "the provider does not exchange the code" in page
    assert "invalid_client" in page
    assert "Compare the client ID" in page
    assert event().detail.count("invalid_client") == 1


def test_a_provider_that_is_away_is_told_at_once(
    configure: SettingsSetter, provider: Provider, admin: Browser
) -> None:
    away = "http://127.0.0.1:9/.well-known/openid-configuration"
    configure(**provider.settings(oauth2_well_known_url=away))

    page = read(post(admin))

    assert "the provider takes no connection at this port" in page
    assert "Check the address" in page
    assert "takes no connection" in event().detail


def test_a_forged_answer_is_told_exactly(admin: Browser) -> None:
    with scripted_provider() as script:
        script.claims = {"nonce": "another"}
        back = script.log_in(address_in(post(admin, **script.settings())))
        page = read(admin.get(back.removeprefix(SITE)))  # type: ignore[arg-type]

    assert "the ID token is not valid. nonce" in page


def test_what_was_just_mended_is_asked_anew(
    admin: Browser, user: PbxUser, configure: SettingsSetter
) -> None:
    with scripted_provider() as script:
        configure(**script.settings())
        script.configuration = {"issuer": "https://other.example"}
        Browser().post("/login/oauth2/")
        assert "the issuer is not the one" in read(post(admin))
        script.configuration = {}

        back = script.log_in(address_in(post(admin)))
        assert "logs in as anna" in read(admin.get(back.removeprefix(SITE)))  # type: ignore[arg-type]


def test_a_cancelled_login_is_told(
    stored: AuthenticationSettings, admin: Browser
) -> None:
    address = address_in(post(admin))
    state = re.search(r"state=(\w+)", address)
    assert state

    answer = admin.get(f"/login/oauth2/callback/?error=access_denied&state={state[1]}")

    assert "cancelled at the provider" in read(answer)  # type: ignore[arg-type]


def test_a_test_answers_once_and_in_its_own_browser(
    stored: AuthenticationSettings, admin: Browser, provider: Provider, user: PbxUser
) -> None:
    back = provider.log_in(address_in(post(admin)), "1").removeprefix(SITE)

    stranger = Browser()
    stranger.get(back)
    assert "_auth_user_id" not in stranger.session
    assert "logs in as anna" in read(admin.get(back))  # type: ignore[arg-type]
    assert admin.get(back).status_code == 302


def test_a_test_becomes_no_login_when_the_right_is_gone(
    stored: AuthenticationSettings,
    admin: Browser,
    administrator: PbxUser,
    provider: Provider,
    user: PbxUser,
) -> None:
    back = provider.log_in(address_in(post(admin)), "1").removeprefix(SITE)
    PbxUser.objects.filter(pk=administrator.pk).update(
        is_superuser=False, is_staff=False
    )

    answer = admin.get(back)

    assert answer.status_code == 302
    assert admin.get("/account/").context["user"] == administrator
    assert not ProviderIdentity.objects.exists()


def test_a_login_that_is_under_way_is_no_answer_to_a_test(
    configure: SettingsSetter,
    provider: Provider,
    admin: Browser,
    administrator: PbxUser,
) -> None:
    configure(**provider.settings(authentication_type="pbx_and_oauth2"))
    login = provider.log_in(address_in(post(admin, "/login/oauth2/")), "2")
    post(admin)

    admin.get(login.removeprefix(SITE))

    assert ProviderIdentity.objects.get().user == administrator


def test_it_takes_the_right_to_change_the_settings(
    stored: AuthenticationSettings, user: PbxUser, start: Starter
) -> None:
    user.is_staff = True
    user.save()
    browser = Browser()
    start(browser)

    assert browser.post(TEST).status_code == 403
    assert browser.post(CONNECT).status_code == 403

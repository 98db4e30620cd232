"""A client's request, until it is answered with a code or refused."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import AuthenticationType, Event
from authconfig.clients.choices import AsksBy, Kind
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.gateway.openid.models import Grant, SigningKey
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.openid import CALLBACK, Party, challenge, make_party, told
from tests.support.provider import Provider
from tests.verification.login.test_oauth2 import log_in, oauth2

__all__ = ["oauth2"]  # a fixture
HOUR = 3600
# Each of them is the client's address to somebody who reads it carelessly.
HOSTILE = [
    "",
    "/callback",
    "//apps.example.com/callback",
    "apps.example.com/callback",
    "http://apps.example.com/callback",
    "HTTPS://APPS.EXAMPLE.COM/callback",
    "https://APPS.example.com/callback",
    "https://apps.example.com/callback/",
    "https://apps.example.com/Callback",
    "https://apps.example.com/callback?",
    "https://apps.example.com/callback?x=1",
    "https://apps.example.com/callback#",
    "https://apps.example.com/callback#x",
    "https://apps.example.com:443/callback",
    "https://apps.example.com:8443/callback",
    "https://apps.example.com./callback",
    "https://evil.example@apps.example.com/callback",
    "https://apps.example.com@evil.example/callback",
    "https://apps.example.com.evil.example/callback",
    "https://evil.example/callback",
    "https://evil.example\\@apps.example.com/callback",
    "https://evil.example\\.apps.example.com/callback",
    "https:\\\\apps.example.com\\callback",
    "https:/apps.example.com/callback",
    "https:apps.example.com/callback",
    "https:///apps.example.com/callback",
    "https://apps.example.com//callback",
    "https://apps.example.com/x/../callback",
    "https://apps.example.com/%63allback",
    "https://apps.example.com/callback%00",
    "https://apps.example.com/callback\0",
    "https://apps.example.com/callback\r\nSet-Cookie: x=y",
    " https://apps.example.com/callback",
    "https://apps.example.com/callback ",
    "https://\u0430pps.example.com/callback",
    "https://[apps.example.com/callback",
    "javascript:alert(1)//https://apps.example.com/callback",
    "data:text/html,https://apps.example.com/callback",
    f"{CALLBACK}\n{CALLBACK}",
]
WRONG = {
    "no PKCE": ({"code_challenge": None}, "invalid_request"),
    "plain PKCE": ({"code_challenge_method": "plain"}, "invalid_request"),
    "PKCE without its method": ({"code_challenge_method": None}, "invalid_request"),
    "a short challenge": ({"code_challenge": "short"}, "invalid_request"),
    "implicit": ({"response_type": "token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "no response type": ({"response_type": None}, "invalid_request"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "form_post": ({"response_mode": "form_post"}, "invalid_request"),
    "no openid": ({"scope": "profile"}, "invalid_scope"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "unknown scope alone": ({"scope": "admin"}, "invalid_scope"),
    "prompt none and login": ({"prompt": "none login"}, "invalid_request"),
    "an unknown prompt": ({"prompt": "create"}, "invalid_request"),
    "a negative age": ({"max_age": "-1"}, "invalid_request"),
    "no age": ({"max_age": "old"}, "invalid_request"),
    "a request object": ({"request": "e30."}, "request_not_supported"),
    "a request elsewhere": (
        {"request_uri": "https://evil.example/"},
        "request_uri_not_supported",
    ),
    "NUL": ({"nonce": "a\0b"}, "invalid_request"),
    "a nonce without end": ({"nonce": "n" * 2000}, "invalid_request"),
}


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)


def wanted(answer: HttpResponse, page: str) -> str:
    """Return where the login page that the browser is sent to would lead."""
    assert answer.status_code == 302
    path, _mark, query = answer["Location"].partition("?")
    assert path == page
    return parse_qs(query)["next"][0]


def led_on(answer: HttpResponse) -> dict[str, str]:
    """Return what the client is told by the page that leads on to it."""
    assert answer.status_code == 200
    page = answer.content.decode()
    found = re.search(r'id="lead-on" href="([^"]+)"', page)
    assert found, page
    address = html.unescape(found[1])
    assert address.startswith(CALLBACK)
    assert f'content="0; url={found[1]}"' in page
    return dict(parse_qsl(urlsplit(address).query))


def prove(browser: Browser, then: str) -> HttpResponse:
    """Enter the password again, and go where that leads."""
    proved = browser.post("/account/confirm/", {"password": PASSWORD, "next": then})
    assert proved.status_code == 302, proved.content
    return browser.get(proved["Location"])


def test_a_session_is_answered_with_a_code_at_once(anna: Browser, party: Party) -> None:
    answer = told(anna.get(party.asked()))

    assert answer["code"]
    assert answer["state"] == "a state"
    assert answer["iss"] == "http://127.0.0.1:8000"
    assert Grant.objects.get().user.name == "anna"


def test_state_comes_back_to_the_letter(anna: Browser, party: Party) -> None:
    state = ' +%2B&"<ü '

    assert told(anna.get(party.asked(state=state)))["state"] == state


def test_a_login_comes_first_and_a_page_leads_on_after_it(
    user: PbxUser, party: Party, browser: Browser
) -> None:
    then = wanted(browser.get(party.asked()), "/login/")
    done = browser.post(
        "/login/", {"login": "anna", "password": PASSWORD, "next": then}
    )

    assert done["Location"] == then
    assert led_on(browser.get(then))["code"]


def test_a_login_elsewhere_leads_on_as_well(
    user: PbxUser,
    party: Party,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
) -> None:
    then = wanted(browser.get(party.asked()), "/login/")

    done = log_in(browser, provider, "1", next=then)

    assert done["Location"] == then
    assert led_on(browser.get(then))["code"]


def test_a_login_that_waits_for_approval_gives_no_code(
    two_factor: AuthenticationSettings, party: Party, browser: Browser, start: Starter
) -> None:
    start(browser)

    assert wanted(browser.get(party.asked()), "/login/")
    assert told(browser.get(party.asked(prompt="none")))["error"] == "login_required"


@pytest.mark.parametrize(("changes", "error"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_to_the_client(
    changes: dict[str, str | None], error: str, anna: Browser, party: Party
) -> None:
    answer = told(anna.get(party.asked(**changes)))

    assert answer["error"] == error
    assert answer["state"] == "a state"
    assert "code" not in answer
    assert not Grant.objects.exists()


def test_a_parameter_is_there_once(anna: Browser, party: Party) -> None:
    answer = told(anna.get(f"{party.asked()}&scope=openid"))

    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("uri", HOSTILE)
def test_an_address_that_is_not_exactly_the_clients_gets_nothing(
    uri: str, anna: Browser, party: Party
) -> None:
    answer = anna.get(party.asked(redirect_uri=uri))

    assert answer.status_code == 400
    assert "Location" not in answer
    assert b"refresh" not in answer.content
    assert not Grant.objects.exists()


def test_two_addresses_get_nothing(anna: Browser, party: Party) -> None:
    second = quote("https://evil.example/")

    answer = anna.get(f"{party.asked()}&redirect_uri={second}")

    assert answer.status_code == 400


def test_an_unknown_client_gets_nothing(anna: Browser, party: Party) -> None:
    assert anna.get(party.asked(client_id="unknown")).status_code == 400
    assert anna.get(party.asked(client_id=None)).status_code == 400
    assert anna.get(party.asked(client_id="a\0b")).status_code == 400


def test_an_application_that_asks_by_forward_authentication_gets_nothing(
    anna: Browser, party: Party
) -> None:
    party.openid.application.asks_by = AsksBy.FORWARD_AUTH
    party.openid.application.save()

    assert anna.get(party.asked()).status_code == 400


def test_a_clients_post_goes_on_as_a_get(anna: Browser, party: Party) -> None:
    words = dict(parse_qsl(urlsplit(party.asked()).query))

    answer = anna.post("/openid/authorize", words)

    assert told(anna.get(answer["Location"]))["code"]


def test_prompt_none_shows_no_page(anna: Browser, party: Party) -> None:
    stranger = told(Browser().get(party.asked(prompt="none")))
    too_old = told(anna.get(party.asked(prompt="none", max_age="0")))

    assert stranger["error"] == "login_required"
    assert too_old["error"] == "login_required"
    assert told(anna.get(party.asked(prompt="none")))["code"]


def test_a_login_that_is_too_old_is_proved_again(anna: Browser, party: Party) -> None:
    with later(2 * HOUR):
        then = wanted(anna.get(party.asked(max_age="3600")), "/account/confirm/")
        code = led_on(prove(anna, then))["code"]
        claims = party.claims(party.token(code=code).json())

        assert timezone.now().timestamp() - claims["auth_time"] < 10
    assert told(anna.get(party.asked(max_age="3600")))["code"]


def test_prompt_login_asks_however_young_the_login_is(
    anna: Browser, party: Party
) -> None:
    asked = party.asked(prompt="login")
    then = wanted(anna.get(asked), "/account/confirm/")

    wanted(anna.get(then), "/account/confirm/")
    assert led_on(prove(anna, then))["code"]
    wanted(anna.get(asked), "/account/confirm/")


def test_a_proof_counts_for_the_request_that_asked_for_it(
    anna: Browser, party: Party
) -> None:
    asked = party.asked(prompt="login")
    then = wanted(anna.get(asked), "/account/confirm/")
    prove(anna, then)

    other = anna.get(f"{then}&{urlsplit(asked).query.replace('a+state', 'another')}")
    changed = anna.get(f"{asked.replace('a+state', 'another')}&{urlsplit(then).query}x")

    assert led_on(other)["state"] == "a state"
    wanted(changed, "/account/confirm/")


def test_a_mypbx_session_never_opens_a_myapps_client(
    user: PbxUser, party: Party, browser: Browser, start: Starter
) -> None:
    start(browser, path="/mypbx/login/")

    then = wanted(browser.get(party.asked()), "/login/")
    silent = told(browser.get(party.asked(prompt="none")))

    assert silent["error"] == "login_required"
    wanted(browser.get(then), "/login/")
    start(browser)
    assert led_on(browser.get(then))["code"]


def test_a_mypbx_client_is_opened_by_a_mypbx_session(
    user: PbxUser, signing_key: SigningKey, browser: Browser, start: Starter
) -> None:
    party = make_party("phone", kind=Kind.MYPBX)

    wanted(browser.get(party.asked()), "/mypbx/login/")
    start(browser)
    wanted(browser.get(party.asked()), "/mypbx/login/")
    start(browser, path="/mypbx/login/")
    assert told(browser.get(party.asked()))["code"]


def test_a_mypbx_session_logs_in_again_where_that_is_asked(
    user: PbxUser, signing_key: SigningKey, browser: Browser, start: Starter
) -> None:
    party = make_party("phone", kind=Kind.MYPBX)
    start(browser, path="/mypbx/login/")
    asked = party.asked(prompt="login")

    then = wanted(browser.get(asked), "/mypbx/login/again/")
    form = {"login": "anna", "password": PASSWORD, "next": then}
    done = browser.post("/mypbx/login/again/", form)

    assert led_on(browser.get(done["Location"]))["code"]


def test_where_the_policy_lets_nobody_in_the_client_is_told(
    configure: SettingsSetter, user: PbxUser, browser: Browser, start: Starter
) -> None:
    party = make_party("phone", kind=Kind.MYPBX)
    start(browser, path="/mypbx/login/")
    configure(
        authentication_type=AuthenticationType.OAUTH2_ONLY,
        oauth2_provider_name="Windows",
        oauth2_well_known_url="https://idp.example/",
        oauth2_client_id="pbx",
    )

    assert told(browser.get(party.asked()))["error"] == "access_denied"


@pytest.fixture
def foreign(signing_key: SigningKey) -> Party:
    """An application that is not marked as our own."""
    return make_party("calendar", is_own=False)


def decide(browser: Browser, page: HttpResponse, decision: str) -> HttpResponse:
    found = re.search(r'action="([^"]+consent[^"]+)"', page.content.decode())
    assert found
    address = html.unescape(found[1])
    return browser.post(address, {"decision": decision})


def test_a_foreign_client_is_told_nothing_before_the_user_agrees(
    anna: Browser, foreign: Party
) -> None:
    page = anna.get(foreign.asked())
    agreed = decide(anna, page, "allow")

    assert "apps.example.com" in page.content.decode()
    assert "your e-mail address" in page.content.decode()
    assert led_on(anna.get(agreed["Location"]))["code"]
    assert told(anna.get(foreign.asked()))["code"]


def test_who_does_not_agree_sends_the_client_away(
    anna: Browser, foreign: Party
) -> None:
    page = anna.get(foreign.asked())

    answer = led_on(decide(anna, page, "deny"))

    assert answer["error"] == "access_denied"
    assert answer["state"] == "a state"


def test_consent_is_for_what_was_asked(anna: Browser, foreign: Party) -> None:
    decide(anna, anna.get(foreign.asked(scope="openid")), "allow")

    assert told(anna.get(foreign.asked(scope="openid")))["code"]
    assert b"It would be told" in anna.get(foreign.asked()).content
    silent = told(anna.get(foreign.asked(prompt="none")))
    assert silent["error"] == "consent_required"


@pytest.mark.parametrize("is_own", [True, False])
def test_prompt_consent_asks_again(
    is_own: bool, anna: Browser, signing_key: SigningKey
) -> None:
    party = make_party("calendar", is_own=is_own)
    asked = party.asked(prompt="consent")

    for _time in range(2):
        page = anna.get(asked)
        assert b"It would be told" in page.content
        agreed = decide(anna, page, "allow")
        assert led_on(anna.get(agreed["Location"]))["code"]


def test_consent_is_given_by_the_users_own_page_alone(
    user: PbxUser, foreign: Party, start: Starter
) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    address = foreign.asked().replace("authorize", "consent")

    assert browser.get(address).status_code == 405
    assert browser.post(address, {"decision": "allow"}).status_code == 403


def test_who_opened_which_client_is_in_the_audit_log(
    anna: Browser, party: Party
) -> None:
    told(anna.get(party.asked()))
    told(anna.get(party.asked(scope="profile")))

    opened = AuditEvent.objects.get(event=Event.CLIENT_OPENED)
    refused = AuditEvent.objects.get(event=Event.CLIENT_REFUSED)
    assert (opened.user_name, opened.kind) == ("anna", Kind.MYAPPS)
    assert opened.detail == "client voicemail: OpenID Connect"
    assert "invalid_scope" in refused.detail


@pytest.mark.parametrize("method", ["get", "post"])
def test_strangers_do_not_fill_the_audit_log(
    anna: Browser, party: Party, method: str
) -> None:
    stranger = Browser()
    page = party.asked(scope="profile")
    if method == "post":
        page = page.replace("authorize", "consent")

    answers = [getattr(stranger, method)(page) for _time in range(25)]

    assert all(
        "error=" in str(answer.headers) + answer.content.decode() for answer in answers
    )
    refused = AuditEvent.objects.filter(event=Event.CLIENT_REFUSED)
    assert refused.count() == 20
    told(anna.get(party.asked(scope="profile")))
    assert refused.count() == 21


@pytest.mark.parametrize(
    "asked", [{}, {"response_type": "token"}], ids=["right", "bad"]
)
def test_no_user_fills_the_tables_either(
    anna: Browser, party: Party, settings: Settings, asked: dict[str, str]
) -> None:
    limits = settings.ACCOUNT_RATE_LIMITS | {"openid_asked": "2/m/user"}
    settings.ACCOUNT_RATE_LIMITS = limits
    before = AuditEvent.objects.count()

    statuses = [anna.get(party.asked(**asked)).status_code for _ in range(4)]

    assert statuses == ([302] * 2 + [429] * 2 if not asked else [302] * 4)
    assert AuditEvent.objects.count() == before + 2
    assert Grant.objects.count() == (0 if asked else 2)


def test_an_id_token_of_somebody_else_is_no_hint_to_this_session(
    anna: Browser, party: Party, administrator: PbxUser
) -> None:
    mine = party.tokens(anna)["id_token"]
    other = Browser()
    other.post("/login/", {"login": "admin", "password": PASSWORD})

    with later(HOUR):
        assert told(anna.get(party.asked(id_token_hint=mine)))["code"]
    assert "error" in told(anna.get(party.asked(id_token_hint="made up")))
    answer = told(other.get(party.asked(id_token_hint=mine)))
    assert answer["error"] == "login_required"


def test_the_mark_of_a_question_cannot_be_made_up(anna: Browser, party: Party) -> None:
    asked = party.asked(prompt="login")

    wanted(anna.get(f"{asked}&asked=1"), "/account/confirm/")


def test_challenges_of_the_tests_are_right() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert unquote(CALLBACK) == CALLBACK

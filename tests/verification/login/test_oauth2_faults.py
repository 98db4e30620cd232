"""What a provider may get wrong: each fault ends closed, in one sentence, recorded."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.oauth2 import discovery
from authconfig.oauth2.discovery import ENDPOINTS, check_endpoints, is_for_many_tenants
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.users.models import AuditEvent
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.oauth2_logins import (
    FromNow,
    assert_refused,
    come_back,
    is_signed_in,
    leads_to,
    log_in,
    start,
    timed,
)
from tests.support.scripted_provider import KEYS, Scripted

pytestmark = pytest.mark.django_db
CONFIGURATION = "/.well-known/openid-configuration"
Change = Callable[[Scripted], object]
BIG = b'{"issuer": "' + b"x" * 600_000 + b'"}'


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "https://evil.example"}, "the issuer is not the one"),
        ({"issuer": None}, "the issuer"),
        ({"issuer": "https://x.example/{tenantid}/v2.0"}, "many organisations"),
        ({"authorization_endpoint": None}, "lacks an address"),
        ({"token_endpoint": 7}, "lacks an address"),
        ({"jwks_uri": "http://keys.example/"}, "not https"),
        ({"userinfo_endpoint": "ftp://x/"}, "not https"),
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused(
    script: Scripted, browser: Browser, change: dict[str, Any], why: str
) -> None:
    script.configuration = change

    assert_refused(start(browser), browser, why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, BIG), "larger than 512 KiB"),
        ((200, b"<html>"), "not what OpenID Connect"),
        ((200, b"[]"), "not what OpenID Connect"),
        ((200, b"[" * 100_000), "not what OpenID Connect"),
        ((302, b""), "another address"),
        ((404, b""), "status 404"),
        ((503, b""), "status 503"),
    ],
    ids=["huge", "html", "list", "nested", "redirect", "404", "503"],
)
def test_an_answer_that_is_no_configuration_is_refused(
    script: Scripted, browser: Browser, answer: tuple[int, bytes], why: str
) -> None:
    script.instead[CONFIGURATION] = answer

    assert_refused(start(browser), browser, why)


@pytest.mark.parametrize("path", [CONFIGURATION, "/token", "/keys", "/userinfo"])
@pytest.mark.parametrize("manner", ["hangs", "drips"])
def test_a_provider_that_hangs_costs_no_more_than_its_limit(
    script: Scripted,
    browser: Browser,
    settings: Any,
    path: str,
    manner: str,
) -> None:
    settings.OAUTH2_TIMEOUT = 0.5
    if manner == "hangs":
        script.delays[path] = 30
    else:
        script.dripping.add(path)
    began = time.monotonic()

    page = start(browser) if path == CONFIGURATION else log_in(browser, script)

    assert time.monotonic() - began < 3
    assert_refused(page, browser, "does not answer in time")
    assert "does not answer at present" in html.unescape(page.content.decode())


def test_a_slow_provider_is_waited_for(script: Scripted, browser: Browser) -> None:
    script.delays = {CONFIGURATION: 0.3, "/token": 0.3, "/keys": 0.3}

    log_in(browser, script)

    assert is_signed_in(browser)


@pytest.mark.parametrize(
    "answer",
    [
        (400, b'{"error": "invalid_grant"}'),
        (200, b'{"token_type": "Bearer"}'),
        (200, b"[]"),
        (200, b""),
        (200, b"\xff\xfe"),
        (500, b""),
        (200, b"[" * 100_000),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1][:30]!r}",
)
def test_a_code_that_is_not_exchanged_is_refused(
    script: Scripted, browser: Browser, answer: tuple[int, bytes]
) -> None:
    script.instead["/token"] = answer

    assert_refused(log_in(browser, script), browser, "does not exchange the code")


def test_the_providers_words_are_told_whole(script: Scripted, browser: Browser) -> None:
    words = {"error": "invalid_grant", "error_description": 'The code "x" is \\ used.'}
    script.instead["/token"] = (400, json.dumps(words).encode())

    why = 'does not exchange the code: invalid_grant: The code "x" is \\ used.'
    assert_refused(log_in(browser, script), browser, why)


def test_no_part_of_a_token_is_in_the_audit_log(
    script: Scripted, browser: Browser
) -> None:
    script.instead["/token"] = (200, b'{"id_token": "eyJh.secret", "error": "odd"}')

    assert_refused(log_in(browser, script), browser, "does not exchange the code: odd")

    assert "eyJh" not in AuditEvent.objects.get(event=Event.LOGIN_FAILED).detail


@pytest.mark.parametrize(
    "words", [{"expires_in": "soon"}, {"expires_in": 10**30}, {"refresh_token": 7}]
)
def test_what_we_do_not_use_may_be_anything(
    script: Scripted, browser: Browser, words: dict[str, Any]
) -> None:
    script.token_words = words

    log_in(browser, script)

    assert is_signed_in(browser)


@pytest.mark.parametrize(
    "keys", [b"{}", b'{"keys": []}', b'{"keys": ["x"]}', b'{"keys": [{"kty": "oct"}]}']
)
def test_keys_that_are_none_are_refused(
    script: Scripted, browser: Browser, keys: bytes
) -> None:
    script.instead["/keys"] = (200, keys)

    page = log_in(browser, script)

    assert page.status_code == 200
    assert not is_signed_in(browser)
    assert AuditEvent.objects.get(event=Event.LOGIN_FAILED)


def test_rotated_keys_are_fetched(script: Scripted, browser: Browser) -> None:
    log_in(Browser(), script)
    script.publishes, script.signs_with = [KEYS[1]], KEYS[1]

    log_in(browser, script)

    assert is_signed_in(browser)


def test_unknown_keys_do_not_make_us_ask_again_and_again(
    script: Scripted, browser: Browser
) -> None:
    log_in(Browser(), script)
    script.signs_with = KEYS[2]

    for _ in range(3):
        log_in(Browser(), script)

    assert script.asked.count("/keys") == 2


def expire_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)


@pytest.mark.parametrize("answer", [(503, b""), (502, b"<html>")])
def test_a_copy_serves_while_the_provider_is_away(
    script: Scripted,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, bytes],
) -> None:
    log_in(Browser(), script)
    expire_copies(monkeypatch)
    script.instead = {CONFIGURATION: answer, "/keys": answer}

    log_in(browser, script)

    assert is_signed_in(browser)


def test_no_copy_covers_for_a_provider_that_became_another(
    script: Scripted, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(Browser())
    expire_copies(monkeypatch)
    script.configuration = {"issuer": "https://evil.example"}

    assert_refused(start(browser), browser, "the issuer is not the one")


def test_configuration_and_keys_are_fetched_once(script: Scripted) -> None:
    for _ in range(3):
        log_in(Browser(), script)

    assert script.asked.count(CONFIGURATION) == 1
    assert script.asked.count("/keys") == 1


def test_no_password_of_the_machine_goes_to_the_provider(
    script: Scripted,
    configure: SettingsSetter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    configure(oauth2_client_secret="")

    log_in(Browser(), script)

    ((header, _form),) = script.credentials
    assert header == ""
    assert ("/userinfo", "Bearer an-access-token") in script.authorizations


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "the DNS does not know the provider's name"),
        (503, "the provider answers with a fault of its own: status 503"),
    ],
    ids=["unknown name", "503"],
)
def test_a_fault_that_is_told_at_once_is_not_told_as_slowness(
    script: Scripted,
    browser: Browser,
    configure: SettingsSetter,
    status: int | None,
    words: str,
) -> None:
    if status is None:
        configure(oauth2_well_known_url=f"https://login.invalid{CONFIGURATION}")
    else:
        script.instead[CONFIGURATION] = (status, b"")

    assert_refused(start(browser), browser, words)


def test_the_login_page_works_while_the_provider_is_down(
    script: Scripted, browser: Browser, configure: SettingsSetter
) -> None:
    configure(oauth2_well_known_url=f"http://127.0.0.1:9{CONFIGURATION}")

    page = start(browser)

    assert_refused(page, browser, "takes no connection at this port")
    assert 'id="oauth2-login"' in page.content.decode()
    browser.post("/login/", {"login": "anna", "password": PASSWORD})
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    "said", [None, FromNow(-1000), "yesterday", {}, float("nan")], ids=str
)
def test_only_a_recent_login_there_proves_again_who_somebody_is(
    script: Scripted, browser: Browser, said: Any
) -> None:
    log_in(browser, script)
    session = browser.session
    session["began_at"] -= 16 * 60
    session.save()
    script.claims = timed({"auth_time": said})

    page = log_in(browser, script)

    assert page.status_code == 200
    assert "Reference: " in page.content.decode()
    again = browser.post("/account/sessions/end-others/")
    assert again["Location"].startswith("/account/confirm/")


def test_a_recent_login_there_proves_again_who_somebody_is(
    script: Scripted, browser: Browser
) -> None:
    log_in(browser, script)
    session = browser.session
    session["began_at"] -= 16 * 60
    session.save()
    script.claims = timed({"auth_time": FromNow(-60)})

    log_in(browser, script)

    answer = browser.post("/account/sessions/end-others/")
    assert answer["Location"] == "/account/"


def test_strangers_answers_are_limited(browser: Browser, script: Scripted) -> None:
    for _ in range(30):
        browser.get("/login/oauth2/callback/?state=x&code=y")

    answer = browser.get("/login/oauth2/callback/?state=x&code=y")

    assert answer.status_code == 429
    assert AuditEvent.objects.filter(event=Event.LOGIN_FAILED).count() == 30


def test_what_ended_before_is_no_way_in(script: Scripted, browser: Browser) -> None:
    address = script.log_in(leads_to(start(Browser())))

    assert_refused(come_back(browser, address), browser, "no login was started")
    cache.clear()


def test_strangers_write_nothing_of_their_own_into_the_log_and_not_without_end(
    browser: Browser, script: Scripted
) -> None:
    path = "/login/oauth2/callback/?error=made-up&state=none"
    statuses = [browser.get(path).status_code for _ in range(32)]

    assert statuses.count(429) == 2
    details = AuditEvent.objects.values_list("detail", flat=True)
    assert not any("made-up" in detail for detail in details)


def test_a_provider_elsewhere_leads_to_nothing_on_this_machine() -> None:
    found = dict.fromkeys(ENDPOINTS, "https://login.example.com/x")
    found["issuer"] = "https://login.example.com"
    check_endpoints(found)

    with pytest.raises(ProviderError) as refused:
        check_endpoints(found | {"token_endpoint": "http://127.0.0.1:6379/"})

    assert refused.value.fault is ProviderFault.CLEAR_TEXT


@pytest.mark.parametrize(
    "tenant", ["Common", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"]
)
def test_a_tenant_of_everybody_is_refused(tenant: str) -> None:
    assert is_for_many_tenants(f"https://login.microsoftonline.com/{tenant}/v2.0")

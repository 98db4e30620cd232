"""Strangers who would log users out, with tokens that are not the provider's for us."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from tests.conftest import SettingsSetter
from tests.support.logout_tokens import PATH, logout_token, post
from tests.support.oauth2_logins import log_in
from tests.support.scripted_provider import KEYS, Scripted, key_id, scripted_provider
from tests.verification.login.conftest import script as script

pytestmark = pytest.mark.django_db
HEADERS = {"kid": key_id(KEYS[0])}
Forge = Callable[[Scripted], str]


def ago(seconds: int) -> int:
    return int(time.time()) - seconds


def of_another_provider(script: Scripted) -> str:
    with scripted_provider() as other:
        return logout_token(other, {})


def of_another_key(script: Scripted) -> str:
    return logout_token(script, {}, key=KEYS[2])


def unsigned(script: Scripted) -> str:
    words = {"key": None, "algorithm": "none", "headers": HEADERS}
    return logout_token(script, {}, **words)


def by_a_shared_secret(script: Scripted) -> str:
    secret = script.settings()["oauth2_client_secret"]
    return logout_token(
        script, {}, key=secret.ljust(32), algorithm="HS256", headers=HEADERS
    )


def an_id_token(script: Scripted) -> str:
    script.nonce = "a-nonce"
    return script.token()


def changed(**claims: Any) -> Forge:
    return lambda script: logout_token(script, claims)


def of_another_type(script: Scripted) -> str:
    return logout_token(script, {}, headers=HEADERS | {"typ": "at+jwt"})


FORGED: dict[str, Forge] = {
    "another provider": of_another_provider,
    "another key": of_another_key,
    "alg none": unsigned,
    "HMAC by the client secret": by_a_shared_secret,
    "an ID token": an_id_token,
    "another type": of_another_type,
    "another client": changed(aud="another-client"),
    "no audience": changed(aud=None),
    "another issuer": changed(iss="https://evil.example"),
    "no jti": changed(jti=None),
    "jti is no text": changed(jti=["x"]),
    "no events": changed(events=None),
    "another event": changed(events={"http://example.com/event": {}}),
    "events is a list": changed(events=["x"]),
    "a nonce": changed(nonce="n"),
    "nobody": changed(sub=None),
    "sub is no text": changed(sub=["1"]),
    "over": changed(iat=lambda: 0, exp=None),
    "nothing": lambda _script: "",
    "no token": lambda _script: "a.b.c",
    "NUL": lambda _script: "\0.\0.\0",
}
FORGED["over"] = lambda script: logout_token(script, {"iat": ago(400), "exp": ago(100)})
FORGED["old, though it is not over"] = lambda script: logout_token(
    script, {"iat": ago(3600)}
)
FORGED["from the future"] = lambda script: logout_token(script, {"iat": ago(-600)})


@pytest.mark.parametrize("forge", FORGED.values(), ids=list(FORGED))
def test_a_forged_token_ends_nothing(
    script: Scripted, browser: Browser, forge: Forge
) -> None:
    log_in(browser, script)

    answer = post(forge(script))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert browser.get("/account/").status_code == 200
    assert AuditEvent.objects.filter(event=Event.PROVIDER_LOGOUT_REFUSED).count() == 1


def test_a_token_ends_nothing_a_second_time(script: Scripted, browser: Browser) -> None:
    log_in(browser, script)
    token = logout_token(script, {})
    assert post(token).status_code == 200
    again = Browser()
    log_in(again, script)
    assert post(token).status_code == 400
    assert again.get("/account/").status_code == 200


def test_other_methods_and_too_many_are_refused(
    script: Scripted, browser: Browser
) -> None:
    assert browser.get(PATH).status_code == 405
    answers = {post("nonsense").status_code for _try in range(301)}
    assert answers == {400, 429}


def test_nobody_is_logged_out_where_oauth2_is_off(
    script: Scripted, configure: SettingsSetter, browser: Browser
) -> None:
    log_in(browser, script)
    configure(authentication_type="pbx_only")
    assert post(logout_token(script, {})).status_code == 400


def test_a_provider_that_is_away_is_asked_to_say_it_again(
    configure: SettingsSetter, script: Scripted
) -> None:
    with scripted_provider() as gone:
        configure(**gone.settings())
        token = logout_token(gone, {})
    assert post(token).status_code == 503
    assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"

"""How the site shows its secret to a provider, and what it remembers of that."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from urllib.parse import unquote, unquote_plus

import pytest
from django.test import Client as Browser

from tests.conftest import SettingsSetter
from tests.support.oauth2_logins import assert_refused, is_signed_in, log_in
from tests.support.scripted_provider import Scripted

pytestmark = pytest.mark.django_db
LIST = "token_endpoint_auth_methods_supported"
BASIC, POST = "client_secret_basic", "client_secret_post"
Knows = Callable[[str, dict[str, str]], bool]
SECRET = "a+secret %with: signs"


def sent_in(credentials: tuple[str, dict[str, str]]) -> tuple[str, str]:
    """Return the way of a request to the token endpoint, and the secret as it went."""
    header, form = credentials
    if not header:
        return (POST, form["client_secret"]) if "client_secret" in form else ("", "")
    pair = base64.b64decode(header.removeprefix("Basic ")).decode()
    return BASIC, pair.partition(":")[2]


def knows(*, by: Iterable[str], decodes: bool = True, secret: str = SECRET) -> Knows:
    """Return a provider that takes a secret in these ways, raw or decoded."""

    def is_right(header: str, form: dict[str, str]) -> bool:
        way, shown = sent_in((header, form))
        read = unquote_plus(shown) if way == BASIC and decodes else shown
        return way in by and read == secret

    return is_right


def ways_of(script: Scripted) -> list[str]:
    return [sent_in(credentials)[0] for credentials in script.credentials]


@pytest.mark.parametrize(
    ("offered", "way"),
    [
        (None, BASIC),
        ([BASIC], BASIC),
        ([POST], POST),
        ([POST, BASIC], BASIC),
        (["private_key_jwt"], BASIC),
        ("client_secret_post", BASIC),
    ],
    ids=str,
)
def test_the_secret_goes_out_as_the_provider_wants_it(
    script: Scripted, browser: Browser, offered: list[str] | None, way: str
) -> None:
    if offered:
        script.configuration = {LIST: offered}

    log_in(browser, script)

    assert is_signed_in(browser)
    assert ways_of(script) == [way]
    assert script.credentials[0][1]["code_verifier"]


def test_a_public_client_sends_no_secret(
    script: Scripted, configure: SettingsSetter
) -> None:
    configure(oauth2_client_secret="")

    log_in(Browser(), script)

    ((header, form),) = script.credentials
    assert (header, form.get("client_secret")) == ("", None)
    assert form["client_id"] == "pbx"


@pytest.mark.parametrize(
    ("by", "decodes", "tries"),
    [
        ([BASIC], True, [BASIC]),
        ([POST], True, [BASIC, POST]),
        # These read Basic without decoding it; the first two take post as well.
        ([BASIC, POST], False, [BASIC, POST]),
        ([BASIC], False, [BASIC, POST, BASIC]),
    ],
    ids=["Basic", "post", "raw", "raw, Basic alone"],
)
def test_what_worked_is_remembered(
    script: Scripted, by: list[str], decodes: bool, tries: list[str]
) -> None:
    script.configuration = {LIST: [POST, BASIC, "private_key_jwt"]}
    script.knows = knows(by=by, decodes=decodes)
    first, second = Browser(), Browser()

    log_in(first, script)
    log_in(second, script)

    assert is_signed_in(first)
    assert is_signed_in(second)
    assert ways_of(script) == [*tries, tries[-1]]


@pytest.mark.parametrize(
    "refusal",
    [(401, b"<html>"), (403, b'{"error": "unauthorized_client"}')],
    ids=["401", "unauthorized_client"],
)
def test_a_client_is_refused_in_other_words_too(
    script: Scripted, browser: Browser, refusal: tuple[int, bytes]
) -> None:
    script.configuration, script.refusal = {LIST: [BASIC, POST]}, refusal
    script.knows = knows(by=[POST])

    log_in(browser, script)

    assert is_signed_in(browser)


def test_post_is_not_tried_where_it_is_not_listed(
    script: Scripted, browser: Browser, configure: SettingsSetter
) -> None:
    configure(oauth2_client_secret="plain")
    script.knows = knows(by=[POST], secret="plain")

    page = log_in(browser, script)

    assert_refused(page, browser, "does not exchange the code: client_secret_basic: ")
    assert ways_of(script) == [BASIC]


def test_a_new_secret_is_shown_in_the_usual_way_again(
    script: Scripted, configure: SettingsSetter
) -> None:
    script.configuration = {LIST: [BASIC, POST]}
    script.knows = knows(by=[POST])
    log_in(Browser(), script)
    configure(oauth2_client_secret="another")
    script.knows = knows(by=[BASIC], secret="another")

    log_in(Browser(), script)

    assert ways_of(script) == [BASIC, POST, BASIC]


def test_basic_is_read_by_who_knows_no_plus_for_a_space(
    script: Scripted, browser: Browser
) -> None:
    """Authlib decodes %XX alone."""
    script.knows = lambda header, form: unquote(sent_in((header, form))[1]) == SECRET

    log_in(browser, script)

    assert is_signed_in(browser)
    assert ways_of(script) == [BASIC]


def test_what_works_no_longer_is_tried_first_but_not_alone(script: Scripted) -> None:
    script.configuration = {LIST: [BASIC, POST]}
    script.knows = knows(by=[POST])
    log_in(Browser(), script)
    script.knows = knows(by=[BASIC])

    log_in(Browser(), script)
    log_in(Browser(), script)

    assert ways_of(script) == [BASIC, POST, POST, BASIC, BASIC]


def test_an_answer_about_the_code_ends_it(script: Scripted, browser: Browser) -> None:
    script.configuration = {LIST: [BASIC, POST]}
    script.instead["/token"] = (400, b'{"error": "invalid_grant"}')

    assert_refused(log_in(browser, script), browser, "the code: invalid_grant")

    assert ways_of(script) == [BASIC]


def test_a_wrong_secret_is_told_with_the_ways_that_were_tried(
    script: Scripted, browser: Browser
) -> None:
    script.configuration = {LIST: [BASIC, POST]}
    script.knows = knows(by=[BASIC, POST], secret="another")

    page = log_in(browser, script)

    why = "client_secret_post, client_secret_basic (not encoded): invalid_client"
    assert_refused(page, browser, why)

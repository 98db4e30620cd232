"""Attacks on the logins of myApps clients, at a real web server."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client as Browser
from websockets.exceptions import ConnectionClosed, InvalidStatus

from authconfig.choices import Event
from authconfig.users import kept_passwords
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.attacks import decide_by_link
from tests.support.myapps import proofs
from tests.support.myapps.client import Client, Login, LoginError, Message
from tests.support.myapps.places import HELD, Place
from tests.support.oauth2_logins import come_back, leads_to
from tests.support.scripted_provider import Scripted, scripted_provider
from tests.support.server import running_server
from verification.approval.models import LoginSession

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
AUTHENTICATION_FAILED, SESSION_EXPIRED = 2, 5
MOST_BEFORE_LOGIN = 20


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[str]:
    with running_server() as (port, _process):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def place(server: str, configure: SettingsSetter) -> Place:
    found = Place(server, configure)
    found.rules(myapps_digest_logins=True)
    return found


@pytest.fixture
def anna(user: PbxUser, place: Place) -> PbxUser:
    kept_passwords.keep(user, PASSWORD)
    return user


@pytest.fixture
def mallory(place: Place) -> PbxUser:
    found = PbxUser.objects.create_user("mallory", PASSWORD, email="m@example.com")
    kept_passwords.keep(found, PASSWORD)
    return found


def second_login(login: Login, name: str = "anna", **changes: str) -> Message:
    """Return a right answer to what the server asked, but for the changes."""
    asked = login.authenticate
    kind = changes.pop("digested_as", login.type)
    facts = asked["domain"], name, changes.pop("password", PASSWORD), login.nonce
    return {
        "type": login.type,
        "method": "digest",
        "username": name,
        "nonce": login.nonce,
        "response": proofs.response(kind, *facts, asked["challenge"]),
        "userAgent": "attacker",
    } | changes


def refusal(client: Client, message: Message) -> int:
    client.send("Login", **message)
    number: int = client.expect("LoginResult")["error"]
    return number


def test_a_replayed_answer_opens_nothing(place: Place, anna: PbxUser) -> None:
    with Client(place.url) as client, Client(place.url) as other:
        login = client.begin("user")
        overheard = second_login(login)
        client.send("Login", **overheard)
        assert "info" in client.expect("LoginResult")

        other.begin("user")
        assert refusal(other, overheard) == AUTHENTICATION_FAILED
    assert UserSession.objects.count() == 1


def test_a_challenge_is_answered_once(place: Place, anna: PbxUser) -> None:
    with Client(place.url) as client:
        login = client.begin("user")
        wrong = second_login(login, password="wrong")
        assert refusal(client, wrong) == AUTHENTICATION_FAILED

        client.send("Login", **second_login(login))
        answer = client.expect("LoginResult", "Authenticate")
        assert "info" not in answer
    assert not UserSession.objects.exists()


def test_a_nonce_that_was_used_proves_nothing(place: Place, anna: PbxUser) -> None:
    """The client chooses it: each challenge is the server's, and new."""
    with Client(place.url) as client:
        challenges = set()
        for _ in range(3):
            login = client.begin("user")
            challenges.add(login.authenticate["challenge"])
            login.nonce = "0" * 16
            assert refusal(client, second_login(login, password="wrong"))
    assert len(challenges) == 3


def test_a_sessions_password_is_none_of_the_users(place: Place, anna: PbxUser) -> None:
    with Client(place.url) as client:
        session = client.log_in("anna", PASSWORD).session
    assert session
    tries: list[tuple[str, str, Message]] = [
        ("user", "anna", {"password": session.pwd}),
        ("user", session.usr, {"password": session.pwd}),
        ("user", session.usr, {"password": session.pwd, "digested_as": "session"}),
        ("session", "anna", {}),
        ("session", "anna", {"digested_as": "user"}),
        # What was asked for one type does not answer the other.
        ("user", session.usr, {"password": session.pwd, "type": "session"}),
        ("session", "anna", {"type": "user", "digested_as": "user"}),
    ]
    for type_, name, changes in tries:
        with Client(place.url) as client:
            login = client.begin(type_)
            client.send("Login", **second_login(login, name, **changes))
            answer = client.expect("LoginResult", "Authenticate")
            assert "info" not in answer, (type_, name, changes)


def test_nobody_ends_or_authorizes_the_logins_of_others(
    place: Place, anna: PbxUser, mallory: PbxUser
) -> None:
    with (
        Client(place.url) as attacker,
        Client(place.url) as client,
        Client(place.url) as waiting,
    ):
        attacker.log_in("mallory", PASSWORD)
        client.log_in("anna", PASSWORD)
        own = client.expect("SessionAdded")["id"]
        place.rules(**HELD, myapps_approve_by_comparing=True)
        login = waiting.begin("user")
        waiting.prove(login, "anna", PASSWORD)
        waiting.expect_code()
        held = client.expect("SessionAdded")["id"]

        for order, name in itertools.product(
            ("AuthorizeSession", "DeleteSession"), (own, held)
        ):
            attacker.send(order, id=name)
        # Orders are obeyed one after the other.
        attacker.ask("SubscribeApps", "UpdateApps")
        assert attacker.expect("SessionAdded")["info"]["current"]
        attacker.expect_none("SessionAdded", "SessionDeleted", seconds=0.2)
        assert LoginSession.objects.get().state == "pending"
        assert UserSession.objects.count() == 2
        # The owner can.
        client.send("AuthorizeSession", id=held)
        waiting.expect_logged_in(login)


def test_a_client_that_waits_gives_no_orders(place: Place, anna: PbxUser) -> None:
    with Client(place.url) as client, Client(place.url) as waiting:
        client.log_in("anna", PASSWORD)
        own = client.expect("SessionAdded")["id"]
        place.rules(**HELD, myapps_approve_by_comparing=True)
        login = waiting.begin("user")
        waiting.prove(login, "anna", PASSWORD)
        waiting.expect_code()
        held = client.expect("SessionAdded")["id"]

        waiting.send("AuthorizeSession", id=held)
        waiting.send("DeleteSession", id=own)
        waiting.send("SubscribeApps")
        waiting.send("Logout")
        waiting.send("AppGetLogin", app="myapps", challenge="1", src="1")
        waiting.ask("LoginInfo", "LoginInfoResult")
        news = ("UpdateApps", "SessionAdded", "LoginResult", "AppGetLoginResult")
        news += ("LogoutResult",)
        waiting.expect_none(*news, seconds=0.3)
        client.expect_none("LogoutResult", seconds=0.1)
        assert LoginSession.objects.get().state == "pending"


def test_no_orders_before_the_login(place: Place, anna: PbxUser) -> None:
    with Client(place.url) as client:
        for order in ("SubscribeApps", "Logout", "SubscribePresence"):
            client.send(order)
        client.send("AppGetLogin", app="myapps", challenge="1")
        client.ask("LoginInfo", "LoginInfoResult")
        client.expect_none(
            "UpdateApps", "LogoutResult", "AppGetLoginResult", seconds=0.2
        )


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
def test_no_other_site_connects_its_visitors(place: Place, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Client(place.url, origin=origin)

    assert refused.value.response.status_code == 403


def test_a_browsers_session_logs_no_client_in(place: Place, anna: PbxUser) -> None:
    browser = Browser()
    browser.post("/login/", {"login": "anna", "password": PASSWORD})
    cookie = f"pbx_session={browser.cookies['pbx_session'].value}"

    with Client(place.url, additional_headers={"Cookie": cookie}) as client:
        client.ask("LoginInfo", "LoginInfoResult")
        client.send("SubscribeApps")
        client.expect_none("UpdateApps", "LoginResult", seconds=0.2)


def test_a_flood_from_an_address_keeps_no_client_out_that_is_logged_in(
    place: Place, anna: PbxUser
) -> None:
    with ExitStack() as opened:
        client = opened.enter_context(Client(place.url))
        client.log_in("anna", PASSWORD)
        for _ in range(MOST_BEFORE_LOGIN):
            opened.enter_context(Client(place.url))

        with pytest.raises(InvalidStatus) as refused:
            Client(place.url)
        assert refused.value.response.status_code in (429, 503)
        client.ask("SubscribeApps", "UpdateApps")


@pytest.mark.parametrize("size", [9_000, 70_000])
def test_a_large_message_ends_the_connection(place: Place, size: int) -> None:
    with Client(place.url) as client:
        client.send_text('{"mt":"CheckBuild","url":"%s"}' % ("a" * size))

        assert client.expect_closed() in (1009, None)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "nonsense",
        '{"mt": 1}',
        '{"mt":"Login"}',
        '{"mt":"Login","type":"user","method":"ntlm"}',
        '{"mt":"Login","type":"user","method":"oauth2","nonce":"","keyShare":"00"}',
        '{"mt":"Login","type":["user"]}',
        '{"mt":"Login","type":"session","username":"\\u0000"}',
        '{"mt":"CheckBuild","url":' + "[" * 4000 + "]" * 4000 + "}",
    ],
    ids=range(10),
)
def test_nonsense_makes_nothing_fail(place: Place, text: str) -> None:
    with Client(place.url) as client:
        client.send_text(text)
        with suppress(ConnectionClosed):
            client.expect_none("LogoutResult", seconds=0.05)
    with Client(place.url) as client:
        client.ask("LoginInfo", "LoginInfoResult")


def test_guessing_by_digest_has_the_limits_of_the_login_page(
    place: Place, anna: PbxUser
) -> None:
    with Client(place.url) as client:
        texts = []
        for _ in range(11):
            login = client.begin("user")
            client.prove(login, "anna", secrets.token_hex(8))
            with pytest.raises(LoginError) as refused:
                client.expect_logged_in(login)
            texts.append(refused.value.text)
        with pytest.raises(LoginError, match="wait"):
            client.log_in("anna", PASSWORD)
    failed = AuditEvent.objects.filter(event=Event.LOGIN_FAILED, user=anna)

    assert "wait" in texts[-1]
    assert failed.count() >= 10
    assert not UserSession.objects.exists()
    # The page knows of them too.
    page = Browser().post("/login/", {"login": "anna", "password": PASSWORD})
    assert page.status_code == 429


@pytest.fixture
def script(place: Place) -> Iterator[Scripted]:
    with scripted_provider() as running:
        place.rules(**running.settings(), **HELD)
        yield running


def through(browser: Browser, script: Scripted, path: str) -> Any:
    page = browser.post(path, follow=True)
    return come_back(browser, script.log_in(leads_to(page)))


def test_a_victim_of_a_phished_address_still_has_to_type_the_strangers_digits(
    place: Place, anna: PbxUser, script: Scripted
) -> None:
    victim = Browser()
    with Client(place.url, user_agent="Stranger's") as stranger:
        login = stranger.begin_oauth2()
        path = login.url[login.url.index("/PBX0/") :]
        question = victim.get(path).content.decode()
        assert "Stranger&#x27;s" in question
        assert "they would be logged in as you" in question
        stranger.expect_none("Authorize", "LoginResult", seconds=0.3)

        end = through(victim, script, path)
        code = stranger.expect_code()
        stranger.expect_none("LoginResult", seconds=0.3)
        held = LoginSession.objects.get()
        assert str(code) not in end.content.decode()
        assert "_auth_user_id" not in victim.session
        assert Browser().post(path).status_code == 410
        decide_by_link(held, "reject")
        with pytest.raises(LoginError, match="rejected"):
            stranger.expect_logged_in(login)
    assert not UserSession.objects.exists()


def test_the_address_of_a_login_is_worth_nothing_without_its_connection(
    place: Place, anna: PbxUser, script: Scripted
) -> None:
    with Client(place.url) as client:
        login = client.begin_oauth2()
        path = login.url[login.url.index("/PBX0/") :]
        client.vanish()
    for _ in range(100):
        if Browser().get(path).status_code == 410:
            break

    assert Browser().post(path).status_code == 410

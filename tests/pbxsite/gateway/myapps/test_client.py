"""An independent client at a real web server: every message, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client as Browser

from authconfig.clients.models import ClientApplication
from authconfig.models import current_rules
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users import kept_passwords
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.attacks import decide_by_link, link_of
from tests.support.browsers import sign_in
from tests.support.myapps import proofs
from tests.support.myapps.client import Client, LoginError, Session
from tests.support.myapps.places import HELD, Place
from tests.support.myapps.published import GoClient, OAuth2Demo
from tests.support.oauth2_logins import come_back, leads_to
from tests.support.scripted_provider import Scripted, scripted_provider
from tests.support.server import running_server
from verification.approval.models import LoginSession

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
NAME, ODD_PASSWORD = "jörg:weiß", "pä:ss wörd: ☎ 0815"


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[str]:
    with running_server() as (port, _process):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def place(server: str, configure: SettingsSetter) -> Place:
    return Place(server, configure)


@pytest.fixture
def joerg(place: Place) -> PbxUser:
    """A user whose name and password are hard to digest, and kept."""
    place.rules(myapps_digest_logins=True)
    user = PbxUser.objects.create_user(
        NAME, ODD_PASSWORD, long_name="Jörg „Weiß“", email="joerg@example.com"
    )
    kept_passwords.keep(user, ODD_PASSWORD)
    return user


def test_before_the_login(place: Place) -> None:
    place.rules()
    with Client(place.url) as client:
        build = client.ask("CheckBuild", "CheckBuildResult", src="1")
        assert build["src"] == "1"
        assert build["build"].isdigit()
        client.ask("SubscribeRegister", "UpdateRegister")
        assert client.ask("LoginInfo", "LoginInfoResult") == {
            "mt": "LoginInfoResult",
            "user": {"digest": False, "ntlm": False, "oauth2": False},
            "session": {"digest": True},
        }


def test_user_name_and_password(place: Place, joerg: PbxUser) -> None:
    with Client(place.url, user_agent="Phone ☎") as client:
        done = client.log_in(NAME, ODD_PASSWORD)
        assert done.user["sip"] == NAME
        assert done.user["dn"] == "Jörg „Weiß“"
        assert done.user["domain"] == current_rules().pbx_domain
        assert done.user["email"] == "joerg@example.com"
        assert len(done.user["guid"]) == 32
        assert done.session
        added = client.expect("SessionAdded")
        assert added["info"]["current"] is True
        assert added["info"]["needsAuthorization"] is False
        assert "Phone ☎" in added["info"]["userAgent"]
        assert added["info"]["id"] == added["id"]
        apps = client.ask("SubscribeApps", "UpdateApps")
        assert (apps["deviceApps"], apps["selected"]) == ([], "")
        assert type(apps["apps"]) is list
        listed = UserSession.objects.get(user=joerg)
        assert "Phone ☎" in listed.user_agent
        client.ask("Logout", "LogoutResult")
    assert not UserSession.objects.exists()


@pytest.mark.parametrize("wrong", [(NAME, "wrong"), ("nobody", ODD_PASSWORD)])
def test_unknown_and_wrong_hear_the_same(
    place: Place, joerg: PbxUser, wrong: tuple[str, str]
) -> None:
    with Client(place.url) as client:
        with pytest.raises(LoginError) as refused:
            client.log_in(*wrong)
        assert refused.value.number == 2
        assert "user name or the password" in refused.value.text
        # The connection stays for another try.
        assert client.log_in(NAME, ODD_PASSWORD).user["sip"] == NAME


def test_a_session_logs_in_until_it_is_ended(place: Place, joerg: PbxUser) -> None:
    with Client(place.url) as client:
        session = client.log_in(NAME, ODD_PASSWORD).session
        assert session
    with Client(place.url) as client:
        done = client.resume(session)
        assert done.user["sip"] == NAME
        assert "session" not in done.info
        assert UserSession.objects.count() == 1
        end_sessions([joerg])
        client.expect("LogoutResult", seconds=2)
    with Client(place.url) as client:
        with pytest.raises(LoginError) as refused:
            client.resume(session)
        assert refused.value.number == 5


@pytest.mark.parametrize(
    "session", [Session("0" * 32, "A" * 23), Session("f" * 32, "")]
)
def test_an_unknown_session_is_over(
    place: Place, joerg: PbxUser, session: Session
) -> None:
    with Client(place.url) as client:
        with pytest.raises(LoginError) as refused:
            client.resume(session)
        assert refused.value.number == 5


def test_a_session_is_bound_to_the_password(place: Place, joerg: PbxUser) -> None:
    with Client(place.url) as client:
        session = client.log_in(NAME, ODD_PASSWORD).session
    assert session
    joerg.set_password(PASSWORD)
    joerg.save()
    with Client(place.url) as client, pytest.raises(LoginError) as refused:
        client.resume(session)
    assert refused.value.number == 5


def test_an_application_checks_by_its_own_computation_who_is_logged_in(
    place: Place, joerg: PbxUser
) -> None:
    for slug, password in (("crm", "Schlüssel: ☎ 1"), ("plain", "")):
        ClientApplication.objects.create(
            name=slug.upper(),
            slug=slug,
            start_url=f"https://{slug}.example/",
            app_password=password,
        )
    with Client(place.url) as client:
        done = client.log_in(NAME, ODD_PASSWORD)
        answer = client.ask(
            "AppGetLogin", "AppGetLoginResult", app="crm", challenge="0a:1b", src="me"
        )
        client.send("AppGetLogin", app="plain", challenge="0a:1b")
        shown = client.ask("SubscribeApps", "UpdateApps")["apps"]
        client.expect_none("AppGetLoginResult", seconds=0.2)

    assert answer["src"] == "me"
    for fact in ("domain", "sip", "guid", "dn"):
        assert answer[fact] == done.user[fact]
    assert answer["digest"] == proofs.app_result(answer, "0a:1b", "Schlüssel: ☎ 1")
    assert answer["digest"] != proofs.app_result(answer, "0a:1c", "Schlüssel: ☎ 1")
    assert {(app["name"], app["website"]) for app in shown} == {
        ("crm", True),
        ("plain", True),
    }


def test_clients_hear_of_each_other(place: Place, joerg: PbxUser) -> None:
    with Client(place.url) as first, Client(place.url, user_agent="Two") as second:
        first.log_in(NAME, ODD_PASSWORD)
        own = first.expect("SessionAdded")["id"]
        PbxUser.objects.update(long_name="Jörg W.")
        second.log_in(NAME, ODD_PASSWORD)
        assert first.expect("UpdateUser")["user"]["dn"] == "Jörg W."
        news = first.expect("SessionAdded")
        assert news["info"]["current"] is False
        assert "Two" in news["info"]["userAgent"]
        seen = {second.expect("SessionAdded")["id"] for _ in range(2)}
        assert seen == {own, news["id"]}
        first.send("DeleteSession", id=news["id"])
        assert first.expect("SessionDeleted")["id"] == news["id"]
        second.expect("LogoutResult", seconds=2)
    assert UserSession.objects.filter(user=joerg).count() == 1


def held_login(client: Client, name: str, password: str) -> tuple[Any, int]:
    login = client.begin("user")
    client.prove(login, name, password)
    return login, client.expect_code()


def test_the_digits_of_the_client_are_typed_in_the_link(
    place: Place, joerg: PbxUser
) -> None:
    place.rules(**HELD)
    with Client(place.url) as client:
        login, code = held_login(client, NAME, ODD_PASSWORD)
        assert 1000 <= code <= 9999
        waiting = LoginSession.objects.get()
        assert not UserSession.objects.exists()
        assert decide_by_link(waiting, "accept", str(code)).status_code == 200
        assert client.expect_logged_in(login).user["sip"] == NAME
    waiting.refresh_from_db()
    assert waiting.state == "completed"


def test_a_rejected_login_is_told_in_words(place: Place, joerg: PbxUser) -> None:
    place.rules(**HELD)
    with Client(place.url) as client:
        login, _code = held_login(client, NAME, ODD_PASSWORD)
        decide_by_link(LoginSession.objects.get(), "reject")
        with pytest.raises(LoginError, match="rejected"):
            client.expect_logged_in(login)


def test_a_lost_connection_ends_its_login(place: Place, joerg: PbxUser) -> None:
    place.rules(**HELD)
    with Client(place.url) as watcher:
        watching = sign_in(joerg)
        with Client(place.url) as client:
            _login, code = held_login(client, NAME, ODD_PASSWORD)
            link = link_of(LoginSession.objects.get())
            client.vanish()
        watcher.ask("LoginInfo", "LoginInfoResult")
        gone = until_gone(link)
        assert gone.post(link, {"decision": "accept", "code": code}).status_code == 410
        assert watching.get("/account/").status_code == 200
        login, again = held_login(watcher, NAME, ODD_PASSWORD)
        decide_by_link(LoginSession.objects.latest("pk"), "accept", str(again))
        watcher.expect_logged_in(login)


def until_gone(link: str) -> Browser:
    browser = Browser()
    for _ in range(100):
        if browser.get(link).status_code == 410:
            return browser
    raise AssertionError("the login of the lost client still waits")


@pytest.mark.parametrize("compares", [True, False])
def test_another_client_approves_by_comparing_if_it_may(
    place: Place, joerg: PbxUser, compares: bool
) -> None:
    with Client(place.url) as trusted, Client(place.url) as asking:
        trusted.log_in(NAME, ODD_PASSWORD)
        trusted.expect("SessionAdded")
        place.rules(**HELD, myapps_approve_by_comparing=compares)
        login, code = held_login(asking, NAME, ODD_PASSWORD)
        news = trusted.expect("SessionAdded")
        assert news["info"]["needsAuthorization"] is True
        assert ("code" in news["info"]) is compares
        trusted.send("AuthorizeSession", id=news["id"])
        if compares:
            assert news["info"]["code"] == code
            assert asking.expect_logged_in(login).user["sip"] == NAME
            assert trusted.expect("SessionUpdated", "SessionAdded")
        else:
            asking.expect_none("LoginResult", seconds=1)
            trusted.send("DeleteSession", id=news["id"])
            with pytest.raises(LoginError, match="rejected"):
                asking.expect_logged_in(login)


# The published clients.


def test_the_go_client_by_password_then_session_then_password_again(
    place: Place, joerg: PbxUser, tmp_path: Path
) -> None:
    file = tmp_path / "session.json"
    client = GoClient(place.url, NAME, ODD_PASSWORD, file)

    client.run(until=lambda go: len(go.users) == 1)
    kept = file.read_text()
    client.run(until=lambda go: len(go.users) == 2)
    assert file.read_text() == kept
    assert UserSession.objects.count() == 1
    end_sessions([joerg])
    client.run(until=lambda go: len(go.users) == 3)

    assert client.errors == [5]
    assert {user["sip"] for user in client.users} == {NAME}
    assert file.read_text() != kept


@pytest.fixture
def script(place: Place) -> Iterator[Scripted]:
    with scripted_provider() as running:
        place.rules(**running.settings(), **HELD)
        yield running


def test_the_oauth2_demo_with_two_factor_then_session_then_oauth2_again(
    place: Place, script: Scripted
) -> None:
    user = PbxUser.objects.create_user("anna", email="anna@example.com")
    opened: list[str] = []

    def opens(url: str) -> None:
        opened.append(url)
        browser = Browser()
        path = url[url.index("/PBX0/") :]
        assert b"innovaphone SSO CLI Demo" in browser.get(path).content
        page = browser.post(path, follow=True)
        come_back(browser, script.log_in(leads_to(page)))

    def told(code: int) -> None:
        login = LoginSession.objects.latest("pk")
        decide_by_link(login, "accept", str(code))

    demo = OAuth2Demo(place.url, opens, told)

    assert [demo.run(), demo.run()] == ["anna", "anna"]
    assert len(opened) == 1
    assert UserSession.objects.count() == 1
    # From now on the account at the provider is this user's alone.
    assert ProviderIdentity.objects.get().user == user
    end_sessions([user])
    assert demo.run() == "anna"
    assert len(opened) == 2
    assert len(demo.failures) == 1

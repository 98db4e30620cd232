"""Logins of clients with the user's password, and with their session's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType, Event, Origin
from authconfig.clients.models import ClientApplication
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users import kept_passwords
from authconfig.users.changes import end_sessions
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.gateway.myapps import client_sessions
from pbxsite.gateway.myapps.models import ClientSession
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.myapps import proofs
from tests.support.sockets import Kept, Socket
from tests.support.streams import in_thread, listening, told
from verification.approval import flows
from verification.approval.choices import Ending, LoginState
from verification.approval.live import hub as hubs
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.sessions.choices import Approver

pytestmark = pytest.mark.django_db(transaction=True)


async def refused(socket: Socket, *proof: str, **changed: str) -> int:
    await socket.prove(*proof, **changed)
    error: int = (await socket.hear("LoginResult"))["error"]
    return error


async def logged_in() -> tuple[Socket, Kept]:
    socket = await Socket().open()
    return socket, await socket.log_in("anna", PASSWORD)


def test_a_user_logs_in_with_a_password(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    async def story() -> None:
        socket, kept = await logged_in()
        assert (len(kept.usr), len(kept.pwd)) == (32, 23)
        assert kept.info["user"] | {"guid": ""} == {
            "domain": "127.0.0.1",
            "sip": "anna",
            "guid": "",
            "dn": "Anna Berg",
            "num": "",
            "email": "anna@example.com",
            "onboarded": True,
        }
        added = await socket.hear("SessionAdded")
        assert added["id"] == kept.usr
        assert added["info"]["current"]
        assert added["info"]["userAgent"] == "Test"
        assert not added["info"]["needsAuthorization"]
        await socket.leave()

    told(story())
    event = AuditEvent.objects.get(event=Event.LOGIN)
    assert (event.user, event.kind, event.method) == (user, "myapps", "pbx")
    assert event.user_agent == "myApps client: Test"
    session = UserSession.objects.get()
    assert session.data["kind"] == "myapps"


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("", PASSWORD)],
)
def test_whoever_is_none_of_ours_hears_the_same(
    digest: AuthenticationSettings, name: str, password: str
) -> None:
    bob = PbxUser.objects.create_user("bob", PASSWORD)
    kept_passwords.keep(bob, PASSWORD)
    PbxUser.objects.filter(pk=bob.pk).update(is_active=False)

    async def story() -> None:
        socket = await Socket().open()
        await socket.prove(name, password)
        result = await socket.hear("LoginResult")
        assert result == {
            "mt": "LoginResult",
            "error": 2,
            "errorText": "The user name or the password is not right.",
        }
        await socket.leave()

    told(story())
    assert AuditEvent.objects.filter(event=Event.LOGIN_FAILED).count() == 1
    assert not UserSession.objects.exists()


def test_a_failed_client_may_try_again(digest: AuthenticationSettings) -> None:
    async def story() -> None:
        socket = await Socket().open()
        assert await refused(socket, "anna", "wrong") == 2
        assert (await socket.log_in("ANNA", PASSWORD)).usr
        await socket.leave()

    told(story())


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "pbx"},
        {"method": "plain"},
        {"nonce": "short"},
        {"nonce": ""},
        {"username": "a\0"},
        {"username": "a" * 301},
        {"type": "session"},
    ],
)
def test_a_login_that_is_none_is_refused(
    digest: AuthenticationSettings, changed: dict[str, str]
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        assert await refused(socket, "anna", PASSWORD, **changed) == 1
        await socket.leave()

    told(story())
    assert not AuditEvent.objects.filter(event=Event.LOGIN_FAILED).exists()


def test_a_response_is_good_once(digest: AuthenticationSettings) -> None:
    async def story() -> None:
        socket = await Socket().open()
        said = await socket.prove("anna", "wrong")
        await socket.hear("LoginResult")
        await socket.answer({**said, "mt": ""}, "anna", PASSWORD)
        assert (await socket.hear("LoginResult"))["error"] == 1
        await socket.leave()

    told(story())


def test_a_client_is_not_offered_what_the_rules_forbid(user: PbxUser) -> None:
    async def story() -> None:
        socket = await Socket().open()
        for method in ("", "digest", "ntlm", "oauth2"):
            answer = await socket.ask(
                "Login", "LoginResult", type="user", method=method
            )
            assert answer["error"] == 2
        await socket.leave()

    told(story())


def test_guesses_are_counted_as_on_the_login_page(
    digest: AuthenticationSettings, start: Any
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        for _ in range(10):
            assert await refused(socket, "anna", "wrong") == 2
        await socket.prove("anna", PASSWORD)
        result = await socket.hear("LoginResult")
        assert "wait" in result["errorText"]
        await socket.leave()

    told(story())
    assert start(Browser()).status_code == 429


def test_an_address_has_some_tries_a_minute(digest: AuthenticationSettings) -> None:
    async def story() -> None:
        for name in ("anna", "nobody", "none"):
            socket = await Socket().open()
            for _ in range(10):
                assert await refused(socket, name, "wrong") == 2
            await socket.leave()
        socket = await Socket().open()
        await socket.prove("anna", PASSWORD)
        assert "Too many" in (await socket.hear("LoginResult"))["errorText"]
        await socket.leave()

    told(story())
    assert AuditEvent.objects.filter(event=Event.LOGIN_FAILED).count() == 30


def test_wrong_sessions_are_refused_without_the_database_after_some(
    digest: AuthenticationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        for _ in range(30):
            assert await refused(socket, "0" * 32, "x", "session") == 5
        monkeypatch.setattr(client_sessions, "named", None)
        assert await refused(socket, "0" * 32, "x", "session") == 2
        await socket.leave()

    told(story())


def test_a_client_logs_in_again_with_its_session(
    digest: AuthenticationSettings,
) -> None:
    async def story() -> None:
        socket, kept = await logged_in()
        await socket.leave()
        for _ in range(2):
            again = await Socket().open()
            result = await again.log_in(kept.usr, kept.pwd, "session")
            assert result.info["user"]["sip"] == "anna"
            assert not result.usr
            await again.leave()

    told(story())
    assert UserSession.objects.count() == 1


def _deactivate(user: PbxUser) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_active=False)


def _change_password(user: PbxUser) -> None:
    PbxUser.objects.filter(pk=user.pk).update(password="another")


def _expire(user: PbxUser) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def _forbid(user: PbxUser) -> None:
    AuthenticationSettings.objects.update(
        authentication_type=AuthenticationType.NETLOGON_ONLY,
        netlogon_domain="example.com",
    )


def _end(user: PbxUser) -> None:
    end_sessions([user])


def _require_factor(user: PbxUser) -> None:
    AuthenticationSettings.objects.update(
        two_factor=True,
        factor_required=True,
        verification_link="https://pbx.example/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_email_address="pbx@example.com",
    )


ENDS = [_deactivate, _change_password, _expire, _forbid, _end, _require_factor]


@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_is_over_logs_nobody_in(
    digest: AuthenticationSettings, user: PbxUser, end: Any
) -> None:
    async def story() -> None:
        socket, kept = await logged_in()
        await socket.leave()
        await in_thread(lambda: end(user))
        current_rules.forget()
        again = await Socket().open()
        assert await refused(again, kept.usr, kept.pwd, "session") == 5
        await again.leave()

    told(story())


def test_a_sessions_password_is_no_users(digest: AuthenticationSettings) -> None:
    async def story() -> None:
        socket, kept = await logged_in()
        await socket.leave()
        again = await Socket().open()
        assert await refused(again, kept.usr, "x" * 23, "session") == 2
        assert await refused(again, kept.usr, kept.pwd, "user") == 2
        assert await refused(again, "anna", kept.pwd, "user") == 2
        assert await refused(again, "anna", PASSWORD, "session") == 5
        assert await refused(again, "0" * 32, kept.pwd, "session") == 5
        await again.leave()

    told(story())


def test_the_digits_are_shown_by_the_client_and_typed_elsewhere(
    digest_and_two_factor: AuthenticationSettings, user: PbxUser
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        proved = await socket.prove("anna", PASSWORD)
        code = (await socket.hear("Authorize"))["code"]
        login = await in_thread(lambda: LoginSession.objects.get())
        assert str(code) == approval_code(login)
        assert login.user_agent == "myApps client: Test"
        # A client that waits commands nothing.
        for mt in ("DeleteSession", "AuthorizeSession"):
            await socket.say(mt, id=login.public_id.hex)
        await socket.say("SubscribeApps")
        assert await socket.is_silent()
        await in_thread(
            lambda: flows.accept(
                login, str(code), approver=Approver.EMAIL, origin=Origin()
            )
        )
        result = await socket.hear("LoginResult")
        assert "session" in result["info"]
        assert proved["challenge"]
        await socket.leave()

    told(story())
    assert LoginSession.objects.get().state == LoginState.COMPLETED
    assert UserSession.objects.get().data["approver"] == Approver.EMAIL


def test_a_rejected_login_is_told(
    digest_and_two_factor: AuthenticationSettings,
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        await socket.prove("anna", PASSWORD)
        await socket.hear("Authorize")
        login = await in_thread(lambda: LoginSession.objects.get())
        await in_thread(
            lambda: flows.reject(login, approver=Approver.EMAIL, origin=Origin())
        )
        result = await socket.hear("LoginResult")
        assert (result["error"], "rejected" in result["errorText"]) == (2, True)
        await socket.prove("anna", PASSWORD)
        assert "wait" in (await socket.hear("LoginResult"))["errorText"]
        await socket.leave()

    told(story())


@pytest.mark.parametrize("accepted", [False, True])
def test_a_client_that_goes_away_ends_its_login(
    digest_and_two_factor: AuthenticationSettings, accepted: bool
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        await socket.prove("anna", PASSWORD)
        await socket.hear("Authorize")
        if accepted:
            await in_thread(
                lambda: LoginSession.objects.update(
                    state=LoginState.ACCEPTED, decided_at=timezone.now()
                )
            )
        await socket.leave()

    told(story())
    if not accepted:
        assert LoginSession.objects.get().ending == Ending.CLIENT_GONE
    # Either the login ended, or its session did before the client heard of it.
    assert not UserSession.objects.exists()


def test_a_newer_login_of_a_connection_ends_the_older(
    digest_and_two_factor: AuthenticationSettings,
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        await socket.prove("anna", PASSWORD)
        await socket.hear("Authorize")
        await socket.prove("anna", PASSWORD)
        await socket.hear("Authorize")
        await socket.leave()

    told(story())
    endings = LoginSession.objects.values_list("ending", flat=True)
    assert list(endings) == [Ending.CLIENT_GONE, Ending.CLIENT_GONE]


def test_a_factor_of_the_user_is_asked_in_a_browser(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})

    async def story() -> None:
        socket = await Socket().open()
        await socket.prove("anna", PASSWORD)
        result = await socket.hear("LoginResult")
        assert "passkey" in result["errorText"]
        await socket.leave()

    told(story())
    assert not ClientSession.objects.exists()


def test_a_required_factor_that_a_client_cannot_set_up_is_a_refusal(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    _require_factor(user)
    current_rules.forget()

    async def story() -> None:
        socket = await Socket().open()
        await socket.prove("anna", PASSWORD)
        result = await socket.hear("LoginResult")
        assert result["error"] == 2
        assert "Set up a passkey or an authenticator app first" in result["errorText"]
        await socket.leave()

    told(story())
    refused = AuditEvent.objects.get(event=Event.LOGIN_REFUSED)
    assert (refused.user, refused.detail) == (user, "has no factor")
    assert not ClientSession.objects.exists()
    assert not LoginSession.objects.exists()


def test_a_connection_keeps_its_domain(digest: AuthenticationSettings) -> None:
    def rename() -> None:
        AuthenticationSettings.objects.update(pbx_domain="new.example")
        current_rules.forget()

    async def story() -> None:
        socket = await Socket().open()
        before = await socket.ask("Login", "Authenticate", type="session")
        await in_thread(rename)
        after = await socket.ask("Login", "Authenticate", type="user")
        assert after["domain"] == before["domain"]
        assert (await socket.log_in("anna", PASSWORD)).info["user"]["sip"] == "anna"
        another = await Socket().open()
        new = await another.ask("Login", "Authenticate", type="user")
        assert new["domain"] == "new.example"
        for each in (socket, another):
            await each.leave()

    told(story())


def test_clients_that_stay_hold_no_connections_of_the_sites_own(
    digest: AuthenticationSettings,
) -> None:
    """A Redis for each of thousands would be used up by them."""

    async def story() -> None:
        sockets, before = [], 0
        for number in range(16):
            socket, _kept = await logged_in()
            sockets.append(socket)
            # Until here each thread of the pool has opened its own.
            before = before if number != 7 else open_files()
        assert open_files() <= before + 3
        for socket in sockets:
            await socket.leave()

    told(story())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_end_anywhere_is_told_at_once(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    async def story() -> None:
        socket, _kept = await logged_in()
        await socket.hear("SessionAdded")
        await in_thread(lambda: end_sessions([user]))
        await socket.hear("LogoutResult", limit_seconds=2)
        assert await socket.hear_end() == 1000

    told(story())


def test_a_login_is_told_to_the_others_without_waiting_for_a_reading_of_the_rows(
    digest: AuthenticationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "POLL_SECONDS_BESIDE_REDIS", 60)

    async def story() -> None:
        socket, _kept = await logged_in()
        await socket.hear("SessionAdded")
        await listening(hubs.hub)
        other, others = await logged_in()
        assert (await socket.hear("SessionAdded"))["id"] == others.usr
        for each in (socket, other):
            await each.leave()

    told(story())


def test_sessions_are_told_of_and_ended(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    async def story() -> None:
        socket, kept = await logged_in()
        await socket.hear("SessionAdded")
        other, others = await logged_in()
        heard = [await other.hear("SessionAdded") for _ in range(2)]
        assert {each["id"] for each in heard} == {kept.usr, others.usr}
        assert (await socket.hear("SessionAdded"))["id"] == others.usr
        await socket.say("DeleteSession", id=others.usr)
        await other.hear("LogoutResult")
        assert (await socket.hear("SessionDeleted"))["id"] == others.usr
        await socket.say("Logout")
        await socket.hear("LogoutResult")
        assert await socket.hear_end() == 1000
        assert await other.hear_end() == 1000

    told(story())
    assert not UserSession.objects.exists()


def test_nobody_ends_a_strangers_session(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    bob = PbxUser.objects.create_user("bob", PASSWORD)
    kept_passwords.keep(bob, PASSWORD)

    async def story() -> None:
        socket, kept = await logged_in()
        strange = await Socket().open()
        await strange.log_in("bob", PASSWORD)
        for mt in ("DeleteSession", "AuthorizeSession"):
            await strange.say(mt, id=kept.usr)
            await strange.say(mt, id="x")
            await strange.say(mt, id=7)
        assert (await strange.hear("SessionAdded"))["info"]["current"]
        await strange.ask("SubscribeApps", "UpdateApps")
        await socket.leave()
        await strange.leave()

    told(story())
    assert UserSession.objects.count() == 2


@pytest.mark.parametrize("may_compare", [True, False])
def test_a_login_is_accepted_by_comparing_if_the_rules_allow_it(
    digest: AuthenticationSettings,
    configure: SettingsSetter,
    two_factor: AuthenticationSettings,
    may_compare: bool,
    start: Any,
    browser: Browser,
) -> None:
    configure(two_factor=False, myapps_approve_by_comparing=may_compare)

    async def story() -> None:
        socket, _kept = await logged_in()
        await socket.hear("SessionAdded")
        await in_thread(lambda: configure(two_factor=True))
        await in_thread(lambda: start(browser))
        login = await in_thread(lambda: LoginSession.objects.get())
        told_of = await socket.hear("SessionAdded")
        assert told_of["id"] == login.public_id.hex
        assert told_of["info"]["needsAuthorization"]
        code = told_of["info"].get("code")
        assert code == (int(approval_code(login)) if may_compare else None)
        await socket.say("AuthorizeSession", id=login.public_id.hex)
        if may_compare:
            assert (await socket.hear("SessionDeleted"))["id"] == login.public_id.hex
        else:
            assert await socket.is_silent()
            await socket.say("DeleteSession", id=login.public_id.hex)
            await socket.hear("SessionDeleted")
        await socket.leave()

    told(story())
    login = LoginSession.objects.get()
    if may_compare:
        assert login.state == LoginState.ACCEPTED
        assert login.approver == Approver.UNAPPROVED
    else:
        assert login.ending == Ending.REJECTED


def test_changes_of_the_user_are_told(
    digest: AuthenticationSettings, user: PbxUser
) -> None:
    async def story() -> None:
        socket, _kept = await logged_in()
        await socket.hear("SessionAdded")
        await in_thread(lambda: PbxUser.objects.update(long_name="Änna Ølsen"))
        assert (await socket.hear("UpdateUser"))["user"]["dn"] == "Änna Ølsen"
        await socket.leave()

    told(story())


def test_a_session_opens_no_page(digest: AuthenticationSettings) -> None:
    async def story() -> None:
        socket, _kept = await logged_in()
        await socket.leave()

    told(story())
    browser = Browser()
    browser.cookies["pbx_session"] = UserSession.objects.get().session_key
    assert browser.get("/account/").status_code == 302
    assert UserSession.objects.exists()


def test_an_application_can_check_who_is_logged_in(
    digest: AuthenticationSettings,
) -> None:
    for slug, password in (("crm", "päss:wort"), ("plain", "")):
        ClientApplication.objects.create(
            name=slug, slug=slug, start_url="https://x.example/", app_password=password
        )
    ClientApplication.objects.create(
        name="old", slug="old", kind="mypbx", app_password="secret"
    )

    async def story() -> None:
        socket, kept = await logged_in()
        await socket.hear("SessionAdded")
        for app in ("plain", "old", "none", 7):
            await socket.say("AppGetLogin", app=app, challenge="1a2b")
        await socket.say("AppGetLogin", app="crm")
        proof = await socket.ask(
            "AppGetLogin", "AppGetLoginResult", app="crm", challenge="1a2b", src="me"
        )
        assert proof["digest"] == proofs.app_result(proof, "1a2b", "päss:wort")
        assert (proof["sip"], proof["src"]) == ("anna", "me")
        assert proof["guid"] == kept.info["user"]["guid"]

        apps = (await socket.ask("SubscribeApps", "UpdateApps"))["apps"]
        assert {app["name"] for app in apps} == {"crm", "plain"}
        assert all(app["website"] for app in apps)
        await socket.leave()

    told(story())

from __future__ import annotations

import pytest
from django.conf import settings

from authconfig.models import current_rules
from pbxsite.gateway.myapps import conversation
from pbxsite.gateway.myapps.endpoint import MOST_BEFORE_LOGIN, before_login
from tests.conftest import SettingsSetter
from tests.support.sockets import Socket
from tests.support.streams import in_thread, told, until

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNT = {"smtp_server": "127.0.0.1", "smtp_email_address": "pbx@example.com"}


@pytest.mark.parametrize(
    ("path", "build"),
    [
        ("/PBX0/APPCLIENT/websocket", "1000000"),
        ("/PBX0/WEBSOCKET/websocket", "1000000"),
        ("/PBX0/APPCLIENT/1610855/websocket", "1610855"),
    ],
)
def test_a_client_finds_the_site_at_each_address(path: str, build: str) -> None:
    async def story() -> None:
        socket = await Socket(path).open()
        answer = await socket.ask("CheckBuild", "CheckBuildResult", src="a")
        assert answer == {"mt": "CheckBuildResult", "build": build, "src": "a"}
        await socket.leave()

    told(story())


@pytest.mark.parametrize(
    ("socket", "status"),
    [
        (Socket("/PBX0/APPCLIENT/a/b/websocket"), 404),
        (Socket("/PBX0/APPCLIENT/websocket/"), 404),
        (Socket("/"), 404),
        (Socket(host=b"evil.example"), 403),
        (Socket(headers=((b"origin", b"https://evil.example"),)), 403),
        (Socket(headers=((b"origin", b"null"),)), 403),
        # Not from this machine, and not by wss.
        (Socket(client="192.0.2.7"), 403),
        (Socket(headers=((b"x-forwarded-for", b"192.0.2.7"),)), 403),
    ],
)
def test_a_connection_is_refused_that_is_none_of_ours(
    socket: Socket, status: int
) -> None:
    async def story() -> None:
        await socket.open()
        assert socket.refused == status

    told(story())


def test_the_sites_own_pages_may_connect() -> None:
    async def story() -> None:
        own = settings.SITE_URL.encode()
        socket = await Socket(headers=((b"origin", own),)).open()
        assert not socket.refused
        await socket.leave()

    told(story())


def test_an_address_has_some_connections_without_a_login() -> None:
    async def story() -> None:
        sockets = [await Socket().open() for _ in range(MOST_BEFORE_LOGIN + 1)]
        assert [socket.refused for socket in sockets] == [0] * MOST_BEFORE_LOGIN + [429]

        await sockets[0].leave()
        another = await Socket().open()
        assert not another.refused
        for socket in [*sockets[1:-1], another]:
            await socket.leave()
        await until(lambda: not before_login)

    told(story())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no JSON", 1008),
        ("[]", 1008),
        ('{"mt": 1}', 1008),
        ("[" * 8000, 1008),
        ('{"mt": "%s"}' % ("x" * 9000), 1009),
        ('{"mt": "%s"}' % ("€" * 4000), 1009),
    ],
)
def test_what_is_no_message_ends_the_connection(text: str, code: int) -> None:
    async def story() -> None:
        socket = await Socket().open()
        await socket.say_text(text)
        assert await socket.hear_end() == code

    told(story())


def test_a_message_of_bytes_ends_the_connection() -> None:
    async def story() -> None:
        socket = await Socket().open()
        event = {"type": "websocket.receive", "bytes": b"{}"}
        await socket.communicator.send_input(event)
        assert await socket.hear_end() == 1003

    told(story())


def test_unknown_messages_are_not_answered() -> None:
    async def story() -> None:
        socket = await Socket().open()
        for mt in ("SubscribePresence", "SetApps", "SubscribeApps", "Logout"):
            await socket.say(mt)
        assert await socket.is_silent()
        await socket.leave()

    told(story())


def test_nobody_talks_without_end_before_a_login() -> None:
    async def story() -> None:
        socket = await Socket().open()
        for _ in range(conversation.MOST_BEFORE_LOGIN + 1):
            await socket.say("Ping")
        assert await socket.hear_end() == 1008

    told(story())


def test_a_login_has_to_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "LOGIN_SECONDS", 0.1)

    async def story() -> None:
        socket = await Socket().open()
        assert await socket.hear_end() == 1008

    told(story())


@pytest.mark.parametrize(
    ("authentication_type", "digest_logins", "user"),
    [
        ("pbx_only", True, {"digest": True, "ntlm": False, "oauth2": False}),
        ("pbx_only", False, {"digest": False, "ntlm": False, "oauth2": False}),
        ("netlogon_only", True, {"digest": False, "ntlm": False, "oauth2": False}),
        (
            "pbx_and_oauth2",
            True,
            {"digest": True, "ntlm": False, "oauth2": True, "oauth2Name": "Windows"},
        ),
        (
            "oauth2_only",
            True,
            {"digest": False, "ntlm": False, "oauth2": True, "oauth2Name": "Windows"},
        ),
    ],
)
def test_the_policy_says_how_users_log_in(
    authentication_type: str, digest_logins: bool, user: dict[str, object]
) -> None:
    rules = current_rules()
    rules.authentication_type = authentication_type
    rules.oauth2_provider_name = "Windows"
    rules.myapps_digest_logins = digest_logins

    async def story() -> None:
        socket = await Socket().open()
        answer = await socket.ask("LoginInfo", "LoginInfoResult")
        assert answer["user"] == user
        assert answer["session"] == {"digest": True}
        await socket.leave()

    told(story())


def test_a_client_learns_where_a_password_is_renewed(
    configure: SettingsSetter,
) -> None:
    async def story() -> None:
        socket = await Socket().open()
        answer = await socket.ask("SubscribeRegister", "UpdateRegister")
        assert answer == {"mt": "UpdateRegister"}
        await in_thread(lambda: configure(**ACCOUNT))
        answer = await socket.ask("SubscribeRegister", "UpdateRegister")
        assert answer["reset"] == f"{settings.SITE_URL}/login/forgot/"
        await socket.leave()

    told(story())

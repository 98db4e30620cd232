"""Clients are told of the end of a session, once each, whatever ended it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from pbxsite.celery import app
from pbxsite.gateway.openid.back_channel import delivery, visits
from pbxsite.gateway.openid.models import (
    Grant,
    GrantedToken,
    OpenIdClient,
    SigningKey,
    Visit,
)
from pbxsite.gateway.openid.tasks import forget_old_grants
from tests.conftest import Starter
from tests.pbxsite.gateway.openid.test_ending import SESSION_ENDS
from tests.support.openid import AFTER_LOGOUT, Party, make_party
from tests.support.site import free_port

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Listener(ThreadingHTTPServer):
    """A client's server: it keeps what it is sent, and answers as it is set to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[str, str]] = []
        self.status, self.seconds = 200, 0.0
        self.uri = f"http://127.0.0.1:{self.server_address[1]}/logout"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.heard.append((self.headers["Content-Type"], body))
        time.sleep(self.server.seconds)
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Stay silent."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def party(signing_key: SigningKey, listener: Listener) -> Party:
    """The usual client, which wants to be told."""
    return make_party(back_channel_uri=listener.uri)


@pytest.fixture
def ended(anna: Browser, party: Party) -> dict[str, Any]:
    """What an ID token said of a session that is over."""
    claims = party.claims(party.tokens(anna))
    anna.post("/logout/")
    return claims


@contextmanager
def later(**span: float) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(**span), tick=True):
        yield


def untold() -> list[str]:
    found = AuditEvent.objects.filter(event=Event.CLIENT_UNTOLD)
    return list(found.values_list("detail", flat=True))


@pytest.mark.parametrize("end", SESSION_ENDS)
def test_a_client_is_told_of_the_end_whatever_ended_the_session(
    end: Callable[[Browser], None], anna: Browser, party: Party, listener: Listener
) -> None:
    party.tokens(anna)
    delivery.deliver_due()
    assert not listener.heard

    end(anna)
    delivery.deliver_due()
    delivery.deliver_due()

    assert len(listener.heard) == 1
    assert not Visit.objects.exists()


def test_a_logout_token_is_as_the_standard_has_it(
    ended: dict[str, Any], party: Party, listener: Listener
) -> None:
    delivery.deliver_due()

    [(content_type, body)] = listener.heard
    [value] = parse_qs(body)["logout_token"]
    keys = jwt.PyJWKSet.from_dict(party.browser.get("/openid/keys").json())
    header = jwt.get_unverified_header(value)
    told = jwt.decode(
        value, keys[header["kid"]], algorithms=["RS256"], audience=party.client_id
    )
    assert content_type == "application/x-www-form-urlencoded"
    assert (header["typ"], header["alg"]) == ("logout+jwt", "RS256")
    assert told.keys() == {"iss", "aud", "iat", "exp", "jti", "events", "sub", "sid"}
    assert told["events"] == {EVENT: {}}
    assert told["iss"] == ended["iss"]
    assert (told["sub"], told["sid"]) == (ended["sub"], ended["sid"])
    assert told["exp"] - told["iat"] == 120


@pytest.mark.database
def test_a_session_has_one_name_at_a_client(
    anna: Browser, party: Party, start: Starter
) -> None:
    tokens = party.tokens(anna)
    first = party.claims(tokens)["sid"]
    second = Browser()
    start(second)

    assert party.claims(party.tokens(anna))["sid"] == first
    again = party.refresh(tokens["refresh_token"]).json()
    assert party.claims(again)["sid"] == first
    assert party.claims(party.tokens(second))["sid"] != first


def test_whoever_does_not_want_to_be_told_is_not(
    anna: Browser, signing_key: SigningKey
) -> None:
    silent = make_party("chat")

    assert "sid" not in silent.claims(silent.tokens(anna))
    assert not Visit.objects.exists()


def test_the_client_that_logs_the_user_out_is_not_told_of_it(
    anna: Browser, party: Party, listener: Listener, signing_key: SigningKey
) -> None:
    chat = make_party("chat", back_channel_uri=f"{listener.uri}/chat")
    party.tokens(anna), chat.tokens(anna)
    words = {"client_id": party.client_id, "csrfmiddlewaretoken": "x"}
    words |= {"post_logout_redirect_uri": AFTER_LOGOUT, "action": "logout"}

    anna.post("/openid/logout", words)
    delivery.deliver_due()

    [(_type, body)] = listener.heard
    value = parse_qs(body)["logout_token"][0]
    claims = jwt.decode(value, options={"verify_signature": False})
    assert claims["aud"] == chat.client_id


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_fault_that_may_pass_is_tried_again(
    status: int, ended: dict[str, Any], listener: Listener
) -> None:
    listener.status = status
    delivery.deliver_due()
    delivery.deliver_due()
    assert len(listener.heard) == 1

    listener.status = 200
    with later(seconds=31):
        delivery.deliver_due()

    assert len(listener.heard) == 2
    assert not Visit.objects.exists()
    assert untold() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 302])
def test_a_client_that_has_had_its_say_is_not_asked_again(
    status: int, ended: dict[str, Any], listener: Listener
) -> None:
    listener.status = status

    delivery.deliver_due()
    with later(hours=2):
        delivery.deliver_due()

    assert len(listener.heard) == 1
    assert not Visit.objects.exists()
    [event] = AuditEvent.objects.filter(event=Event.CLIENT_UNTOLD)
    assert event.user_name == "anna"
    assert event.detail.startswith("client voicemail: ")


def test_a_client_that_is_away_hears_of_it_when_it_is_back(
    ended: dict[str, Any], listener: Listener, admin: Browser
) -> None:
    OpenIdClient.objects.update(back_channel_uri=f"http://127.0.0.1:{free_port()}/")
    delivery.deliver_due()
    assert "refused" in Visit.objects.get().fault
    application = OpenIdClient.objects.get().application_id
    page = admin.get(f"/admin/clients/clientapplication/{application}/change/")
    assert "wait for the client: 1 (refused" in page.content.decode()

    OpenIdClient.objects.update(back_channel_uri=listener.uri)
    with later(seconds=31):
        delivery.deliver_due()

    assert len(listener.heard) == 1


def test_the_wait_grows_and_has_an_end(
    ended: dict[str, Any], listener: Listener
) -> None:
    listener.status, now, waits = 503, timezone.now(), []
    for _try in range(9):
        with time_machine.travel(now, tick=False):
            delivery.deliver_due()
        waits.append(Visit.objects.get().due_at - now)  # type: ignore[operator]
        now = Visit.objects.get().due_at or now

    seconds = [round(wait.total_seconds()) for wait in waits]
    assert seconds == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    with later(hours=25):
        delivery.deliver_due()
    assert not Visit.objects.exists()
    assert untold() == ["client voicemail: status 503"]


@pytest.mark.long
@pytest.mark.database
def test_a_client_that_is_away_rests_with_all_that_it_is_to_be_told(
    party: Party, listener: Listener, start: Starter
) -> None:
    for _session in range(5):
        browser = Browser()
        start(browser)
        party.tokens(browser)
        browser.post("/logout/")
    listener.status = 503

    delivery.deliver_due()

    assert len(listener.heard) == 1
    assert visits.waiting_at(party.client_id).count() == 5
    listener.status = 200
    with later(seconds=31):
        delivery.deliver_due()
    assert len(listener.heard) == 6
    assert not Visit.objects.exists()


def test_a_delivery_has_a_limit_of_time(
    ended: dict[str, Any], listener: Listener, settings: Any
) -> None:
    settings.OAUTH2_TIMEOUT, listener.seconds = 0.2, 20.0
    began = time.monotonic()

    delivery.deliver_due()

    assert time.monotonic() - began < 10
    assert "within 0.2 seconds" in Visit.objects.get().fault


def test_a_run_has_a_limit_of_time(
    ended: dict[str, Any], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RUN_SECONDS", 0.0)

    delivery.deliver_due()

    assert not listener.heard
    assert Visit.objects.get().due_at


@pytest.mark.database
def test_of_two_workers_one_takes_a_visit(ended: dict[str, Any]) -> None:
    visits.note_ends()

    taken = [visits.claim(), visits.claim()]

    assert [visit is not None for visit in taken] == [True, False]


@pytest.mark.database
def test_what_a_dead_worker_held_is_taken_up_again(
    ended: dict[str, Any], listener: Listener
) -> None:
    visits.note_ends()
    visits.claim()

    with later(seconds=61):
        delivery.deliver_due()

    assert len(listener.heard) == 1


def test_whoever_wants_no_word_any_more_gets_none(
    ended: dict[str, Any], listener: Listener
) -> None:
    OpenIdClient.objects.update(back_channel_uri="")

    delivery.deliver_due()

    assert not listener.heard
    assert not Visit.objects.exists()


def test_without_a_key_that_signs_the_word_waits(
    ended: dict[str, Any], listener: Listener
) -> None:
    SigningKey.objects.update(pem="")

    delivery.deliver_due()

    assert not listener.heard
    assert "rotatesigningkey" in Visit.objects.get().fault


def test_the_scheduler_asks_for_it_every_few_seconds() -> None:
    [entry] = [
        entry
        for entry in app.conf.beat_schedule.values()
        if entry["task"].endswith("tell_clients_of_ends")
    ]

    assert entry["schedule"] == 5.0


def test_the_configuration_says_so(browser: Browser, db: None) -> None:
    told = browser.get("/.well-known/openid-configuration").json()

    assert told["backchannel_logout_supported"] is True
    assert told["backchannel_logout_session_supported"] is True
    assert "sid" in told["claims_supported"]


@pytest.mark.parametrize("uri", ["http://chat.example.com/x", "ftp://x/", "x"])
def test_the_address_is_a_safe_one(uri: str, party: Party) -> None:
    party.openid.back_channel_uri = uri

    with pytest.raises(ValidationError, match="back_channel_uri"):
        party.openid.full_clean()
    with pytest.raises(IntegrityError, match="openid_client_is_told_at_a_web_address"):
        OpenIdClient.objects.update(back_channel_uri="ftp://x/")


@pytest.mark.database
def test_a_visit_is_due_once_it_has_ended(anna: Browser, party: Party) -> None:
    party.tokens(anna)

    with pytest.raises(IntegrityError, match="visit_is_due_once_it_has_ended"):
        Visit.objects.update(due_at=timezone.now())


@pytest.mark.database
def test_what_an_older_release_ends_is_found_by_the_hour(
    anna: Browser, party: Party, listener: Listener
) -> None:
    """It knows no visits, and deletes the rows of sessions as it always did."""
    party.tokens(anna)
    GrantedToken.objects.all().delete()
    Grant.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usersessions_usersession")

    forget_old_grants()
    delivery.deliver_due()

    assert len(listener.heard) == 1
    assert not Visit.objects.exists()


@pytest.mark.database
def test_a_client_that_an_older_release_deletes_is_told_nothing(
    ended: dict[str, Any], party: Party, listener: Listener
) -> None:
    client_id = party.client_id
    OpenIdClient.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM allauth_idp_oidc_client WHERE id = %s", [client_id])

    forget_old_grants()

    assert not Visit.objects.exists()
    delivery.deliver_due()
    assert not listener.heard


def test_the_page_of_sessions_that_are_to_be_ended_tells_nobody(
    anna: Browser, party: Party, admin: Browser
) -> None:
    party.tokens(anna)
    session = UserSession.objects.get(user__name="anna")
    words = {"action": "end_selected", "_selected_action": session.pk}

    admin.post("/admin/usersessions/usersession/", words)

    assert Visit.objects.get().session == session

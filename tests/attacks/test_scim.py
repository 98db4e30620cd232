"""Whoever guesses the key of SCIM, and whoever has it and wants more than it gives."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.sync.models import ScimKey, ScimRequest, ScimUser
from authconfig.sync.scim import keys, told
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.edge.bodies import limited
from pbxsite.scim import filters, requests
from tests.support.scim import CORE, USERS, ScimClient, confirm
from verification.voicemail import keys as voicemail_keys

pytestmark = pytest.mark.django_db
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def scim() -> ScimClient:
    confirm()
    return ScimClient()


@pytest.mark.parametrize(
    "shown", ["", "Bearer ", "Bearer wrong", "Basic YTpi", "Bearer \0"]
)
def test_nobody_without_the_key_learns_or_changes_anything(
    scim: ScimClient, shown: str
) -> None:
    headers = {"Authorization": shown} if shown else {}
    for path in (USERS, "/scim/v2/Schemas", "/scim/v2/ResourceTypes", "/scim/v2/"):
        answer = Browser().get(path, headers=headers)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["schemas"] == [
            "urn:ietf:params:scim:api:messages:2.0:Error"
        ]
    assert not ScimRequest.objects.exists()


def test_what_it_can_do_is_told_to_everybody(db: None) -> None:
    answer = Browser().get("/scim/v2/ServiceProviderConfig")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["patch"]["supported"], told["bulk"]["supported"]) == (True, False)
    assert (told["etag"]["supported"], told["filter"]["supported"]) == (True, True)


def test_guessing_has_an_end_and_locks_nobody_out(scim: ScimClient) -> None:
    guesser = ScimClient(key="pbxscim_guess")
    answers = [guesser.ask("GET", USERS).status_code for _try in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert AuditEvent.objects.filter(event=Event.SCIM_KEY_WRONG).count() == 10
    assert scim.ask("GET", USERS).status_code == 200


def test_a_key_that_was_revoked_or_replaced_is_worth_nothing(scim: ScimClient) -> None:
    newer = ScimClient()
    assert scim.ask("GET", USERS).status_code == 401
    keys.revoke(actor=None)
    assert newer.ask("GET", USERS).status_code == 401
    assert newer.key not in ScimKey.objects.values_list("digest", flat=True)


def test_other_keys_open_nothing(scim: ScimClient) -> None:
    other = ScimClient(key=voicemail_keys.make(actor=None))
    assert other.ask("GET", USERS).status_code == 401


def test_an_administrators_session_opens_nothing(
    scim: ScimClient, admin: Browser
) -> None:
    assert admin.get(USERS).status_code == 401


def test_rights_never_come_by_scim(scim: ScimClient) -> None:
    more = {
        "roles": [{"value": "admin", "primary": True}],
        "entitlements": [{"value": "admin"}],
        "is_staff": True,
        "isStaff": True,
        "is_superuser": True,
        "userType": "Administrator",
        "password": "a password of theirs",
        "groups": [{"value": "1", "display": "Operators"}],
    }
    public_id = scim.add("mallory", "1", **more).json()["id"]
    scim.patch(public_id, {"op": "add", "path": "roles", "value": more["roles"]})
    scim.patch(
        public_id, {"op": "replace", "value": {"password": "another one", **more}}
    )
    mallory = PbxUser.objects.get()
    assert (mallory.is_staff, mallory.is_superuser) == (False, False)
    assert not mallory.has_usable_password()
    assert not mallory.groups.exists()
    assert "password" not in json.dumps(ScimUser.objects.get().resource)


def test_users_that_it_has_not_written_are_out_of_reach(
    scim: ScimClient, user: PbxUser, administrator: PbxUser
) -> None:
    assert scim.find('userName eq "anna"')["totalResults"] == 0
    for public_id in (user.pk, administrator.pk, "anna"):
        assert scim.ask("GET", f"{USERS}/{public_id}").status_code == 404
        assert scim.deactivate(str(public_id)).status_code == 404
        assert scim.ask("DELETE", f"{USERS}/{public_id}").status_code == 404
    # A name that is taken makes neither of them the provider's.
    for name in ("anna", "ANNA", "admin", "\uff41nna"):
        public_id = scim.add(name, f"of {name}").json()["id"]
        scim.deactivate(public_id)
        scim.ask("DELETE", f"{USERS}/{public_id}")
    assert PbxUser.objects.filter(is_active=True).count() == 2
    assert PbxUser.objects.count() == 2


def test_nobody_is_taken_over_by_a_rename(scim: ScimClient, user: PbxUser) -> None:
    public_id = scim.add("mallory", "1").json()["id"]
    scim.patch(public_id, {"op": "replace", "path": "userName", "value": "anna"})
    assert set(PbxUser.objects.values_list("name", flat=True)) == {"anna", "mallory"}
    assert ScimUser.objects.get().reason == "local_user"


def test_mass_deactivation_stops(scim: ScimClient) -> None:
    made = [scim.add(f"user{n}", f"id{n}").json()["id"] for n in range(20)]
    for public_id in made[:10]:
        assert scim.deactivate(public_id).status_code in (200, 204)
    for public_id in made[10:]:
        assert scim.ask("DELETE", f"{USERS}/{public_id}").status_code == 204
    assert PbxUser.objects.filter(is_active=True).count() == 17


def test_waves_of_renames_do_not_reset_the_stop(scim: ScimClient) -> None:
    made = [scim.add(f"user{n}", f"id{n}").json()["id"] for n in range(20)]
    for public_id in made:
        off = {"op": "replace", "value": {"active": False}}
        scim.patch(
            public_id, off, {"op": "replace", "path": "displayName", "value": "x"}
        )
        scim.patch(public_id, {"op": "replace", "path": "nickName", "value": "y"})
    assert PbxUser.objects.filter(is_active=True).count() == 17


BODIES: list[Any] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b"[" * 10_000,
    {},
    {"schemas": [CORE]},
    {"schemas": [CORE], "userName": ""},
    {"schemas": [CORE], "userName": "   "},
    {"schemas": [CORE], "userName": "a\0b"},
    {"schemas": [CORE], "userName": "x" * 255},
    {"schemas": [CORE], "userName": 7},
    {"schemas": [CORE], "userName": ["x"]},
    {"schemas": [CORE], "userName": "x", "externalId": "y" * 201},
    {"schemas": [CORE], "userName": "x", "emails": "no list"},
    {"schemas": [CORE], "userName": "x", "displayName": "\0"},
    {"schemas": [CORE], "userName": "x", "emails": [{"value": "\0"}]},
    {"schemas": [CORE], "userName": "x", "active": "perhaps"},
    {"schemas": ["urn:x"], "userName": "x"},
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_nonsense_is_refused_in_words(scim: ScimClient, method: str) -> None:
    public_id = scim.add("anna", "1").json()["id"]
    path = USERS if method == "POST" else f"{USERS}/{public_id}"
    headers = {"Authorization": f"Bearer {scim.key}"}
    for body in BODIES:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = scim.browser.generic(
            method, path, content, "application/scim+json", headers=headers
        )
        assert answer.status_code in (400, 409), (body, answer.content)
        assert answer.json()["detail"], body
        assert PbxUser.objects.get().name == "anna", body


@pytest.mark.parametrize(
    "filter_",
    [
        "userName",
        "userName eq",
        'userName eq "x" or',
        "userName eq 'x'",
        'password eq "x"',
        'userName eq "\0"',
        'nobody eq "x"',
        "(" * 2000,
        'userName eq "a" and ' * 200 + 'userName eq "b"',
        "is_staff eq true",
        'user__password sw "a"',
        'externalId eq "\' OR 1=1 --"',
    ],
)
def test_filters_ask_for_nothing_else(scim: ScimClient, filter_: str) -> None:
    answer = scim.browser.get(
        USERS,
        {"filter": filter_},
        headers={"Authorization": f"Bearer {scim.key}"},
    )
    assert answer.status_code in (200, 400), answer.content
    if answer.status_code == 200:
        assert answer.json()["totalResults"] == 0


@pytest.mark.parametrize(
    "query", ["startIndex=-5", "startIndex=99999999999999999999", "count=-1", "count=x"]
)
def test_pages_that_are_none(scim: ScimClient, query: str) -> None:
    answer = scim.ask("GET", f"{USERS}?{query}")
    assert answer.status_code in (200, 400), answer.content


def test_a_body_that_is_too_large_is_refused_at_the_edge() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 70_000, "more_body": True}

    async def never(*_words: Any) -> None:
        raise AssertionError("nobody reads it")

    scope = {"type": "http", "path": USERS, "headers": []}
    asyncio.run(limited(never)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert (b"content-type", b"application/scim+json") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["status"] == "413"


def test_two_who_change_the_same_are_told(scim: ScimClient) -> None:
    made = scim.add("anna", "1").json()
    operation = {"op": "replace", "path": "displayName", "value": "A"}
    first = scim.patch(made["id"], operation, **{"If-Match": made["meta"]["version"]})
    assert first.status_code in (200, 204)
    operation["value"] = "B"
    late = scim.patch(made["id"], operation, **{"If-Match": made["meta"]["version"]})
    assert late.status_code == 412
    same = scim.ask("GET", f"{USERS}/{made['id']}", **{"If-None-Match": 'W/"2"'})
    assert same.status_code == 304


def test_too_many_right_requests_are_told_to_wait(
    scim: ScimClient, settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"scim": "2/m/key"}
    answers = [scim.ask("GET", USERS) for _try in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Retry-After"]


@pytest.mark.parametrize(
    ("owner", "name"), [(ScimKey, "is_right"), (told, "everybody")]
)
def test_without_a_database_it_is_told_to_come_again(
    scim: ScimClient, owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_words: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(owner, name, away)

    answer = scim.ask("GET", USERS)

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert answer.json()["detail"] == "The database does not answer. Ask again later."


def test_what_is_asked_again_and_again_fills_no_table(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "KEPT", 2)
    monkeypatch.setattr(requests, "MORE", 1)
    for name in "abcd":
        scim.ask("GET", f"{USERS}/{name}")

    kept = ScimRequest.objects.order_by("pk").values_list("path", flat=True)
    assert list(kept) == ["/Users/c", "/Users/d"]


def test_a_character_that_no_row_holds_fails_no_request(scim: ScimClient) -> None:
    assert scim.ask("GET", f"{USERS}/a%00").status_code == 404

    assert ScimRequest.objects.get().path == "/Users/a\ufffd"


def test_nobody_is_looked_for_among_more_than_can_be_looked_at(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MOST_LOOKED_AT", 1)
    scim.add("anna", displayName="A")
    assert scim.find('displayName eq "A"')["totalResults"] == 1
    scim.add("bert", displayName="B")

    answer = scim.find('displayName eq "A"')

    assert answer["scimType"] == "tooMany"
    assert scim.find('userName eq "bert"')["totalResults"] == 1

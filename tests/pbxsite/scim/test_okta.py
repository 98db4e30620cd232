"""The requests that Okta's documents show: "Build your SCIM API service" (2026)."""

from __future__ import annotations

from typing import Any

import pytest

from authconfig.users.models import PbxUser
from tests.support.scim import CORE, USERS, ScimClient


def okta_user(**more: Any) -> dict[str, Any]:
    return {
        "schemas": [CORE],
        "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
        **more,
    }


@pytest.fixture
def made(scim: ScimClient) -> dict[str, Any]:
    answer = scim.ask("POST", USERS, okta_user())
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_nobody_is_there_at_first(scim: ScimClient) -> None:
    wanted = "userName%20eq%20%22test.user@okta.local%22&startIndex=1&count=100"
    found = scim.ask("GET", f"{USERS}?filter={wanted}").json()
    assert found["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
    assert (found["totalResults"], found["Resources"]) == (0, [])


def test_a_password_is_never_taken(made: dict[str, Any]) -> None:
    user = PbxUser.objects.get(name="test.user@okta.local")
    assert (user.language, user.has_usable_password()) == ("en", False)
    assert "password" not in made


def test_a_put_replaces_it(made: dict[str, Any], scim: ScimClient) -> None:
    body = okta_user(id=made["id"], displayName="Another", meta=made["meta"])
    answer = scim.ask("PUT", f"{USERS}/{made['id']}", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["displayName"] == "Another"
    assert PbxUser.objects.get().long_name == "Another"


def test_deactivation_and_back(made: dict[str, Any], scim: ScimClient) -> None:
    for active in (False, True):
        operation = {"op": "replace", "value": {"active": active}}
        assert scim.patch(made["id"], operation).status_code in (200, 204)
        assert PbxUser.objects.get().is_active is active


def test_pages(scim: ScimClient) -> None:
    for number in range(5):
        scim.add(f"user{number}@okta.local", f"id{number}")
    pages = [
        scim.ask("GET", f"{USERS}?startIndex={start}&count=2").json()
        for start in (1, 3, 5, 7)
    ]
    assert [page["totalResults"] for page in pages] == [5] * 4
    names = [[user["userName"][:5] for user in page["Resources"]] for page in pages]
    assert names == [["user0", "user1"], ["user2", "user3"], ["user4"], []]


def test_an_unknown_user_is_404(scim: ScimClient) -> None:
    for public_id in ("23a35c27-23d3-4c03-b4c5-6443c09e7173", "no-uuid"):
        answer = scim.ask("GET", f"{USERS}/{public_id}")
        assert (answer.status_code, answer.json()["status"]) == (404, "404")

"""The requests that Microsoft's documents show of Entra ID.

From "Tutorial: Develop and plan provisioning for a SCIM endpoint" and "Known issues
with SCIM 2.0 protocol compliance", as they stood in 2026.
"""

from __future__ import annotations

from typing import Any

import pytest

from authconfig.sync.models import ScimUser
from authconfig.users.models import PbxUser
from tests.support.scim import CORE, ENTERPRISE, USERS, ScimClient


def entra_user(**more: Any) -> dict[str, Any]:
    return {
        "schemas": [CORE, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_ab6490ee@example.com",
        "active": True,
        "addresses": None,
        "displayName": "lennay",
        "emails": [
            {"type": "work", "value": "lennay@example.com", "primary": True},
        ],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Lennay Adams", "familyName": "A", "givenName": "L"},
        "roles": [],
        ENTERPRISE: {"department": "bob", "manager": {"value": "1"}},
        "title": "Developer",
        **more,
    }


@pytest.fixture
def made(scim: ScimClient, configure: Any) -> dict[str, Any]:
    configure(oauth2_domain="example.com")
    answer = scim.ask("POST", USERS, entra_user())
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_user_is_made(made: dict[str, Any]) -> None:
    user = PbxUser.objects.get(name="Test_User_ab6490ee")
    assert (user.long_name, user.email) == ("lennay", "lennay@example.com")
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)
    assert not user.has_usable_password()
    assert made["userName"] == "Test_User_ab6490ee@example.com"
    assert made["meta"]["location"].endswith(f"{USERS}/{made['id']}")
    assert made["meta"]["version"] == 'W/"1"'


@pytest.mark.parametrize(
    "wanted",
    [
        'userName eq "TEST_user_ab6490ee@example.com"',
        'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"',
        'emails[type eq "work"].value eq "lennay@example.com"',
        'emails[type eq "work" and value eq "lennay@example.com"]',
        'userName eq "nobody" or active eq true',
        'displayName sw "len" and not (userName pr and nickName pr)',
    ],
)
def test_it_is_found_by(made: dict[str, Any], scim: ScimClient, wanted: str) -> None:
    found = scim.find(wanted)
    assert found["totalResults"] == 1, found
    assert found["Resources"][0]["id"] == made["id"]


def test_nobody_is_an_empty_list(scim: ScimClient) -> None:
    found = scim.find('userName eq "00a7cbb6-8b13-4d1f-8c0c-0f86e1a0b0b4"')
    assert (found["totalResults"], found["Resources"]) == (0, [])
    assert found["itemsPerPage"] == 0
    assert found["startIndex"] == 1


@pytest.mark.parametrize(
    ("operation", "field", "value"),
    [
        (
            {
                "op": "Replace",
                "path": 'emails[type eq "work"].value',
                "value": "updated@example.com",
            },
            "email",
            "updated@example.com",
        ),
        ({"op": "Replace", "path": "displayName", "value": "New"}, "long_name", "New"),
        (
            {
                "op": "Add",
                "path": 'phoneNumbers[type eq "work"].value',
                "value": "123",
            },
            "number",
            "123",
        ),
        (
            {"op": "replace", "path": "userName", "value": "5b50@example.com"},
            "name",
            "5b50",
        ),
        ({"op": "Replace", "path": "active", "value": "False"}, "is_active", False),
        ({"op": "Replace", "value": {"active": False}}, "is_active", False),
        (
            {"op": "Add", "value": {"name.familyName": "B", "displayName": "L B"}},
            "long_name",
            "L B",
        ),
        (
            {"op": "Add", "path": "preferredLanguage", "value": "de-DE"},
            "language",
            "de",
        ),
        ({"op": "Remove", "path": "displayName"}, "long_name", "Lennay Adams"),
    ],
)
def test_a_patch_changes_it(
    made: dict[str, Any],
    scim: ScimClient,
    operation: dict[str, Any],
    field: str,
    value: object,
) -> None:
    answer = scim.patch(made["id"], operation)
    assert answer.status_code in (200, 204), answer.content
    assert getattr(PbxUser.objects.get(), field) == value


@pytest.mark.parametrize("was_active", [True, False])
def test_the_last_word_stays_where_active_is_removed(
    made: dict[str, Any], scim: ScimClient, was_active: bool
) -> None:
    path = f"{USERS}/{made['id']}"
    if not was_active:
        scim.deactivate(made["id"])

    scim.patch(made["id"], {"op": "Remove", "path": "active"})

    assert "active" not in scim.ask("GET", path).json()
    assert PbxUser.objects.get().is_active is was_active
    scim.patch(made["id"], {"op": "Add", "path": "displayName", "value": "Later"})
    assert PbxUser.objects.get().is_active is was_active
    for said in (True, False):
        assert scim.find(f"active eq {str(said).lower()}")["totalResults"] == 0

    scim.patch(made["id"], {"op": "Add", "path": "active", "value": True})
    assert scim.ask("GET", path).json()["active"] is True
    assert PbxUser.objects.get().is_active


def test_a_put_without_active_lets_nobody_in_again(
    made: dict[str, Any], scim: ScimClient
) -> None:
    scim.deactivate(made["id"])
    body = {k: v for k, v in entra_user(displayName="put").items() if k != "active"}

    answer = scim.ask("PUT", f"{USERS}/{made['id']}", body)

    assert answer.status_code == 200, answer.content
    assert answer.json()["displayName"] == "put"
    assert not PbxUser.objects.get().is_active


def test_whoever_is_new_may_log_in_unless_it_is_denied(scim: ScimClient) -> None:
    scim.ask("POST", USERS, {"schemas": [CORE], "userName": "nora"})
    assert PbxUser.objects.get(name="nora").is_active
    assert scim.find("active eq true")["totalResults"] == 1


def test_a_manager_is_accepted_and_forgotten(
    made: dict[str, Any], scim: ScimClient
) -> None:
    path = f"{ENTERPRISE}:manager"
    answer = scim.patch(made["id"], {"op": "Add", "path": path, "value": "2"})
    assert answer.status_code in (200, 204), answer.content
    assert "manager" not in str(ScimUser.objects.get().resource)


def test_what_is_left_out_is_not_told(made: dict[str, Any], scim: ScimClient) -> None:
    path = f"{USERS}/{made['id']}?attributes=userName,active"
    assert set(scim.ask("GET", path).json()) == {"schemas", "id", "userName", "active"}


def test_deleting_deactivates(made: dict[str, Any], scim: ScimClient) -> None:
    assert scim.ask("DELETE", f"{USERS}/{made['id']}").status_code == 204
    assert not PbxUser.objects.get().is_active
    assert scim.ask("GET", f"{USERS}/{made['id']}").status_code == 404
    assert scim.find("userName pr")["totalResults"] == 0


def test_whoever_comes_back_is_the_same(made: dict[str, Any], scim: ScimClient) -> None:
    before = PbxUser.objects.get()
    scim.ask("DELETE", f"{USERS}/{made['id']}")
    again = scim.ask("POST", USERS, entra_user(displayName="back"))
    assert again.status_code == 201
    assert again.json()["id"] == made["id"]
    user = PbxUser.objects.get()
    assert (user.pk, user.is_active, user.long_name) == (before.pk, True, "back")


def test_a_second_one_of_a_name_is_refused(
    made: dict[str, Any], scim: ScimClient
) -> None:
    body = entra_user(externalId="another", userName="TEST_USER_ab6490ee@example.com")
    answer = scim.ask("POST", USERS, body)
    assert answer.status_code == 409
    assert answer.json()["scimType"] == "uniqueness"
    assert answer["Content-Type"].startswith("application/scim+json")

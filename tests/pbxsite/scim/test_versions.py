"""Nothing is written over that has changed since it was read (RFC 7644, 3.14)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from authconfig.sync.models import ScimUser
from authconfig.sync.scim import carrying, told
from authconfig.users.models import PbxUser
from tests.support.scim import USERS, ScimClient

NUMBER = {"op": "replace", "path": "displayName", "value": "Anna Berg"}
LEFT = {"op": "replace", "path": "active", "value": False}


@pytest.fixture
def anna(scim: ScimClient, configure: Any) -> str:
    """Return the identity of one whom the provider has changed once."""
    configure(oauth2_domain="example.com")
    answer = scim.add("anna@example.com", "a-1")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["meta"]["version"] == 'W/"1"'
    assert scim.patch(made["id"], NUMBER).status_code == 204
    return str(made["id"])


def test_each_change_has_a_version_of_its_own(anna: str, scim: ScimClient) -> None:
    read = scim.ask("GET", f"{USERS}/{anna}")

    assert read["ETag"] == read.json()["meta"]["version"] == 'W/"2"'
    unchanged = scim.ask("GET", f"{USERS}/{anna}", If_None_Match='W/"2"')
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_what_was_read_too_early_changes_nothing(anna: str, scim: ScimClient) -> None:
    patched = scim.patch(anna, LEFT, If_Match='W/"1"')
    deleted = scim.ask("DELETE", f"{USERS}/{anna}", If_Match='W/"1"')

    assert [patched.status_code, deleted.status_code] == [412, 412]
    assert PbxUser.objects.get(name="anna").is_active
    assert ScimUser.objects.get().version == 2


def test_what_changes_between_the_look_and_the_write_changes_nothing(anna: str) -> None:
    """The protocol's library looked at the version before."""
    with pytest.raises(told.OutdatedError):
        told.change(anna, told.Told("berta@example.com"), version=1)
    with pytest.raises(told.OutdatedError):
        told.delete(anna, version=1)

    row = ScimUser.objects.get()
    assert (row.user_name, row.version, row.deleted_at) == ("anna@example.com", 2, None)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_one_request_after_the_other_changes_what_is_kept() -> None:
    anna = str(told.add(told.Told("anna")).public_id)

    def change() -> None:
        told.change(anna, told.Told("berta"), version=1)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            carrying.hold()
            changing = pool.submit(change)
            with pytest.raises(TimeoutError):
                changing.result(0.3)
        changing.result(10)

    assert ScimUser.objects.get().user_name == "berta"


def test_what_was_read_as_it_is_changes_it(anna: str, scim: ScimClient) -> None:
    patched = scim.patch(anna, LEFT, If_Match='W/"2"')

    assert patched.status_code == 204
    assert not PbxUser.objects.get(name="anna").is_active
    deleted = scim.ask("DELETE", f"{USERS}/{anna}", If_Match='W/"3"')
    assert deleted.status_code == 204


def test_one_who_is_back_is_newer_than_before(anna: str, scim: ScimClient) -> None:
    scim.ask("DELETE", f"{USERS}/{anna}")

    back = scim.add("anna@example.com", "a-1").json()

    assert (back["id"], back["meta"]["version"]) == (anna, 'W/"3"')
    late = scim.patch(anna, LEFT, If_Match='W/"2"')
    assert late.status_code == 412

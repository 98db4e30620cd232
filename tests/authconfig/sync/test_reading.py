"""What entries say, in the forms in which only some directories say it."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import ldap
import pytest
from django.utils import timezone

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import DEFAULT, wishes_of
from authconfig.sync.directory.entries import (
    ENTRY_UUID,
    OBJECT_GUID,
    IdentityKind,
    PersonReader,
)
from authconfig.sync.directory.reading import (
    Directory,
    Place,
    Question,
    Reader,
    _directory,
)
from authconfig.sync.directory.searches import Searches, comparable

GUID = uuid.UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")
UUID = b"7d0c4ad1-6a3f-4c5e-9e52-0a1f3f0a5b11"


def read(raw: dict[str, list[bytes]], wishes: str = DEFAULT) -> Any:
    reader = PersonReader(wishes_of(wishes), ENTRY_UUID)
    return reader.read({"entryUUID": [UUID], "uid": [b"anna"]} | raw)


ENTRIES: list[tuple[dict[str, list[bytes]], str, str]] = [
    ({"displayName;lang-de": [b"Anna"]}, "long_name", "Anna"),
    ({"displayName;lang-de": [b"A"], "displayName": [b"B"]}, "long_name", "B"),
    ({"DISPLAYNAME": [b"Anna"]}, "long_name", "Anna"),
    ({"displayName": ["Jürgen Öz".encode()]}, "long_name", "Jürgen Öz"),
    ({"displayName": [b"x" * 300]}, "long_name", "x" * 150),
    ({"uid": [" Anna\u200b ".encode()]}, "name", "Anna"),
    ({"uid": ["ﬁnn".encode()]}, "name", "finn"),
    ({"mail": [b""]}, "email", ""),
]


@pytest.mark.parametrize(("raw", "field", "expected"), ENTRIES)
def test_a_fact_is_taken_from_the_entry(
    raw: dict[str, list[bytes]], field: str, expected: str
) -> None:
    person = read(raw)

    assert person.facts[field] == expected
    assert not person.fault


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"uid": [b"a\\b"]}, "name “a\\b”: Remove the backslash"),
        ({"uid": [b"a\nb"]}, "Remove the line break"),
        ({"uid": [b"x" * 151]}, "at most 150"),
        ({"uid": ["ῷ".encode() * 120]}, "Enter a shorter name."),
        ({"mail": [b"nobody"]}, "email “nobody”: Enter a valid email address."),
        ({"telephoneNumber": [b"1" * 33]}, "at most 32"),
        ({"telephoneNumber": [b"4,97112E+11"]}, "Enter the digits themselves."),
        ({"displayName": [b"a\0b"]}, "Remove the line break or control character."),
    ],
)
def test_a_value_that_no_user_can_have_is_named(
    raw: dict[str, list[bytes]], words: str
) -> None:
    assert words in read(raw).fault


def test_what_a_disabled_entry_says_does_not_matter() -> None:
    person = read({"mail": [b"nobody"], "nsAccountLock": [b"TRUE"]})

    assert (person.is_enabled, person.fault) == (False, "")


@pytest.mark.parametrize(
    ("said", "code"), [(b"de-AT", "de"), (b"EN", "en"), (b"fr", ""), (b"", "")]
)
def test_a_language_is_one_of_ours(said: bytes, code: str) -> None:
    wishes = "name=uid, language=preferredLanguage"

    assert read({"preferredLanguage": [said]}, wishes).facts["language"] == code


@pytest.mark.parametrize(
    ("kind", "value", "identity"),
    [
        (OBJECT_GUID, GUID.bytes_le, str(GUID)),
        (OBJECT_GUID, b"short", ""),
        (ENTRY_UUID, UUID.upper(), UUID.decode()),
    ],
)
def test_an_identity_is_text(kind: IdentityKind, value: bytes, identity: str) -> None:
    assert kind.of({kind.attribute.upper(): [value]}) == identity


def test_an_entry_without_identity_is_nobody() -> None:
    assert PersonReader(wishes_of(DEFAULT), OBJECT_GUID).read({"uid": [b"x"]}) is None


def test_an_entry_is_found_by_its_identity() -> None:
    octets = "".join(f"\\{octet:02x}" for octet in GUID.bytes_le)

    assert OBJECT_GUID.condition(str(GUID)) == f"(objectGUID={octets})"
    assert ENTRY_UUID.condition("a)b") == "(entryUUID=a\\29b)"


def test_members_come_in_ranges() -> None:
    """Active Directory sends the first 1,500, and says which they are."""
    answers = {
        "member": {"member;range=0-1": [b"cn=a", b"cn=b"], "member": []},
        "member;range=2-*": {"member;range=2-3": [b"cn=c", b"cn=d"]},
        "member;range=4-*": {"member;range=4-*": [b"cn=e"]},
    }
    asked = []

    def search_s(dn: str, _scope: int, _filter: str, wanted: list[str]) -> Any:
        asked.append(wanted[0])
        return [(dn, answers[wanted[0]]), (None, ["ldap://elsewhere"])]

    attempt = DirectoryAttempt(AuthenticationSettings())
    searches = Searches(SimpleNamespace(search_s=search_s), attempt)  # type: ignore

    assert list(searches._direct_members("cn=g")) == [f"cn={name}" for name in "abcde"]
    assert asked == list(answers)


def test_references_to_other_servers_are_nobody() -> None:
    """Active Directory sends some with each search from its root."""
    found = [("cn=a", {"uid": [b"a"]}), (None, ["ldap://elsewhere"])]
    connection = SimpleNamespace(
        search_ext=lambda *_words, serverctrls: 1,
        result3=lambda *_words: (101, found, 1, []),
    )
    attempt = DirectoryAttempt(AuthenticationSettings())
    searches = Searches(connection, attempt)  # type: ignore[arg-type]

    assert list(searches.pages("dc=x", "(cn=*)", ["uid"])) == [found[:1]]


def test_without_a_controllers_own_name_its_count_means_nothing() -> None:
    """Another controller counts its changes for itself."""

    def refuse(*_words: Any, **_more: Any) -> None:
        raise ldap.INSUFFICIENT_ACCESS

    own = {"highestCommittedUSN": [b"9"], "dsServiceName": [b"cn=NTDS Settings"]}
    connection: Any = SimpleNamespace(
        is_active_directory=True, told_of_itself=own.get, search_s=refuse
    )
    rules = AuthenticationSettings()

    assert _directory(connection, rules).newest == ""

    raw = [("cn=NTDS Settings", {"invocationId": [GUID.bytes_le]})]
    connection.search_s = lambda *_words, **_more: raw
    assert _directory(connection, rules).newest == "9"


def test_the_newest_change_counts_in_whatever_order_entries_come() -> None:
    directory, rules = Directory(ENTRY_UUID, "same"), AuthenticationSettings()
    reader = Reader(rules, "", None, directory, Question())  # type: ignore[arg-type]

    for second in (b"1", b"3", b"2"):
        reader._note_time([b"2026010508000" + second + b".0Z"])

    assert reader.newest == "20260105080003Z"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Anna, OU=Staff", "cn=anna,ou=staff"),
        ("cn=a\\, b,ou=x", "cn=a\\2C b,ou=x"),
        ("cn=Jürgen", "CN=J\\C3\\BCrgen"),
    ],
)
def test_equal_dns_are_told_by_their_text(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("server", "mark", "newest", "reads_all", "expected"),
    [
        ("same", "7", "9", False, True),
        ("same", "7", "9", True, False),
        ("other", "7", "9", False, False),
        # A controller that was restored counts anew.
        ("same", "10", "9", False, False),
        # Its own number could not be read.
        ("same", "", "", False, False),
        ("same", "20260105080000Z", "", False, True),
    ],
)
def test_changes_alone_are_read_where_the_directory_can_tell(
    server: str, mark: str, newest: str, reads_all: bool, expected: bool
) -> None:
    question = Question(place=Place(server, mark), reads_all=reads_all)
    directory = Directory(OBJECT_GUID, "same", newest)
    rules = AuthenticationSettings()

    reader = Reader(rules, "", None, directory, question)  # type: ignore[arg-type]

    assert reader._may_read_changes() is expected


def test_changes_are_asked_for_in_the_directorys_own_words() -> None:
    assert Directory(OBJECT_GUID, "", "9").changed_since("7") == "(uSNChanged>=8)"
    now = f"{timezone.now():%Y%m%d%H%M%SZ}"
    by_time = Directory(ENTRY_UUID, "")
    assert by_time.changed_since(now) == f"(modifyTimestamp>={now})"
    # In a second that is long past nothing changes any more.
    assert by_time.changed_since("20260105080000Z") == (
        "(&(modifyTimestamp>=20260105080000Z)(!(modifyTimestamp=20260105080000Z)))"
    )

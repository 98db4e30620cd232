from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authconfig.users.models import PbxUser
from pbxsite.gateway.forward.headers import encoded, remote_headers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("anna", "anna"),
        ("Anna Berg (2nd), a@b;c=\"d\"", "Anna Berg (2nd), a@b;c=\"d\""),
        ("Jürgen Groß", "J%C3%BCrgen Gro%C3%9F"),
        ("100%", "100%25"),
        ("%0d%0a", "%250d%250a"),
        ("a\r\nRemote-User: admin", "a%0D%0ARemote-User: admin"),
        ("\x00\t\x7f", "%00%09%7F"),
        (" two ", "%20two%20"),
        ("  ", "%20%20"),
        ("☎️ 😀", "%E2%98%8E%EF%B8%8F %F0%9F%98%80"),
        ("李", "%E6%9D%8E"),
    ],
)  # fmt: skip
def test_a_name_stands_in_a_header_as_in_an_address(text: str, value: str) -> None:
    assert encoded(text) == value
    assert unquote(value) == text


@example(" %20 ")
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_becomes_one_visible_line_and_comes_back(text: str) -> None:
    value = encoded(text)

    assert value.isascii()
    assert value.isprintable()
    assert value == value.strip()
    assert unquote(value) == text


def test_a_client_is_told_five_things_of_its_visitor() -> None:
    user = PbxUser(name="jg", long_name="Jürgen", email="jg@example.com", number="17")

    assert remote_headers(user, ["a,b", "Büro"]) == [
        (b"remote-user", b"jg"),
        (b"remote-name", b"J%C3%BCrgen"),
        (b"remote-email", b"jg@example.com"),
        (b"remote-number", b"17"),
        (b"remote-groups", b"B%C3%BCro,a%2Cb"),
    ]


def test_what_a_user_has_not_is_sent_empty_and_not_left_out() -> None:
    assert remote_headers(PbxUser(name="jg"))[1:] == [
        (b"remote-name", b"jg"),
        (b"remote-email", b""),
        (b"remote-number", b""),
        (b"remote-groups", b""),
    ]

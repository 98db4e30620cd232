"""The protocol's digests, keys and cipher against what OpenSSL makes of the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxsite.gateway.myapps import proofs as ours
from pbxsite.gateway.myapps.proofs import Asked
from pbxsite.gateway.myapps.rc4 import rc4
from pbxsite.gateway.myapps.wire import to_json
from tests.support.myapps import proofs as theirs

# What people call themselves, and what would part a digest elsewhere than it should.
NAMES = st.text("aäßŁ☎é:: \"\\/'%€\u0301\u2028", max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=40
)
HEX = st.binary(min_size=8, max_size=16).map(bytes.hex)
JSON = st.recursive(
    NAMES | st.booleans() | st.integers(-(2**53), 2**53) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=8,
)
DIGEST = "332124018054577cb23f80fdd76f104aa4f9763317c791fd6ed218b0f04b1f3d"
MANY = settings(max_examples=60, deadline=None)


@MANY
@given(st.sampled_from(["user", "session"]), NAMES, NAMES, NAMES, HEX, HEX, JSON)
def test_both_sides_digest_a_login_alike(
    type_: str,
    domain: str,
    name: str,
    password: str,
    nonce: str,
    challenge: str,
    info: Any,
) -> None:
    asked = Asked(type_, domain, name, nonce, challenge)
    facts = domain, name, password, nonce, challenge

    assert ours.response_digest(asked, password) == theirs.response(type_, *facts)
    result = ours.result_digest(asked, password, to_json(info))
    assert result == theirs.result(*facts, info)


@MANY
@given(JSON)
def test_json_is_written_as_clients_write_it_again(value: Any) -> None:
    text = to_json(value)

    assert theirs.as_sent(json.loads(text)) == text


@MANY
@given(NAMES, HEX, NAMES)
def test_a_session_is_hidden_as_openssl_hides_it(
    text: str, nonce: str, password: str
) -> None:
    hidden = bytes.fromhex(ours.hidden("pwd", nonce, password, text))

    key = theirs.session_key("pwd", nonce, password)
    assert theirs.rc4(key, hidden).decode() == text


@pytest.mark.parametrize(
    ("key", "stream"),
    [
        ("0102030405", "b2396305f03dc027ccc3524a0a1118a8"),
        ("0102030405060708090a0b0c0d0e0f10", "9ac7cc9a609d1ef7b2932899cde41b97"),
    ],
)
def test_rc4_begins_as_published(key: str, stream: str) -> None:
    """The first lines of RFC 6229."""
    assert rc4(bytes.fromhex(key), bytes(16)).hex() == stream


def test_a_digest_that_the_command_line_made() -> None:
    """Made with `printf '%s' … | openssl dgst -sha256`."""
    asked = Asked("user", "pbx.example", "jörg:weiß", "0011223344556677", "8899aabb")

    assert ours.response_digest(asked, "pä:ss wörd") == DIGEST


def test_two_sides_agree_on_a_secret() -> None:
    client = theirs.KeyPair()

    share, secret = ours.agree(client.share)

    assert client.secret(share) == secret
    assert (len(share), len(secret)) == (128, 64)
    assert ours.agree(client.share)[1] != secret


@pytest.mark.parametrize(
    "share", ["", "00" * 64, "04" + "11" * 64, "11" * 63, "ff" * 64, "nonsense"]
)
def test_what_is_no_point_of_the_curve_is_refused(share: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        ours.agree(share)

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authconfig.names import (
    domain_key,
    name_key,
    pbx_name,
    same_domain,
    typed_name,
    without_invisible,
)


def test_without_a_domain_the_whole_name_is_the_users_name() -> None:
    assert pbx_name("user@example.com") == "user@example.com"


def test_a_member_of_the_configured_domain_loses_it() -> None:
    assert pbx_name("user@example.com", domains=["example.com"]) == "user"


@pytest.mark.parametrize(
    ("entered", "expected"),
    [
        ("user", "user"),
        (" user ", "user"),
        ("user@EXAMPLE.com", "user"),
        ("user@pbx.example", "user"),
        ("user@other.example", "user@other.example"),
        ("AD\\user", "user"),
        ("ad\\user", "user"),
        ("OTHER\\user", "OTHER\\user"),
        ("user@bücher.example", "user"),
        ("user@BÜCHER.example", "user"),
        ("user@xn--bcher-kva.example", "user"),
        ("a@b@example.com", "a@b"),
        ("@example.com", "@example.com"),
        ("user@", "user@"),
    ],
)
def test_every_spelling_of_a_name_is_one_pbx_user(entered: str, expected: str) -> None:
    domains = ["example.com", "pbx.example", "bücher.example", ""]

    assert pbx_name(entered, domains=domains, netbios="AD") == expected


@pytest.mark.parametrize(
    "domain",
    [
        "example.com.evil.test",
        "example.com.",
        "evil-example.com",
        "xexample.com",
        "example.com\0",
        "ex\u0430mple.com",  # a Cyrillic a
        "example\u3002com.evil",
        "",
    ],
)
def test_a_domain_that_only_looks_alike_is_another(domain: str) -> None:
    assert not same_domain(domain, "example.com")
    assert pbx_name(f"user@{domain}", domains=["example.com"]) == f"user@{domain}"


@given(st.text(max_size=40), st.text(max_size=40))
@example("user", "example.com.evil.test")
def test_only_members_of_the_domain_lose_it(user: str, domain: str) -> None:
    entered = f"{user}@{domain}"

    if pbx_name(entered, domains=["example.com"]) != entered.strip():
        assert domain_key(domain.strip()) == "example.com"


@pytest.mark.parametrize(
    "entered",
    [
        "an\u200bna",
        "an\u00adna",
        "\ufeffanna\u200e",
        "\u2068anna\u2069",
        "\u202aanna@example.com\u202c",
        "anna@exam\u00adple.com",
        "A\u2060D\\anna\u3164",
        "an\ufe0fna",
        "anna \u200b",
    ],
    ids=ascii,
)
def test_what_cannot_be_seen_is_no_part_of_a_name(entered: str) -> None:
    name = typed_name(entered, domains=["example.com"], netbios="AD")

    assert name_key(name) == "anna"


@pytest.mark.parametrize("code", [0x202D, 0x202E])
def test_what_turns_letters_around_can_be_seen(code: int) -> None:
    assert without_invisible(f"an{chr(code)}na") == f"an{chr(code)}na"
    assert name_key(f"an{chr(code)}na") != "anna"


@given(st.text(max_size=60))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Anna", "ANNA"), ("stra\u00dfe", "STRASSE"), ("\uff41nna", "anna")],
)
def test_names_are_compared_without_case_and_width(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)

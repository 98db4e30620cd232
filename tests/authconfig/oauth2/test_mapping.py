"""From a provider's claims to a PBX name: examples of the original, then properties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authconfig.names import domain_key
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.identities import LONGEST_NAME, is_same_name, pbx_name_of

DOMAINS = ("example.com", "münchen.example", "pbx.example")


@dataclass(frozen=True)
class Rules:
    oauth2_upn_claim: str = "upn"
    oauth2_domain: str = ""
    pbx_domain: str = ""


def name_of(value: Any, **rules: str) -> str:
    return pbx_name_of([{"upn": value}], Rules(**rules))


def refused_or_name(value: Any, **rules: str) -> str | None:
    try:
        return name_of(value, **rules)
    except ProviderError as error:
        if error.fault is ProviderFault.NO_UPN:
            return None
        raise


@pytest.mark.parametrize(
    ("upn", "rules", "name"),
    [
        ("user@example.com", {}, "user@example.com"),
        ("user@example.com", {"oauth2_domain": "example.com"}, "user"),
        ("user@example.com", {"pbx_domain": "example.com"}, "user"),
        ("user@EXAMPLE.com", {"oauth2_domain": "Example.COM"}, "user"),
        ("user@MÜNCHEN.example", {"oauth2_domain": "münchen.example"}, "user"),
        ("user@xn--mnchen-3ya.example", {"oauth2_domain": "münchen.example"}, "user"),
        ("user@other.com", {"oauth2_domain": "example.com"}, "user@other.com"),
        ("@example.com", {"oauth2_domain": "example.com"}, "@example.com"),
        ("user", {"oauth2_domain": "example.com"}, "user"),
    ],
)
def test_examples(upn: str, rules: dict[str, str], name: str) -> None:
    assert name_of(upn, **rules) == name


@pytest.mark.parametrize("name", ["an\u200bna", "\u2068anna\u2069", "an\u00adna"])
def test_what_cannot_be_seen_is_no_part_of_a_name(name: str) -> None:
    found = name_of(f"{name}@example.com", oauth2_domain="example.com")

    assert is_same_name(found, "anna")


@pytest.mark.parametrize("upn", ["\u200b", "an\u202ena", "a\x85"])
def test_what_is_no_name_names_nobody(upn: str) -> None:
    assert refused_or_name(upn) is None


@given(st.text(), st.text(), st.sampled_from(DOMAINS))
def test_only_the_very_domain_is_taken_off(user: str, other: str, domain: str) -> None:
    assume(domain_key(other) != domain_key(domain))
    entered = f"{user}@{other}"

    # Whoever is of another domain keeps it, or was of ours by an earlier @.
    name = refused_or_name(entered, oauth2_domain=domain)
    assert name in (None, entered) or "@" in other


@given(
    st.sampled_from(DOMAINS),
    st.sampled_from(
        [".evil.test", ".", "..", ".com", "-x", "\u200b", "%00", "/", "\\x", " ", "@x"]
    ),
)
def test_what_follows_the_domain_makes_it_another(domain: str, more: str) -> None:
    name = refused_or_name(f"anna@{domain}{more}", oauth2_domain=domain)

    assert name is None or not is_same_name(name, "anna")


@given(st.sampled_from(["evil", "x.", "evil@x", "xn--"]), st.sampled_from(DOMAINS))
def test_what_precedes_the_domain_makes_it_another(more: str, domain: str) -> None:
    assert name_of(f"anna@{more}{domain}", oauth2_domain=domain) != "anna"


@given(st.text(alphabet="a\u0431äß\uff460", min_size=1), st.sampled_from(DOMAINS))
def test_the_cases_domain_does_not_matter(user: str, domain: str) -> None:
    lower = name_of(f"{user}@{domain.lower()}", oauth2_domain=domain)
    upper = name_of(f"{user}@{domain.upper()}", oauth2_domain=domain)

    assert lower == upper == user


@given(st.text())
def test_a_name_is_plain_or_refused(value: str) -> None:
    name = refused_or_name(value)

    if name is not None:
        assert name == value == value.strip()
        assert 0 < len(name) <= LONGEST_NAME
        assert "\0" not in name


@given(st.one_of(st.none(), st.integers(), st.booleans(), st.lists(st.text())))
def test_what_is_no_text_is_no_name(value: Any) -> None:
    with pytest.raises(ProviderError) as raised:
        name_of(value)
    assert raised.value.fault is ProviderFault.NO_UPN


@given(st.text())
def test_a_name_is_its_own_in_any_case(name: str) -> None:
    assert is_same_name(name, name)
    assert is_same_name(name.lower(), name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fiona", "ﬁona"),
        ("anna", "\uff41nna"),
        ("strasse", "straße"),
        ("anna", "аnna"),  # noqa: RUF001  (Cyrillic)
        ("kai", "\u017fai"),
        ("anna", "anna."),
    ],
)
def test_names_that_only_look_alike_are_two(one: str, other: str) -> None:
    assert not is_same_name(one, other)


EMAIL = Rules(oauth2_upn_claim="email")
ADDRESS = "anna@example.com"


@pytest.mark.parametrize("verified", [True, "true"])
def test_a_verified_address_counts(verified: Any) -> None:
    claims = {"email": ADDRESS, "email_verified": verified}

    assert pbx_name_of([claims], EMAIL) == ADDRESS


@given(
    st.one_of(
        st.none(), st.just(False), st.integers(2), st.sampled_from(["false", "yes", ""])
    )
)
def test_any_other_address_counts_for_nothing(verified: Any) -> None:
    with pytest.raises(ProviderError) as raised:
        pbx_name_of([{"email": ADDRESS, "email_verified": verified}], EMAIL)
    assert raised.value.fault is ProviderFault.UNVERIFIED_EMAIL


def test_the_first_source_with_the_claim_decides_alone() -> None:
    signed = {"email": ADDRESS}
    told = {"email": "eve@example.com", "email_verified": True}

    with pytest.raises(ProviderError):
        pbx_name_of([signed, told], EMAIL)
    assert pbx_name_of([{}, told], EMAIL) == "eve@example.com"

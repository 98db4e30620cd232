from __future__ import annotations

import itertools

import pytest
from django.utils import translation

from authconfig import policy
from authconfig.choices import AuthenticationType, Method
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.sections import LOST_SECRET, SECRETS
from pbxsite.administration.authentication import summary
from tests.support.settings_data import NETLOGON, OAUTH2

NOBODY_WITHOUT = summary.Facts()
TYPES = AuthenticationType.values
PAIRS = list(itertools.permutations(TYPES, 2))
METHODS = [method for method in Method if method is not Method.RESCUE]
# In any order, since a type says which method is tried first.
COMBINATIONS = [
    chosen
    for count in range(len(METHODS) + 1)
    for chosen in itertools.permutations(METHODS, count)
]
PRESENT = {
    ("pbx_only", False): (
        "Users log in to myApps with their PBX password only;"
        " myPBX users with their PBX password only."
    ),
    ("pbx_only", True): (
        "Users log in to myApps with their PBX password and confirm by e-mail;"
        " myPBX users with their PBX password only."
    ),
    ("netlogon_only", False): (
        "Users log in to myApps with their Windows password only;"
        " myPBX users with their Windows password only."
    ),
    ("netlogon_only", True): (
        "Users log in to myApps with their Windows password and confirm by e-mail;"
        " myPBX users with their Windows password only."
    ),
    ("pbx_and_netlogon", False): (
        "Users log in to myApps with their PBX or Windows password;"
        " myPBX users with their PBX or Windows password."
    ),
    ("pbx_and_netlogon", True): (
        "Users log in to myApps with their PBX or Windows password and confirm by"
        " e-mail; myPBX users with their PBX or Windows password."
    ),
    ("oauth2_only", False): (
        "Users log in to myApps with OAuth2 only; nobody can log in to myPBX."
    ),
    ("oauth2_only", True): (
        "Users log in to myApps with OAuth2 and confirm by e-mail;"
        " nobody can log in to myPBX."
    ),
    ("pbx_and_oauth2", False): (
        "Users log in to myApps with their PBX password or with OAuth2;"
        " myPBX users with their PBX password only."
    ),
    ("pbx_and_oauth2", True): (
        "Users log in to myApps with their PBX password or with OAuth2 and confirm by"
        " e-mail; myPBX users with their PBX password only."
    ),
}


def rules(kind: str = "pbx_only", **values: object) -> AuthenticationSettings:
    return AuthenticationSettings(authentication_type=kind, **values)


def changes(
    old: AuthenticationSettings,
    new: AuthenticationSettings,
    section: str = "authentication",
    closed: tuple[int, int] = (0, 0),
    users_without_factor: int = 0,
) -> list[str]:
    """`closed`: how many cannot log in to myApps, before and after."""
    before, after = ({Kind.MYAPPS: count} for count in closed)
    facts = summary.Facts(after, before, users_without_factor)
    return summary.consequences(old, new, facts)[section]


@pytest.mark.parametrize(("kind", "two_factor"), PRESENT)
def test_present_values_are_one_sentence(kind: str, two_factor: bool) -> None:
    sentence = summary.authentication(rules(kind, two_factor=two_factor))

    assert sentence == PRESENT[kind, two_factor]


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("two_factor", [False, True])
def test_no_combination_of_methods_is_without_a_sentence(
    monkeypatch: pytest.MonkeyPatch, two_factor: bool, language: str
) -> None:
    said = set()
    for myapps, mypbx in itertools.product(COMBINATIONS, repeat=2):
        row = {Kind.MYAPPS: myapps, Kind.MYPBX: mypbx}
        monkeypatch.setitem(policy.TABLE, AuthenticationType.PBX_ONLY, row)
        with translation.override(language):
            said.add(summary.authentication(rules(two_factor=two_factor)))

    assert len(said) == len(COMBINATIONS) ** 2
    assert not any("%(" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("two_factor", "language", "sentence"),
    [
        (
            False,
            "en",
            "Users log in to myApps with their Windows password or OAuth2;"
            " myPBX users with their Windows password only.",
        ),
        (
            True,
            "en",
            "Users log in to myApps with their Windows password or OAuth2 and confirm"
            " by e-mail; myPBX users with their Windows password only.",
        ),
        (
            True,
            "de",
            "Benutzer melden sich bei myApps mit ihrem Windows-Passwort oder OAuth2 an"
            " und bestätigen per E-Mail; bei myPBX nur mit ihrem Windows-Passwort.",
        ),
    ],
)
def test_a_new_combination_is_named_by_its_methods(
    monkeypatch: pytest.MonkeyPatch, two_factor: bool, language: str, sentence: str
) -> None:
    row = {
        Kind.MYAPPS: (Method.NETLOGON, Method.OAUTH2),
        Kind.MYPBX: (Method.NETLOGON,),
    }
    monkeypatch.setitem(policy.TABLE, AuthenticationType.PBX_ONLY, row)

    with translation.override(language):
        assert summary.authentication(rules(two_factor=two_factor)) == sentence


def test_every_method_has_its_words() -> None:
    for words in (summary.WITH, summary.GAINED, summary.LOST):
        assert set(words) == set(METHODS)


def test_oauth2_only_ends_every_login_to_mypbx() -> None:
    assert changes(rules("pbx_only"), rules("oauth2_only")) == [
        "myPBX users can no longer log in.",
        "myApps users can no longer log in with their PBX password.",
        "myApps users can log in with OAuth2.",
    ]


def test_same_change_for_both_clients_is_said_once() -> None:
    assert changes(rules("pbx_only"), rules("pbx_and_netlogon")) == [
        "myApps and myPBX users can log in with their Windows password."
    ]


def test_mypbx_is_opened_again() -> None:
    assert changes(rules("oauth2_only"), rules("pbx_and_oauth2")) == [
        "myApps and myPBX users can log in with their PBX password."
    ]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_change_of_type_is_said_as_its_reverse_would_be(
    old: str, new: str
) -> None:
    there = changes(rules(old), rules(new))
    back = changes(rules(new), rules(old))

    assert there
    assert back
    assert there != back


def test_unchanged_values_change_nothing() -> None:
    said = summary.consequences(rules(), rules(), NOBODY_WITHOUT)

    assert not any(said.values())


def test_it_says_how_many_could_not_log_in() -> None:
    said = changes(rules(), rules(two_factor=True), closed=(1, 3))

    assert said[0].startswith("Each login to myApps has to be approved")
    assert said[1] == "3 users cannot log in to myApps."


def test_it_counts_nobody_whom_the_change_does_not_touch() -> None:
    said = changes(rules(), rules(two_factor=True), closed=(3, 0))
    same = changes(rules(), rules(pbx_domain="pbx.example"), closed=(3, 3))
    other = changes(rules(), rules(pbx_domain="pbx.example"), closed=(3, 4))

    assert not any("cannot log in" in sentence for sentence in [*said, *same])
    assert other == ["4 users cannot log in to myApps."]


def test_one_user_whom_nothing_approves_is_singular() -> None:
    assert summary.without_approval(1) == (
        "1 user could not log in with it: nothing could approve the login."
    )


def test_two_factor_off_needs_no_approval() -> None:
    said = changes(rules(two_factor=True), rules())

    assert said == ["Logins to myApps no longer have to be approved."]


def test_a_required_factor_names_users_without_one() -> None:
    before, after = rules(two_factor=True), rules(two_factor=True, factor_required=True)

    assert changes(before, after, users_without_factor=2) == [
        "Users of myApps need a passkey or an authenticator app.",
        "2 users have neither yet, and have to set one up with the next page.",
    ]
    assert changes(after, before) == [
        "Users need no passkey or authenticator app any more."
    ]


def test_missing_account_is_said() -> None:
    assert "no e-mail can be sent" in summary.email(rules())


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("mail.example.com", "mail.example.com:587"),
        ("2001:db8::1", "[2001:db8::1]:587"),
    ],
)
def test_account_is_one_sentence(server: str, place: str) -> None:
    account = rules(smtp_server=server, smtp_email_address="pbx@example.com")

    assert summary.email(account) == (
        f"E-mails go out through {place}, encrypted with STARTTLS, from"
        " pbx@example.com."
    )


def test_changed_account_and_link_are_said() -> None:
    new = rules(
        smtp_server="mail.example.com",
        smtp_email_address="pbx@example.com",
        smtp_security="none",
        verification_link="https://pbx.example/PBX0/session.xml",
    )

    assert changes(rules(), new, "email") == [
        "E-mails go out through mail.example.com:587, not encrypted, from"
        " pbx@example.com.",
        "Links in new e-mails lead to pbx.example.",
    ]


@pytest.mark.parametrize("section", ["netlogon", "oauth2"])
def test_section_that_no_method_needs_says_so(section: str) -> None:
    sentence = summary.SENTENCES[section](rules())

    assert sentence == "Not used by the present authentication type."


def test_directory_is_one_sentence() -> None:
    directory = rules("netlogon_only", **NETLOGON)

    assert summary.netlogon(directory) == (
        "Windows passwords are checked by the controllers of ad.example.com,"
        " encrypted with TLS."
    )


def test_provider_is_one_sentence() -> None:
    assert summary.oauth2(rules("oauth2_only", **OAUTH2)) == (
        "Users log in with “Windows” at login.example.com; its claim upn says who they"
        " are."
    )


def test_change_of_an_unused_section_is_not_said() -> None:
    assert changes(rules(), rules(**NETLOGON), "netlogon") == []


def test_every_lost_secret_has_its_sentence() -> None:
    assert set(LOST_SECRET) == set(SECRETS)


@pytest.mark.parametrize(
    ("link", "site", "is_stale"),
    [
        ("http://127.0.0.1:8000/PBX0/session.xml", "http://127.0.0.1:8001", True),
        ("http://localhost:8000/PBX0/session.xml", "http://127.0.0.1:8001", True),
        ("http://127.0.0.1:8001/PBX0/session.xml", "http://127.0.0.1:8001", False),
        ("http://localhost:8001/PBX0/session.xml", "http://127.0.0.1:8001", False),
        ("https://pbx.example/PBX0/session.xml", "http://127.0.0.1:8001", False),
        ("https://pbx.example:8443/PBX0/session.xml", "https://pbx.example", False),
        ("", "http://127.0.0.1:8001", False),
    ],
)
def test_a_link_to_another_port_of_this_machine_is_stale(
    link: str, site: str, is_stale: bool
) -> None:
    assert ("correct the link" in summary.stale_link(link, site)) is is_stale


MAILBOX = "Whoever reads the mailbox can log in."
OPEN = {
    "two_factor": True,
    "forgotten_password_same_mailbox": True,
    "smtp_server": "mail.example.com",
    "smtp_email_address": "pbx@example.com",
}


@pytest.mark.parametrize(
    "closed",
    [
        {},
        {"forgotten_password_same_mailbox": False},
        {"forgotten_password": False},
        {"password_changes_forbidden": True},
        {"two_factor": False},
        {"smtp_server": ""},
        {"authentication_type": AuthenticationType.NETLOGON_ONLY},
    ],
    ids=lambda closed: next(iter(closed), "open"),
)
def test_it_says_when_a_mailbox_is_enough_to_log_in(closed: dict[str, object]) -> None:
    before = AuthenticationSettings(**OPEN | {"forgotten_password": False})
    after = AuthenticationSettings(**OPEN | closed)

    told = summary.consequences(before, after, NOBODY_WITHOUT)["authentication"]

    assert (MAILBOX in summary.authentication(after)) is (not closed)
    assert (MAILBOX in told) is (not closed)

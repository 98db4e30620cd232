"""Keys that can be guessed and addresses without encryption end the start."""

from __future__ import annotations

import pytest

from pbxsite.conf.guards import asks_for_help, no_prefix, private_url, strong_key

GOOD_KEY = "a-key-for-tests-that-is-long-enough-0123456789-abcdef"


@pytest.mark.parametrize("key", ["abc", "x" * 60, "abcd" * 20, GOOD_KEY[:49]])
def test_a_key_that_can_be_guessed_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(SystemExit) as ended:
        strong_key(key)

    words = str(ended.value)
    assert words.startswith("SECRET_KEY can be guessed")
    assert key not in words


@pytest.mark.parametrize("key", [GOOD_KEY[:50], "abcde" * 10, "ä" * 46 + "bcde"])
def test_a_key_of_fifty_characters_will_do(key: str) -> None:
    assert strong_key(key) == key


@pytest.mark.parametrize(
    "url",
    [
        "http://pbx.example",
        "http://192.0.2.7:8000",
        "http://localhost.example",
        "http://127.0.0.1@pbx.example",
        "pbx.example",
        "https://",
        "http://[::1",
        "ftp://127.0.0.1/",
    ],
)
def test_an_address_that_is_not_private_is_refused(url: str) -> None:
    with pytest.raises(SystemExit, match="write it like https://"):
        private_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://pbx.example",
        "https://pbx.example:8443/",
        "HTTPS://pbx.example",
        "http://127.0.0.1:8000/",
        "http://127.8.8.8",
        "http://localhost",
        "http://[::1]:8000",
    ],
)
def test_an_address_that_is_private_will_do(url: str) -> None:
    assert private_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://pbx.example/pbx",
        "https://pbx.example/pbx/",
        "http://127.0.0.1:8000/pbx",
        "https://pbx.example/?site=pbx",
        "https://pbx.example#pbx",
    ],
)
def test_an_address_below_a_path_is_refused(url: str) -> None:
    with pytest.raises(SystemExit, match=r"SITE_URL .* does not work below a path"):
        private_url(url)


def test_a_prefix_of_the_web_server_is_refused() -> None:
    no_prefix("")
    no_prefix("/")

    with pytest.raises(SystemExit, match="UVICORN_ROOT_PATH is “/pbx”; leave it out"):
        no_prefix("/pbx")


@pytest.mark.parametrize(
    ("words", "is_help"),
    [
        (["manage.py"], True),
        (["./manage.py", "help"], True),
        (["manage.py", "help", "migrate"], True),
        (["manage.py", "--help"], True),
        (["manage.py", "migrate", "help"], False),
        (["manage.py", "migrate", "--help"], False),
        (["manage.py", "version"], False),
        (["uvicorn", "help"], False),
        (["-c"], False),
        ([], False),
    ],
)
def test_help_of_manage_needs_no_site(
    monkeypatch: pytest.MonkeyPatch, words: list[str], is_help: object
) -> None:
    monkeypatch.setattr("sys.argv", words)

    assert asks_for_help() is is_help

"""What the address of the database and the variables beside it may say."""

from __future__ import annotations

from typing import Any

import pytest

from pbxsite.conf.databases import databases
from pbxsite.env import env


def made(query: str = "", **given: Any) -> dict[str, Any]:
    address = env.db_url_config(f"postgres://pbx@db.example/site?{query}")
    options = {"pool_size": 0, "query_seconds": 0, **given}
    found: dict[str, Any] = databases(address, **options)["default"]
    return found


@pytest.mark.parametrize("word", ["false", "False", "off", "no", "0"])
def test_a_switch_that_is_off_is_off(word: str) -> None:
    found = made(f"atomic_requests={word}&autocommit={word}&pool={word}", pool_size=5)

    assert not found["ATOMIC_REQUESTS"]
    assert not found["AUTOCOMMIT"]
    assert not found["OPTIONS"]["pool"]


@pytest.mark.parametrize("word", ["true", "True", "on", "yes", "1"])
def test_a_switch_that_is_on_is_on(word: str) -> None:
    found = made(f"atomic_requests={word}&disable_server_side_cursors={word}")

    assert found["ATOMIC_REQUESTS"]
    assert found["DISABLE_SERVER_SIDE_CURSORS"]


def test_what_is_for_the_driver_goes_to_it_as_it_is() -> None:
    options = made("sslmode=require&application_name=off")["OPTIONS"]

    assert (options["sslmode"], options["application_name"]) == ("require", "off")


@pytest.mark.parametrize(
    ("query", "given", "words"),
    [
        ("autocommit=perhaps", {}, "autocommit is “perhaps”; write true or false"),
        ("conn_max_age=60", {"pool_size": 5}, "set DATABASE_POOL to 0"),
        ("", {"pooler": "statement"}, "write one of none, session, transaction"),
        (
            "",
            {"pooler": "transaction", "query_seconds": 15},
            "set it to 0, and query_timeout in the pooler",
        ),
    ],
)
def test_what_cannot_be_ends_the_start_by_name(
    query: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(SystemExit, match=words):
        made(query, **given)


@pytest.mark.parametrize("pooler", ["none", "session"])
def test_the_limit_of_queries_goes_the_way_that_the_pooler_lets_through(
    pooler: str,
) -> None:
    options = made(query_seconds=15, pooler=pooler)["OPTIONS"]

    if pooler == "none":
        assert options["options"] == "-c statement_timeout=15s"
    assert ("options" in options) is (pooler == "none")
    assert options.get("statement_seconds", 15) == 15

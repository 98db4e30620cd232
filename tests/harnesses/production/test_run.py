"""The whole site while its parts are killed and restarted; takes minutes."""

from __future__ import annotations

import pytest

from tests.harnesses.production.run import Outcome, production_run

pytestmark = [pytest.mark.long, pytest.mark.postgresql, pytest.mark.timeout(900)]
# Of two slow cores that the site shares with the browsers, PostgreSQL, Redis and nginx.
# Of more than it can serve, some are told to come back, by no fault of a restart.
RATE = 8.0
LONGEST_PAUSE_SECONDS = 15.0


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {outcome.name: outcome for outcome in production_run(rate=RATE)}


def test_no_fault_loses_an_email(outcomes: dict[str, Outcome]) -> None:
    told = "\n".join(outcome.line() for outcome in outcomes.values())

    assert all(outcome.tried > 20 for outcome in outcomes.values()), told
    assert Outcome.sum(outcomes.values()).lost == 0, told
    assert Outcome.sum(outcomes.values()).pause < LONGEST_PAUSE_SECONDS, told


def test_a_rolling_restart_shows_nobody_an_error(outcomes: dict[str, Outcome]) -> None:
    rolling = outcomes[f"rolling restart at {RATE:g} logins/s"]

    assert rolling.tried > 200
    assert (rolling.failed, rolling.lost, rolling.doubled) == (0, 0, 0), rolling.line()


def test_a_killed_web_process_costs_at_most_what_it_was_answering(
    outcomes: dict[str, Outcome],
) -> None:
    assert outcomes["a web process killed"].failed <= 3

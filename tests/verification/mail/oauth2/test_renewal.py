"""One worker renews the token, whatever happens to it, and the others wait."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connections
from django.utils import timezone

from authconfig.choices import Dependency, OAuth2Grant
from authconfig.dependencies import DependencyState
from authconfig.fields import decrypted
from tests.conftest import SettingsSetter
from tests.support.mail_provider import MAILBOX, MailProvider
from tests.support.scripted_tokens import TokenEndpoint, refusal, token
from tests.verification.mail.oauth2.test_grants import authorize
from verification.mail.oauth2 import keeping, renewal, upkeep
from verification.mail.oauth2.authorization import (
    authorized_as,
    forget_authorization,
    keep_authorization,
)
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.endpoint import Tokens
from verification.mail.oauth2.faults import TokenError, TokenFault
from verification.mail.oauth2.models import KeptToken
from verification.mail.oauth2.standing import standing_of

pytestmark = pytest.mark.django_db
CODE = OAuth2Grant.AUTHORIZATION_CODE


@pytest.fixture
def configuration(endpoint: TokenEndpoint) -> Configuration:
    return endpoint.configuration()


@pytest.fixture
def authorized(endpoint: TokenEndpoint) -> Configuration:
    found = endpoint.configuration(CODE)
    tokens = Tokens("token-0", 3600, refresh_token="refresh-0")
    keep_authorization(found, tokens, account=MAILBOX)
    return found


def change(configuration: Configuration, **values: Any) -> KeptToken:
    rows = KeptToken.objects.filter(key=configuration.key)
    rows.update(**values)
    keeping.copies.forget()
    return rows.get()


def leave(configuration: Configuration, **time: float) -> KeptToken:
    """Let so much be left of the hour that the token lives."""
    ends_at = timezone.now() + timedelta(**time)
    times = {"obtained_at": ends_at - timedelta(hours=1), "expires_at": ends_at}
    return change(configuration, **times)


def let_it_end(configuration: Configuration) -> KeptToken:
    return leave(configuration, seconds=-1)


@pytest.mark.database
def test_a_token_is_fetched_once_and_kept_encrypted(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    first, second = (keeping.token_for(configuration).token for _ in range(2))
    keeping.copies.forget()
    third = keeping.token_for(configuration).token

    assert first == second == third == "token-1"
    assert len(endpoint.forms) == 1
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT access_token FROM mail_oauth2_kepttoken")
        (stored,) = cursor.fetchone()
    assert "token-1" not in stored
    assert decrypted(stored) == "token-1"


@pytest.mark.database
def test_connections_that_open_together_read_the_row_once(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, reads = KeptToken(key=configuration.key), []

    def read(asked: Configuration) -> KeptToken:
        reads.append(asked)
        time.sleep(0.1)
        return row

    monkeypatch.setattr(renewal, "row_of", read)
    with ThreadPoolExecutor(5) as threads:
        found = list(threads.map(keeping.Copies().row, [configuration] * 5))

    assert found == [row] * 5
    assert len(reads) == 1


@pytest.mark.database
def test_only_one_worker_takes_a_row(configuration: Configuration) -> None:
    rows = [renewal.row_of(configuration) for _ in range(2)]

    assert [renewal.begin(row) for row in rows] == [True, False]
    assert not renewal.begin(renewal.row_of(configuration))


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_workers_that_renew_at_once_ask_the_provider_once(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    endpoint.before_answer = lambda: time.sleep(0.3)

    def fetch(_number: int) -> str:
        keeping.copies.forget()
        try:
            return keeping.token_for(configuration).token
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as workers:
        found = list(workers.map(fetch, range(6)))

    assert found == ["token-1"] * 6
    assert len(endpoint.forms) == 1


@pytest.mark.database
def test_a_rotated_refresh_token_is_stored_before_the_token_is_used(
    endpoint: TokenEndpoint, authorized: Configuration
) -> None:
    endpoint.answers = [
        token("token-1", refresh_token="refresh-1"),
        token("token-2"),
        token("token-3"),
    ]
    for number in (1, 2, 3):
        let_it_end(authorized)
        assert keeping.token_for(authorized).token == f"token-{number}"
        assert renewal.row_of(authorized).refresh_token == "refresh-1"

    sent = [form["refresh_token"] for form in endpoint.forms]
    assert sent == ["refresh-0", "refresh-1", "refresh-1"]
    assert authorized_as(authorized) == MAILBOX


@pytest.mark.database
def test_a_database_that_is_away_for_a_moment_loses_no_refresh_token(
    endpoint: TokenEndpoint,
    authorized: Configuration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint.answers = [token("token-1", refresh_token="refresh-1")]
    let_it_end(authorized)
    store, failures = renewal.store, [DatabaseError("away"), DatabaseError("away")]

    def fail_first(*words: Any) -> KeptToken:
        if failures:
            raise failures.pop()
        return store(*words)

    monkeypatch.setattr(renewal, "store", fail_first)
    monkeypatch.setattr(renewal, "PAUSES_OF_STORING", (0, 0, 0))

    assert keeping.token_for(authorized).token == "token-1"
    assert renewal.row_of(authorized).refresh_token == "refresh-1"


@pytest.mark.database
def test_a_worker_that_died_blocks_nobody_for_longer_than_its_lease(
    endpoint: TokenEndpoint, authorized: Configuration
) -> None:
    let_it_end(authorized)
    assert renewal.begin(renewal.row_of(authorized))
    soon = timezone.now() + timedelta(seconds=0.3)
    change(authorized, renewing_until=soon)

    assert keeping.token_for(authorized).token == "token-1"

    assert timezone.now() >= soon
    assert len(endpoint.forms) == 1


def be_killed_with_the_answer(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have a process ask the provider, and kill it before it has stored the answer."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()

    def say_so_and_wait(*_words: Any) -> None:
        theirs.send("answered")
        time.sleep(60)

    connections.close_all()
    with monkeypatch.context() as patched:
        patched.setattr(renewal, "store", say_so_and_wait)
        worker = fork.Process(target=keeping.token_for, args=(configuration,))
        worker.start()
    assert ours.poll(20)
    worker.kill()
    worker.join(10)
    assert worker.exitcode == -signal.SIGKILL


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_with_a_rotated_refresh_token_is_told_with_the_remedy(
    mail_provider: MailProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = mail_provider.configuration(CODE)
    brought = authorize(mail_provider, configuration)
    keep_authorization(configuration, brought, account=MAILBOX)
    let_it_end(configuration)

    be_killed_with_the_answer(configuration, monkeypatch)
    assert not renewal.begin(renewal.row_of(configuration))
    change(configuration, renewing_until=timezone.now())
    with pytest.raises(TokenError) as raised:
        keeping.token_for(configuration)

    assert raised.value.fault is TokenFault.INTERRUPTED
    assert raised.value.words.startswith("invalid_grant")
    found = standing_of(configuration)
    assert (found.fault, found.is_for_good) == (TokenFault.INTERRUPTED, True)
    assert "“Authorize”" in found.remedy
    # Authorizing again mends it.
    again = authorize(mail_provider, configuration)
    keep_authorization(configuration, again, account=MAILBOX)
    assert keeping.token_for(configuration).token == again.access_token
    assert standing_of(configuration).is_well


@pytest.mark.long
@pytest.mark.database
def test_a_worker_killed_after_storing_leaves_a_token_to_the_next(
    mail_provider: MailProvider,
) -> None:
    configuration = mail_provider.configuration(CODE)
    brought = authorize(mail_provider, configuration)
    keep_authorization(configuration, brought, account=MAILBOX)
    for _worker in range(2):
        let_it_end(configuration)
        found = keeping.token_for(configuration)
        keeping.copies.forget()

        assert mail_provider.introspect(found.token)["mailbox"] == MAILBOX


@pytest.mark.django_db(transaction=True)
def test_while_a_token_serves_a_provider_that_is_down_delays_nothing(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    keeping.token_for(configuration)
    leave(configuration, minutes=1)
    endpoint.answers = [refusal("server_error", status=503)]

    found = [keeping.token_for(configuration).token for _ in range(3)]
    limit = time.monotonic() + 10
    while standing_of(configuration).is_well:
        assert time.monotonic() < limit, "nobody has tried to renew"
        time.sleep(0.02)

    assert found == ["token-1"] * 3
    standing = standing_of(configuration)
    assert (standing.fault, standing.is_for_good) == (TokenFault.PROVIDER_BUSY, False)
    assert standing.serves_until
    assert not DependencyState.objects.get(kind=Dependency.PROVIDER).is_up


def test_a_provider_that_is_down_is_not_asked_by_each_mail(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    endpoint.answers = [refusal("server_error", status=503), token()]
    for _mail in range(3):
        with pytest.raises(TokenError, match="server_error") as raised:
            keeping.token_for(configuration)
        assert not raised.value.is_for_good
    assert len(endpoint.forms) == 1

    change(configuration, next_try_at=timezone.now())

    assert keeping.token_for(configuration).token == "token-1"
    assert standing_of(configuration).is_well
    assert DependencyState.objects.get(kind=Dependency.PROVIDER).is_up


def mended_by_settings(configuration: Configuration) -> str:
    return keeping.token_for(replace(configuration, client_secret="a newer one")).token


def mended_by_trial(configuration: Configuration) -> str:
    return keeping.fresh_token(configuration).token


@pytest.mark.parametrize("mend", [mended_by_settings, mended_by_trial])
def test_what_ends_for_good_is_asked_again_only_when_something_was_done(
    endpoint: TokenEndpoint,
    configuration: Configuration,
    mend: Callable[[Configuration], str],
) -> None:
    endpoint.answers = [refusal("invalid_client", "AADSTS7000222: expired"), token()]
    for _mail in range(3):
        with pytest.raises(TokenError, match="AADSTS7000222"):
            keeping.token_for(configuration)
    standing = standing_of(configuration)

    assert len(endpoint.forms) == 1
    assert (standing.fault, standing.is_for_good) == (TokenFault.CLIENT, True)
    assert standing.words == "invalid_client: AADSTS7000222: expired"
    assert "client secret" in standing.remedy
    assert mend(configuration) == "token-1"
    assert standing_of(configuration).is_well


def test_a_trial_renews_although_a_token_serves(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    endpoint.answers = [token("token-1"), refusal("invalid_client"), token("token-3")]
    keeping.token_for(configuration)

    with pytest.raises(TokenError):
        keeping.fresh_token(configuration)

    # Mails go on with the present one.
    assert keeping.token_for(configuration).token == "token-1"
    assert keeping.fresh_token(configuration).token == "token-3"


@pytest.mark.database
def test_a_refused_token_is_renewed_if_it_was_taken_before(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    endpoint.answers = [token("token-1"), token("token-2")]
    first = keeping.token_for(configuration)

    assert keeping.newer_token(configuration, first) == first
    keeping.note_taken(configuration, first)
    assert keeping.newer_token(configuration, first).token == "token-2"
    # Another connection with the older one hears of the newer one.
    assert keeping.newer_token(configuration, first).token == "token-2"
    assert len(endpoint.forms) == 2


def test_an_older_token_is_renewed_once_it_is_refused(
    endpoint: TokenEndpoint, configuration: Configuration
) -> None:
    endpoint.answers = [token("token-1"), token("token-2")]
    keeping.token_for(configuration)
    change(configuration, obtained_at=timezone.now() - timedelta(minutes=2))

    first = keeping.token_for(configuration)

    assert keeping.newer_token(configuration, first).token == "token-2"


@pytest.mark.parametrize(("minutes", "requests"), [(11, 1), (9, 2)])
def test_the_upkeep_renews_ten_minutes_before_the_end(
    endpoint: TokenEndpoint,
    configure: SettingsSetter,
    minutes: int,
    requests: int,
) -> None:
    rules = configure(**endpoint.settings())
    upkeep.keep_up()
    configuration = upkeep.configuration_of(rules)
    assert configuration
    leave(configuration, minutes=minutes)

    upkeep.keep_up()

    assert len(endpoint.forms) == requests


def test_the_upkeep_asks_nobody_without_an_authorization(
    endpoint: TokenEndpoint, configure: SettingsSetter
) -> None:
    configure(**endpoint.settings(smtp_oauth2_grant="authorization_code"))

    upkeep.keep_up()

    assert not endpoint.forms


@pytest.mark.database
def test_tokens_of_other_settings_are_forgotten_after_a_day(
    endpoint: TokenEndpoint, authorized: Configuration, configure: SettingsSetter
) -> None:
    configure(**endpoint.settings())
    upkeep.keep_up()
    assert KeptToken.objects.count() == 2
    days = timezone.now() - timedelta(days=2)
    KeptToken.objects.update(created_at=days, obtained_at=days)

    upkeep.keep_up()

    assert KeptToken.objects.count() == 1
    assert not KeptToken.objects.filter(key=authorized.key).exists()


def test_an_authorization_without_a_refresh_token_is_refused(
    endpoint: TokenEndpoint,
) -> None:
    with pytest.raises(TokenError) as raised:
        keep_authorization(endpoint.configuration(CODE), Tokens("t", 60), account="")

    assert "offline_access" in raised.value.remedy


@pytest.mark.database
def test_a_newer_authorization_counts_although_an_older_one_was_being_renewed(
    endpoint: TokenEndpoint, authorized: Configuration
) -> None:
    row = let_it_end(authorized)
    assert renewal.begin(row)
    newer = Tokens("token-9", 3600, refresh_token="refresh-9")
    keep_authorization(authorized, newer, account="other@example.com")

    renewed = renewal.renew(authorized, row)

    assert (renewed.access_token, renewed.refresh_token) == ("token-9", "refresh-9")
    assert authorized_as(authorized) == "other@example.com"


def test_nobody_has_authorized_until_somebody_has(endpoint: TokenEndpoint) -> None:
    configuration = endpoint.configuration(CODE)

    assert authorized_as(configuration) is None
    assert not standing_of(configuration).is_authorized
    with pytest.raises(TokenError) as raised:
        keeping.token_for(configuration)
    assert raised.value.fault is TokenFault.NOT_AUTHORIZED
    assert not endpoint.forms


def test_a_forgotten_authorization_serves_no_more(authorized: Configuration) -> None:
    assert forget_authorization(authorized)

    assert not KeptToken.objects.exists()
    assert not forget_authorization(authorized)


@pytest.mark.parametrize(
    "change",
    [
        {"username": "other@example.com"},
        {"server": "mail.other.example:587"},
        {"client_id": "other"},
        {"token_url": "https://other.example/token"},
        {"scope": "other"},
    ],
)
def test_a_token_is_kept_for_what_it_was_given_for(
    authorized: Configuration, change: dict[str, str]
) -> None:
    assert authorized_as(replace(authorized, **change)) is None
    # A client secret is renewed every two years at the latest.
    assert authorized_as(replace(authorized, client_secret="newer")) == MAILBOX


def test_kept_tokens_are_encrypted_anew_with_the_first_key(
    authorized: Configuration, settings: Any
) -> None:
    settings.ENCRYPTION_KEYS = ["a newer key", *settings.ENCRYPTION_KEYS]
    call_command("rotatekeys")
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]

    row = renewal.row_of(authorized)

    assert (row.access_token, row.refresh_token) == ("token-0", "refresh-0")

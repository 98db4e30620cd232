"""The one place that waits for other people's servers."""

from __future__ import annotations

import socket
import ssl
import time

import pytest
from django.db import connection

from authconfig import methods
from authconfig.directory import failover
from authconfig.network import (
    Deadline,
    NetworkFault,
    UnreachableError,
    connect,
    network_fault,
    readable,
    release_database,
    within,
)
from authconfig.oauth2 import discovery
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_work_without_a_limit_of_its_own_is_not_waited_for() -> None:
    began_at = time.monotonic()

    with pytest.raises(TimeoutError):
        within(Deadline(0.05), lambda: time.sleep(1))

    assert time.monotonic() - began_at < 0.5


def test_an_error_of_the_work_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        within(Deadline(5), lambda: 1 / 0)


def test_each_address_is_tried_and_named() -> None:
    port, announced = closed_port(), list[str]()
    addresses = [("127.0.0.1", port), ("127.0.0.2", port)]

    with pytest.raises(UnreachableError) as raised:
        connect(addresses, Deadline(5), announced.append)

    assert announced == ["127.0.0.1", "127.0.0.2"]
    refused = "127.0.0.1: Connection refused; 127.0.0.2: Connection refused"
    assert str(raised.value) == refused
    assert network_fault(raised.value) is NetworkFault.REFUSED


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), NetworkFault.TIMEOUT),
        (socket.gaierror(), NetworkFault.NAME_UNKNOWN),
        (ConnectionRefusedError(), NetworkFault.REFUSED),
        (ConnectionResetError(), NetworkFault.CLOSED),
        (OSError(), NetworkFault.UNREACHABLE),
        (ssl.SSLEOFError(), NetworkFault.TLS_CLOSED),
        (ssl.SSLError(), NetworkFault.TLS_FAILED),
        (None, NetworkFault.UNREACHABLE),
    ],
)
def test_an_exception_has_one_name(
    error: Exception | None, fault: NetworkFault
) -> None:
    assert network_fault(error) is fault


def test_what_a_server_says_becomes_one_printable_line() -> None:
    assert readable(b"550 no\r\n\0 \xff\xe2\x80\xaeway") == "550 no \ufffd?way"
    assert len(readable("a" * 1000)) == 500


@pytest.fixture
def is_held(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note for each wait for a server whether a connection to the database is held."""
    noted: list[bool] = []

    def refuse(*_words: object, **_more: object) -> None:
        noted.append(connection.connection is not None)
        raise OSError("nobody there")

    monkeypatch.setattr(discovery, "within", refuse)
    monkeypatch.setattr(failover, "_ask_one", refuse)
    return noted


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_for_another_server_holds_no_connection_to_the_database(
    is_held: list[bool], user: PbxUser, netlogon: SettingsSetter
) -> None:
    """A process has few of them, and strangers' logins may wait for a slow server."""
    for wait in (
        lambda: methods.netlogon.check("anna", "word"),
        lambda: discovery.fetch_json("https://idp.example.com/"),
    ):
        assert PbxUser.objects.exists()
        with pytest.raises(OSError, match="nobody there"):
            wait()

    assert is_held == [False, False]


@pytest.mark.django_db
def test_a_transaction_keeps_its_connection() -> None:
    release_database()

    assert not PbxUser.objects.exists()

"""Domain controllers from the list, or from a DNS server of our own."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from django.test import Client as Browser

from authconfig.directory import controllers
from authconfig.directory.controllers import Memory, controllers_of
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.models import AuthenticationSettings
from tests.conftest import SettingsSetter, Starter
from tests.support.directory import WINDOWS_PASSWORD, Directory

LIMIT = 5.0
QUESTION = "_ldap._tcp.ad.example.com."


@dataclass
class NameServer:
    """Answers SRV questions with `records`; None is silence."""

    records: list[str] | None = field(default_factory=list)
    ttl: int = 60
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    questions: list[str] = field(default_factory=list)

    def answer(self, wire: bytes) -> bytes | None:
        question = dns.message.from_wire(wire)
        self.questions.append(question.question[0].name.to_text())
        if self.records is None:
            return None
        reply = dns.message.make_response(question)
        reply.set_rcode(self.rcode)
        if self.records:
            name = question.question[0].name
            reply.answer.append(
                dns.rrset.from_text(name, self.ttl, "IN", "SRV", *self.records)
            )
        return reply.to_wire()


def serve(server: NameServer, sock: socket.socket) -> None:
    with suppress(OSError):
        while True:
            wire, sender = sock.recvfrom(4096)
            reply = server.answer(wire)
            if reply:
                sock.sendto(reply, sender)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(LIMIT)
        thread = threading.Thread(target=serve, args=(server, sock), daemon=True)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = sock.getsockname()[1]
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        yield server


def row(**values: str) -> AuthenticationSettings:
    return AuthenticationSettings(
        **({"netlogon_domain": "ad.example.com", "netlogon_security": "tls"} | values)
    )


def listed(row: AuthenticationSettings) -> list[str]:
    return [str(controller) for controller in controllers_of(row, LIMIT)]


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ("tls", ["dc1.example:636", "10.0.0.1:1636", "[::1]:636", "[::1]:6360"]),
        ("starttls", ["dc1.example:389", "10.0.0.1:1636", "[::1]:389", "[::1]:6360"]),
    ],
)
def test_listed_controllers_are_tried_in_their_order(
    security: str, expected: list[str]
) -> None:
    servers = "dc1.example, 10.0.0.1:1636,::1,  [::1]:6360"

    found = listed(row(netlogon_servers=servers, netlogon_security=security))

    assert found == expected


def test_the_dns_names_the_controllers_of_the_domain(names: NameServer) -> None:
    names.records = ["10 0 389 dc2.example.", "0 0 389 dc1.example."]

    assert listed(row()) == ["dc1.example:636", "dc2.example:636"]
    assert names.questions == [QUESTION]


@pytest.mark.parametrize(
    ("security", "port", "expected"),
    [
        ("tls", 389, 636),
        ("tls", 3268, 3269),
        ("tls", 1389, 1389),
        ("starttls", 389, 389),
        ("starttls", 3268, 3268),
    ],
)
def test_tls_has_ports_of_its_own(
    names: NameServer, security: str, port: int, expected: int
) -> None:
    names.records = [f"0 0 {port} dc1.example."]

    assert listed(row(netlogon_security=security)) == [f"dc1.example:{expected}"]


def test_equal_controllers_share_by_weight(names: NameServer) -> None:
    names.records = [
        "0 90 389 heavy.example.",
        "0 10 389 light.example.",
        "9 90 389 spare.example.",
    ]

    orders = [listed(row()) for _ in range(400)]

    first = Counter(order[0] for order in orders)
    assert {order[2] for order in orders} == {"spare.example:636"}
    assert 320 < first["heavy.example:636"] < 395


def test_the_answer_is_kept_for_its_time(names: NameServer) -> None:
    names.records = ["0 0 389 dc1.example."]

    listed(row())
    listed(row())

    assert len(names.questions) == 1


def test_an_answer_is_kept_for_five_minutes_at_most(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[float] = []
    names.records, names.ttl = ["0 0 389 dc1.example."], 86400
    monkeypatch.setattr(
        controllers.answers, "keep", lambda _key, _value, seconds: kept.append(seconds)
    )

    listed(row())

    assert kept == [300]


@pytest.mark.parametrize("records", [[], ["0 0 0 ."]])
def test_a_domain_without_the_service_has_no_controllers(
    names: NameServer, records: list[str]
) -> None:
    names.records = records

    with pytest.raises(DirectoryError) as raised:
        listed(row())

    assert raised.value.fault is DirectoryFault.NO_CONTROLLERS


def test_an_unknown_domain_has_no_controllers(names: NameServer) -> None:
    names.rcode = dns.rcode.NXDOMAIN

    with pytest.raises(DirectoryError) as raised:
        listed(row())

    assert raised.value.fault is DirectoryFault.NO_CONTROLLERS


def test_a_silent_dns_is_an_outage_that_ends_in_time(names: NameServer) -> None:
    names.records = None

    with pytest.raises(DirectoryError) as raised:
        controllers_of(row(), 0.3)

    assert raised.value.fault is DirectoryFault.DNS_FAILED


@pytest.mark.django_db
def test_a_controller_found_by_dns_logs_users_in_by_its_name(
    names: NameServer,
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
) -> None:
    names.records = [f"0 0 {directory.tls_port} localhost."]
    netlogon(netlogon_servers="")

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


def test_memory_forgets_in_time_and_keeps_little() -> None:
    memory = Memory()
    memory.keep("over", "value", 0)
    for number in range(controllers.MOST_KEPT + 5):
        memory.keep(number, "value", 60)

    assert memory.get("over") is None
    assert memory.get(0) is None
    assert memory.get(controllers.MOST_KEPT) == "value"

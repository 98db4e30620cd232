"""The domain controllers, from the rules or DNS, and which of them were down."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import dns.exception
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from authconfig.choices import NetlogonSecurity
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.models import AuthenticationSettings
from authconfig.names import domain_key
from authconfig.validators import split_port

LDAP_PORT, LDAPS_PORT = 389, 636
# DNS names the ports of plain LDAP; LDAPS listens on ports of its own.
TLS_PORTS = {LDAP_PORT: LDAPS_PORT, 3268: 3269}
LONGEST_TTL_SECONDS = 300
REST_SECONDS = 30.0
MOST_KEPT = 64


@dataclass(frozen=True)
class Controller:
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Memory:
    """Keeps a few things in this process, each for its own time."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, object]] = {}

    def keep(self, key: Hashable, value: object, seconds: float) -> None:
        now = time.monotonic()
        kept = {k: v for k, v in self._kept.items() if v[0] > now and k != key}
        while len(kept) >= MOST_KEPT:
            kept.pop(next(iter(kept)))
        self._kept = kept | {key: (now + seconds, value)}

    def get(self, key: Hashable) -> object | None:
        until, value = self._kept.get(key, (0.0, None))
        return value if until > time.monotonic() else None

    def forget(self, key: Hashable) -> None:
        self._kept = {k: v for k, v in self._kept.items() if k != key}

    def clear(self) -> None:
        self._kept = {}


answers = Memory()
resting = Memory()


def controllers_of(rules: AuthenticationSettings, limit: float) -> list[Controller]:
    tls = rules.netlogon_security == NetlogonSecurity.TLS
    listed = rules.netlogon_servers.strip()
    if listed:
        port = LDAPS_PORT if tls else LDAP_PORT
        servers = (server.strip() for server in listed.split(","))
        return [Controller(*split_port(server, port)) for server in servers]
    found = in_order(_service_records(rules.netlogon_domain, limit))
    return [_controller(record, tls=tls) for record in found]


def _controller(record: SRV, *, tls: bool) -> Controller:
    port = TLS_PORTS.get(record.port, record.port) if tls else record.port
    return Controller(record.target.to_text(omit_final_dot=True), port)


def _service_records(domain: str, limit: float) -> list[SRV]:
    kept = answers.get(domain)
    if isinstance(kept, list):
        return kept
    records, ttl = _ask(domain, limit)
    answers.keep(domain, records, min(ttl, LONGEST_TTL_SECONDS))
    return records


def _ask(domain: str, limit: float) -> tuple[list[SRV], float]:
    key = domain_key(domain)
    if not key:
        raise DirectoryError(NetlogonStage.FIND, DirectoryFault.NO_DOMAIN)
    question = f"_ldap._tcp.{key}."
    try:
        answer = dns.resolver.resolve(question, "SRV", lifetime=limit)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
        raise DirectoryError(
            NetlogonStage.FIND, DirectoryFault.NO_CONTROLLERS, question
        ) from error
    except (dns.exception.DNSException, OSError) as error:
        raise DirectoryError(
            NetlogonStage.FIND, DirectoryFault.DNS_FAILED, str(error)
        ) from error
    # RFC 2782: a target of "." means that the domain has no such service.
    records = [record for record in answer if len(record.target.labels) > 1]
    if not records:
        raise DirectoryError(
            NetlogonStage.FIND, DirectoryFault.NO_CONTROLLERS, question
        )
    return records, float(answer.rrset.ttl if answer.rrset else 0)


def in_order(records: list[SRV]) -> list[SRV]:
    """RFC 2782: sort by priority, and draw by weight where priorities are equal."""
    by_priority = sorted(records, key=attrgetter("priority"))
    return [
        record
        for _priority, equals in groupby(by_priority, attrgetter("priority"))
        for record in _drawn(list(equals))
    ]


def _drawn(records: list[SRV]) -> list[SRV]:
    drawn = []
    while records:
        # A record with the weight 0 still gets a small chance.
        weights = [record.weight or 0.01 for record in records]
        record = random.choices(records, weights)[0]  # noqa: S311  # no secret
        records.remove(record)
        drawn.append(record)
    return drawn

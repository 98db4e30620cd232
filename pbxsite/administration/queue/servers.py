"""The foreign servers that logins and e-mails need now, and how they answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.utils import timezone

from authconfig.choices import Dependency, Method
from authconfig.dependencies import DependencyState
from authconfig.directory.controllers import controllers_of
from authconfig.models import AuthenticationSettings
from authconfig.policy import uses
from pbxsite.administration.kept_words import mail_in_words

# A controller that the DNS names no longer is not asked any more.
REMEMBERED = timedelta(days=1)


@dataclass(frozen=True)
class Server:
    """`is_up` is None until somebody has asked it."""

    kind: Dependency
    name: str
    is_up: bool | None = None
    since: datetime | None = None
    asked_at: datetime | None = None
    words: str = ""


def servers(rules: AuthenticationSettings) -> list[Server]:
    states = {(row.kind, row.name): row for row in DependencyState.objects.all()}
    return [
        _server(kind, name, states.get((kind.value, name)))
        for kind, name in dict.fromkeys(_needed(rules, list(states.values())))
    ]


def _server(kind: Dependency, name: str, state: DependencyState | None) -> Server:
    if state is None:
        return Server(kind, name)
    words = mail_in_words(state.words) if kind == Dependency.SMTP else state.words
    return Server(kind, name, state.is_up, state.changed_at, state.asked_at, words)


def _needed(
    rules: AuthenticationSettings, states: list[DependencyState]
) -> Iterator[tuple[Dependency, str]]:
    if rules.smtp_server:
        yield Dependency.SMTP, f"{rules.smtp_server}:{rules.smtp_port}"
    if uses(rules, Method.NETLOGON):
        for name in _controllers(rules, states):
            yield Dependency.CONTROLLER, name
    if uses(rules, Method.OAUTH2):
        host = urlsplit(rules.oauth2_well_known_url).netloc
        yield Dependency.PROVIDER, host.rpartition("@")[2]


def _controllers(
    rules: AuthenticationSettings, states: list[DependencyState]
) -> Iterator[str]:
    """Yield the listed controllers, or those that logins found by the DNS lately."""
    if rules.netlogon_servers.strip():
        yield from map(str, controllers_of(rules, 0))
        return
    since = timezone.now() - REMEMBERED
    for state in states:
        if state.kind == Dependency.CONTROLLER and state.asked_at > since:
            yield state.name

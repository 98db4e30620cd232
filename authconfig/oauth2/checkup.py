"""A test of the OpenID provider's configuration, also with values not saved yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _

from authconfig.choices import Event, Method, StepState
from authconfig.models import AuthenticationSettings
from authconfig.network import readable
from authconfig.oauth2 import discovery, tokens
from authconfig.oauth2.choices import OAuth2Stage
from authconfig.oauth2.discovery import Document
from authconfig.oauth2.faults import Fault, OidcError
from authconfig.oauth2.http import fetch_json
from authconfig.oauth2.remedies import REMEDIES
from authconfig.trial import Progress, Report, Step
from authconfig.users import audit
from authconfig.users.models import PbxUser


class Checkup:
    """Goes through the stages and passes each on as it begins and ends."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.ended: list[Step] = []

    @contextmanager
    def stage(self, stage: OAuth2Stage) -> Iterator[list[str]]:
        """What is put into the list are the words of a stage that succeeds."""
        began, found = time.monotonic(), list[str]()
        self._report(stage, StepState.STARTED, began, "")
        try:
            yield found
        except OidcError as error:
            self._report(stage, StepState.FAILED, began, str(error))
            raise
        self._report(stage, StepState.DONE, began, "; ".join(found))

    def _report(
        self, stage: OAuth2Stage, state: StepState, began: float, words: str
    ) -> None:
        elapsed_ms = round((time.monotonic() - began) * 1000)
        step = Step(stage, state, elapsed_ms, readable(words))
        if state is not StepState.STARTED:
            self.ended.append(step)
        self._progress(step)


def try_oauth2(
    rules: AuthenticationSettings,
    progress: Progress,
    *,
    actor: PbxUser | None,
) -> Report:
    """Ask the provider what a login would ask it, but for the user's own part."""
    checkup = Checkup(progress)
    try:
        config = _fetch(rules.oauth2_well_known_url, checkup)
        _check(config, rules.oauth2_well_known_url, checkup)
    except OidcError as error:
        _record(str(error), actor)
        return Report(tuple(checkup.ended), _remedy(error), accepted=False)
    _record("configuration accepted", actor)
    return Report(tuple(checkup.ended), _next_step(), accepted=True)


def _fetch(well_known_url: str, checkup: Checkup) -> Document:
    with checkup.stage(OAuth2Stage.FETCH) as found:
        found.append(well_known_url)
        return fetch_json(well_known_url)


def _check(config: Document, well_known_url: str, checkup: Checkup) -> None:
    checks: dict[OAuth2Stage, Callable[[], str]] = {
        OAuth2Stage.ISSUER: lambda: _issuer(config, well_known_url),
        OAuth2Stage.ENDPOINTS: lambda: _endpoints(config),
        OAuth2Stage.KEYS: lambda: _keys(config),
        OAuth2Stage.METHODS: lambda: _methods(config),
    }
    for stage, check in checks.items():
        with checkup.stage(stage) as found:
            found.append(check())


def _issuer(config: Document, well_known_url: str) -> str:
    discovery.check_issuer(config, well_known_url)
    return str(config["issuer"])


def _endpoints(config: Document) -> str:
    discovery.check_endpoints(config)
    return ", ".join(str(config[name]) for name in discovery.ENDPOINTS)


def _keys(config: Document) -> str:
    """Fetch them, so that a login would find them usable."""
    found = discovery.fetched_keys(config["jwks_uri"])
    usable = tokens.signing_keys(found)
    if not usable:
        raise OidcError(Fault.NO_KEYS)
    return ", ".join(key.algorithm_name for key in usable)


def _methods(config: Document) -> str:
    """RFC 8414: a list that is missing says nothing, and a login will show it."""
    offered = config.get("code_challenge_methods_supported")
    if isinstance(offered, list) and "S256" not in offered:
        raise OidcError(Fault.NO_PKCE, ", ".join(map(str, offered)))
    ways = config.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return f"PKCE S256; {', '.join(map(str, ways))}"


def _remedy(error: OidcError) -> str:
    return str(REMEDIES.get(error.fault, error))


def _next_step() -> str:
    return _(
        "The provider is set up as OpenID Connect asks for. Whether it knows this"
        " client, and who users are, shows when you log in there."
    )


def _record(detail: str, actor: PbxUser | None) -> None:
    if not actor:
        return  # a monitor's, which asks every few minutes
    audit.record(
        Event.OAUTH2_TESTED,
        user=actor,
        actor=actor,
        method=Method.OAUTH2,
        detail=detail,
    )

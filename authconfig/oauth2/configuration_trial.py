"""The trial of the provider's configuration, also by rules that are not saved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.db.models import TextChoices
from django.utils.translation import gettext as _

from authconfig.choices import Event, Method
from authconfig.models import AuthenticationSettings
from authconfig.oauth2 import discovery
from authconfig.oauth2.choices import OAuth2Stage
from authconfig.oauth2.discovery import Document, fetch_json
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.provider import signing_keys
from authconfig.oauth2.remedies import REMEDIES
from authconfig.trial import Failure, Progress, Report, TrialRecord, run_stage
from authconfig.users import audit
from authconfig.users.models import PbxUser


def try_oauth2(
    rules: AuthenticationSettings,
    progress: Progress,
    *,
    actor: PbxUser | None,
) -> Report:
    """Ask the provider whatever a login asks before the user comes into it."""
    record = TrialRecord(progress)
    try:
        config = _fetch(rules.oauth2_well_known_url, record)
        _check(config, rules.oauth2_well_known_url, record)
    except ProviderError as error:
        _audit(str(error), actor)
        return record.report(_remedy(error), accepted=False)
    _audit("configuration accepted", actor)
    return record.report(_next_step(), accepted=True)


def _stage(
    record: TrialRecord, stage: OAuth2Stage
) -> AbstractContextManager[list[str]]:
    return run_stage(stage, record.note, _meaning)


def _meaning(_stage: TextChoices, raised: Exception) -> Failure | None:
    return Failure(raised, str(raised)) if isinstance(raised, ProviderError) else None


def _fetch(well_known_url: str, record: TrialRecord) -> Document:
    with _stage(record, OAuth2Stage.FETCH) as found:
        found.append(well_known_url)
        return fetch_json(well_known_url)


def _check(config: Document, well_known_url: str, record: TrialRecord) -> None:
    checks: dict[OAuth2Stage, Callable[[], str]] = {
        OAuth2Stage.ISSUER: lambda: _issuer(config, well_known_url),
        OAuth2Stage.ENDPOINTS: lambda: _endpoints(config),
        OAuth2Stage.KEYS: lambda: _keys(config),
        OAuth2Stage.METHODS: lambda: _methods(config),
    }
    for stage, check in checks.items():
        with _stage(record, stage) as found:
            found.append(check())


def _issuer(config: Document, well_known_url: str) -> str:
    discovery.check_issuer(config, well_known_url)
    return str(config["issuer"])


def _endpoints(config: Document) -> str:
    discovery.check_endpoints(config)
    return ", ".join(str(config[name]) for name in discovery.ENDPOINTS)


def _keys(config: Document) -> str:
    found = discovery.fetched_keys(config["jwks_uri"])
    usable = signing_keys(found)
    if not usable:
        raise ProviderError(ProviderFault.NO_KEYS)
    return ", ".join(key.algorithm_name for key in usable)


def _methods(config: Document) -> str:
    """RFC 8414: a list that is missing says nothing; a login will show it."""
    offered = config.get("code_challenge_methods_supported")
    if isinstance(offered, list) and "S256" not in offered:
        raise ProviderError(ProviderFault.NO_PKCE, ", ".join(map(str, offered)))
    ways = config.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return f"PKCE S256; {', '.join(map(str, ways))}"


def _remedy(error: ProviderError) -> str:
    return str(REMEDIES.get(error.fault, error))


def _next_step() -> str:
    return _(
        "The provider is set up as OpenID Connect asks for. Whether it knows this"
        " client, and who users are, shows when you log in there."
    )


def _audit(detail: str, actor: PbxUser | None) -> None:
    if not actor:
        return  # a monitor asks every few minutes
    audit.record(
        Event.OAUTH2_TESTED,
        user=actor,
        actor=actor,
        method=Method.OAUTH2,
        detail=detail,
    )

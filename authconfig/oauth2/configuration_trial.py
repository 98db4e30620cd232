"""The trial of the provider's configuration, also by rules that are not saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from django.db.models import TextChoices
from django.utils.translation import gettext as _

from authconfig.choices import Event, Method
from authconfig.models import AuthenticationSettings
from authconfig.network import readable
from authconfig.oauth2 import discovery
from authconfig.oauth2.adapter import ClientWay
from authconfig.oauth2.choices import OAuth2Stage
from authconfig.oauth2.discovery import ALGORITHMS, Document, fetch_json, signing_keys
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.remedies import REMEDIES
from authconfig.trial import Failure, Progress, Report, TrialRecord, run_stage
from authconfig.users import audit
from authconfig.users.models import PbxUser

CLIENT_WAYS = "token_endpoint_auth_methods_supported"
# What a login needs one of in the provider's lists, and the fault if there is none.
NEEDED: dict[str, tuple[Sequence[str], ProviderFault]] = {
    "response_types_supported": (["code"], ProviderFault.NO_CODE_FLOW),
    "response_modes_supported": (["query"], ProviderFault.NO_CODE_FLOW),
    "grant_types_supported": (["authorization_code"], ProviderFault.NO_CODE_FLOW),
    "code_challenge_methods_supported": (["S256"], ProviderFault.NO_PKCE),
    "id_token_signing_alg_values_supported": (ALGORITHMS, ProviderFault.NO_ALGORITHM),
}
# What a provider may require of every client (RFC 9126, RFC 9101).
REQUIRED = {
    "require_pushed_authorization_requests": ProviderFault.PUSHED_REQUEST,
    "require_signed_request_object": ProviderFault.SIGNED_REQUEST,
}


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
        _check(config, rules, record)
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


def _check(
    config: Document, rules: AuthenticationSettings, record: TrialRecord
) -> None:
    checks: dict[OAuth2Stage, Callable[[], str]] = {
        OAuth2Stage.ISSUER: lambda: _issuer(config, rules.oauth2_well_known_url),
        OAuth2Stage.ENDPOINTS: lambda: _endpoints(config),
        OAuth2Stage.KEYS: lambda: _keys(config),
        OAuth2Stage.METHODS: lambda: _methods(
            config, has_secret=bool(rules.oauth2_client_secret)
        ),
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


def _methods(config: Document, *, has_secret: bool) -> str:
    for name, fault in REQUIRED.items():
        if config.get(name) is True:
            raise ProviderError(fault)
    for name, (needed, fault) in NEEDED.items():
        _check_offered(config, name, needed, fault)
    ways = [ClientWay.BASIC, ClientWay.POST]
    # Many providers have public clients, and list no way for them.
    ways += [] if has_secret else [ClientWay.UNAUTHENTICATED]
    _check_offered(config, CLIENT_WAYS, ways, ProviderFault.NO_CLIENT_WAY)
    offered = config.get(CLIENT_WAYS, [ClientWay.BASIC])
    return f"PKCE S256; {', '.join(map(str, offered))}"


def _check_offered(
    config: Document, name: str, needed: Sequence[str], fault: ProviderFault
) -> None:
    """RFC 8414: a list that is missing says nothing; a login will show it."""
    offered = config.get(name)
    if isinstance(offered, list) and not any(word in needed for word in offered):
        raise ProviderError(fault, readable(", ".join(map(str, offered))))


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

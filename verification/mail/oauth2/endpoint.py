"""One request to a token endpoint: what is asked, and what the answer says.

oauthlib writes the grants and reads the answers; the requests go through the session
that limits every exchange with a provider in time and size.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import requests
from oauthlib.oauth2 import (
    BackendApplicationClient,
    LegacyApplicationClient,
    OAuth2Error,
    ServiceApplicationClient,
    WebApplicationClient,
)

from authconfig.choices import OAuth2Grant
from authconfig.network import readable
from authconfig.oauth2.discovery import LimitedSession, json_object
from authconfig.oauth2.faults import ProviderError, ProviderFault
from verification.mail.oauth2.assertions import client_assertion, grant_assertion
from verification.mail.oauth2.configuration import ClientShows, Configuration
from verification.mail.oauth2.faults import (
    FAULT_OF_ERROR,
    FAULT_OF_SUBERROR,
    TokenError,
    TokenFault,
)

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# RFC 6750, 2.1. Anything else could end a line of the SMTP dialogue.
BEARER_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# RFC 4954, 4: no server has to take a longer line of base64 than 12288 bytes.
LONGEST_TOKEN = 9000
# A provider need not say how long a token lives (RFC 6749, 5.1).
UNTOLD_SECONDS = 600
LONGEST_SECONDS = 90 * 24 * 3600
PROVIDER_FAULTS = {
    ProviderFault.TIMEOUT: TokenFault.TIMEOUT,
    ProviderFault.TOO_LARGE: TokenFault.NOT_OAUTH2,
    ProviderFault.REDIRECTED: TokenFault.NOT_OAUTH2,
}
# "invalid_grant" means whatever was shown.
FAULT_OF_GRANT = {
    OAuth2Grant.PASSWORD: TokenFault.OWNER,
    OAuth2Grant.JWT_BEARER: TokenFault.ASSERTION,
}
Form = dict[str, str]


@dataclass(frozen=True)
class Tokens:
    """What a token endpoint gave; `seconds` is how long the access token lives."""

    access_token: str = field(repr=False)
    seconds: int
    scope: str = ""
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)


def exchange_code(
    configuration: Configuration, *, code: str, redirect_uri: str, code_verifier: str
) -> Tokens:
    """Raise TokenError if the provider gives no token for the code."""
    body = WebApplicationClient(configuration.client_id).prepare_request_body(
        code=code,
        redirect_uri=redirect_uri,
        code_verifier=code_verifier,
        include_client_id=False,
    )
    return _ask(configuration, body, (code, code_verifier))


def refresh(configuration: Configuration, refresh_token: str) -> Tokens:
    client = WebApplicationClient(configuration.client_id)
    body = client.prepare_refresh_body(refresh_token=refresh_token)
    return _ask(configuration, body, (refresh_token,))


def ask(configuration: Configuration) -> Tokens:
    """Ask by a grant that needs nobody to be there."""
    client, scope = configuration.client_id, configuration.scope.split()
    if configuration.grant == OAuth2Grant.CLIENT_CREDENTIALS:
        body = BackendApplicationClient(client).prepare_request_body(scope=scope)
    elif configuration.grant == OAuth2Grant.PASSWORD:
        body = LegacyApplicationClient(client).prepare_request_body(
            configuration.resource_owner,
            configuration.resource_owner_password,
            scope=scope,
        )
    else:
        return _ask(configuration, _assertion_body(configuration))
    return _ask(configuration, body)


def _assertion_body(configuration: Configuration) -> str:
    """oauthlib would sign by RS256 alone, and without the key's ID."""
    form = {
        "grant_type": ServiceApplicationClient.grant_type,
        "assertion": grant_assertion(configuration),
    }
    if configuration.scope and not configuration.has_scope_in_assertion:
        form["scope"] = configuration.scope
    return "&".join(f"{name}={quote_plus(value)}" for name, value in form.items())


def _ask(
    configuration: Configuration, body: str, more_secrets: tuple[str, ...] = ()
) -> Tokens:
    # What the standards name comes from here, whatever the parameters say.
    form = configuration.further | dict(parse_qsl(body)) | _client_in(configuration)
    signed = [form[n] for n in ("assertion", "client_assertion") if n in form]
    hidden = (*configuration.secrets, *more_secrets, *signed)
    headers = _credentials(configuration)
    try:
        return _read(configuration, _answer(configuration, form, headers[0]), hidden)
    except TokenError as error:
        if error.fault is not TokenFault.CLIENT or len(headers) == 1:
            raise
    return _read(configuration, _answer(configuration, form, headers[1]), hidden)


def _client_in(configuration: Configuration) -> Form:
    """Return what the form says of the client."""
    shows, client = configuration.client_shows, configuration.client_id
    is_public = shows == ClientShows.BASIC and not configuration.client_secret
    if shows in (ClientShows.BASIC, ClientShows.NOTHING) and not is_public:
        return {}
    form = {"client_id": client} if client else {}
    if shows == ClientShows.POST and configuration.client_secret:
        form["client_secret"] = configuration.client_secret
    if shows == ClientShows.KEY:
        form["client_assertion_type"] = ASSERTION
        form["client_assertion"] = client_assertion(configuration)
    return form


def _credentials(configuration: Configuration) -> list[dict[str, str]]:
    """RFC 6749, 2.3.1 wants both encoded; some servers do not decode them."""
    if (
        configuration.client_shows != ClientShows.BASIC
        or not configuration.client_secret
    ):
        return [{}]
    plain = (configuration.client_id, configuration.client_secret)
    pairs = dict.fromkeys((tuple(map(quote_plus, plain)), plain))
    encoded = (b64encode(":".join(pair).encode()).decode() for pair in pairs)
    return [{"Authorization": f"Basic {each}"} for each in encoded]


def _answer(
    configuration: Configuration, form: Form, headers: Mapping[str, str]
) -> requests.Response:
    try:
        with LimitedSession() as session:
            answer: requests.Response = session.post(
                configuration.token_url,
                data=form,
                headers={"Accept": "application/json", **headers},
            )
    except ProviderError as error:
        fault = PROVIDER_FAULTS.get(error.fault, TokenFault.UNREACHABLE)
        # Its cause is the request, with all its secrets.
        raise TokenError(fault, str(error)) from None
    except requests.RequestException as error:
        # An address that is none, for one.
        raise TokenError(TokenFault.UNREACHABLE, type(error).__name__) from None
    return answer


def _read(
    configuration: Configuration, answer: requests.Response, hidden: tuple[str, ...]
) -> Tokens:
    found = json_object(answer.content)
    status = f"status {answer.status_code}"
    if found is None:
        if _is_busy(answer):
            raise TokenError(TokenFault.PROVIDER_BUSY, status)
        kind = answer.headers.get("Content-Type", "?")
        raise TokenError(TokenFault.NOT_OAUTH2, f"{status}, {kind}")
    if isinstance(found.get("error"), str):
        fault = _fault_of(configuration.grant, answer, found)
        raise TokenError(fault, without(hidden, _said(found)))
    try:
        # Without a scope of its own the library does not mind another one.
        token = WebApplicationClient("").parse_request_body_response(answer.content)
    except OAuth2Error as error:
        fault = TokenFault.PROVIDER_BUSY if _is_busy(answer) else TokenFault.NOT_OAUTH2
        raise TokenError(fault, f"{status}: {error.error}") from None
    except (TypeError, ValueError, AttributeError):
        raise TokenError(TokenFault.NOT_OAUTH2, status) from None
    return _tokens(token)


def _is_busy(answer: requests.Response) -> bool:
    status = answer.status_code
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.REQUEST_TIMEOUT,
    )


def _said(found: Mapping[str, Any]) -> str:
    """RFC 6749, 5.2: the provider says why, by a word and a sentence."""
    said = (found.get(name) for name in ("error", "error_description"))
    return ": ".join(word for word in said if isinstance(word, str) and word)


def _fault_of(
    grant: OAuth2Grant, answer: requests.Response, found: Mapping[str, Any]
) -> TokenFault:
    fault = FAULT_OF_SUBERROR.get(str(found.get("suberror")))
    fault = fault or FAULT_OF_ERROR.get(found["error"])
    if fault is None:
        return TokenFault.PROVIDER_BUSY if _is_busy(answer) else TokenFault.REQUEST
    return FAULT_OF_GRANT.get(grant, fault) if fault is TokenFault.GRANT else fault


def without(secrets: tuple[str, ...], words: str) -> str:
    """Some providers repeat what they refuse."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        words = words.replace(secret, "***")
    return words


def _tokens(token: Mapping[str, Any]) -> Tokens:
    access = token["access_token"]
    is_one = isinstance(access, str) and BEARER_TOKEN.fullmatch(access)
    if not is_one or len(access) > LONGEST_TOKEN:
        raise TokenError(TokenFault.NOT_OAUTH2, "access_token")
    kind = str(token.get("token_type", "Bearer"))
    if kind.lower() != "bearer":
        raise TokenError(TokenFault.NOT_OAUTH2, f"token_type {kind[:40]}")
    scope = token.get("scope") or []
    return Tokens(
        access,
        _seconds(token.get("expires_in")),
        readable(" ".join(scope) if isinstance(scope, list) else str(scope)),
        _text(token.get("refresh_token")),
        _text(token.get("id_token")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(told: Any) -> int:
    try:
        return min(max(int(told), 0), LONGEST_SECONDS)
    except (TypeError, ValueError, OverflowError):
        return UNTOLD_SECONDS

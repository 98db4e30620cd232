"""The provider's configuration and keys (OpenID Connect Discovery 1.0), cached.

Each request to the provider is limited in time and size, and follows no redirect.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypedDict
from urllib.parse import urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.core.cache import cache

from authconfig import dependencies
from authconfig.choices import Dependency
from authconfig.network import (
    Deadline,
    NetworkFault,
    network_fault,
    release_database,
    within,
)
from authconfig.oauth2.faults import AWAY, ProviderError, ProviderFault
from authconfig.validators import is_loopback

logger = logging.getLogger(__name__)
WELL_KNOWN = "/.well-known/openid-configuration"
FRESH_SECONDS = 3600
# While the provider is away, an old copy serves.
STALE_SECONDS = 7 * 24 * 3600
# After a failure or an unknown key, the provider is left alone for so long.
REST_SECONDS = 30
LONGEST_ANSWER = 512 * 1024
CHUNK = 16 * 1024
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# Signatures alone: others know the key of a MAC, and "none" proves nothing.
ALGORITHMS = [
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
]
MANY_TENANTS = (
    *("/common/", "/organizations/", "/consumers/", "{"),
    # The tenant of all personal accounts at Entra ID.
    "/9188040d-6c67-4c5b-b112-36a304b66dad/",
)
Document = dict[str, Any]


class Ed25519(jwt.algorithms.OKPAlgorithm):
    """EdDSA under the name that tells its curve (RFC 9864)."""

    def verify(self, msg: str | bytes, key: Any, sig: str | bytes) -> bool:
        return isinstance(key, Ed25519PublicKey) and super().verify(msg, key, sig)


jwt.register_algorithm("Ed25519", Ed25519())


class Kept(TypedDict):
    document: Document
    at: float


def configuration(well_known_url: str) -> Document:
    return _kept(well_known_url, lambda: fetched(well_known_url))


def fetched(well_known_url: str) -> Document:
    return checked(fetch_json(well_known_url), well_known_url)


def renew(well_known_url: str) -> None:
    """Renew the cache: a trial often follows a correction at the provider."""
    found = fetched(well_known_url)
    _keep(well_known_url, found)
    _keep(found["jwks_uri"], fetched_keys(found["jwks_uri"]))


def checked(found: Document, well_known_url: str) -> Document:
    """Discovery 1.0, 4.3: a configuration must name the issuer of its own address."""
    check_issuer(found, well_known_url)
    check_endpoints(found)
    return found


def check_issuer(found: Document, well_known_url: str) -> None:
    issuer = str(found.get("issuer", ""))
    if is_for_many_tenants(issuer) or is_for_many_tenants(well_known_url):
        raise ProviderError(ProviderFault.MANY_TENANTS, issuer or well_known_url)
    address = _without_query(well_known_url)
    if not issuer or issuer.rstrip("/") + WELL_KNOWN != address:
        raise ProviderError(ProviderFault.WRONG_ISSUER, issuer[:200])


def issuer_of(well_known_url: str) -> str:
    """Discovery 1.0, 4: a well-known URL begins with its issuer."""
    return _without_query(well_known_url).removesuffix(WELL_KNOWN)


def _without_query(url: str) -> str:
    """Entra ID's addresses may name the application (?appid=) at their end."""
    return urlsplit(url)._replace(query="").geturl()


def check_endpoints(found: Document) -> None:
    for name in ENDPOINTS:
        if not isinstance(found.get(name), str):
            raise ProviderError(ProviderFault.NO_ENDPOINT, name)
    is_here = urlsplit(str(found.get("issuer", ""))).scheme == "http"
    for name in (*ENDPOINTS, "userinfo_endpoint"):
        if found.get(name) and not is_safe(str(found[name]), is_here=is_here):
            raise ProviderError(ProviderFault.CLEAR_TEXT, f"{name} {found[name]}"[:200])


def is_for_many_tenants(url: str) -> bool:
    """Anybody with an account at such a provider could take any name."""
    return any(part in f"{url}/".lower() for part in MANY_TENANTS)


def is_safe(url: str, *, is_here: bool) -> bool:
    """A provider elsewhere must not make us talk to services on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        is_here and parts.scheme == "http" and is_loopback(parts.hostname or "")
    )


def key_set(jwks_uri: str) -> Document:
    return _kept(jwks_uri, lambda: fetched_keys(jwks_uri))


def newer_key_set(jwks_uri: str) -> Document:
    if not cache.add(f"{_cache_key(jwks_uri)}:rotated", "asked", REST_SECONDS):
        return key_set(jwks_uri)
    found = fetched_keys(jwks_uri)
    _keep(jwks_uri, found)
    return found


def fetched_keys(jwks_uri: str) -> Document:
    found = fetch_json(jwks_uri)
    if not isinstance(found.get("keys"), list) or not found["keys"]:
        raise ProviderError(ProviderFault.NO_KEYS)
    return found


def key_for(id_token: str, jwks_uri: str) -> jwt.PyJWK:
    kid = jwt.get_unverified_header(id_token).get("kid")
    for keys in (key_set, newer_key_set):
        if key := _pick(keys(jwks_uri), kid):
            return key
    raise ProviderError(
        ProviderFault.BAD_ID_TOKEN, "its key is not one of the provider's"
    )


def _pick(found: Document, kid: str | None) -> jwt.PyJWK | None:
    signing = signing_keys(found)
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.key_id == kid), None)


def signing_keys(found: Document) -> list[jwt.PyJWK]:
    try:
        known = [_with_known_algorithm(key) for key in found.get("keys", [])]
        keys = jwt.PyJWKSet(known).keys
    except (
        jwt.PyJWTError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise ProviderError(ProviderFault.NO_KEYS, str(error)[:200]) from error
    return [
        key
        for key in keys
        if key.public_key_use in (None, "sig") and key.algorithm_name in ALGORITHMS
    ]


def _with_known_algorithm(key: Any) -> Any:
    is_new_name = isinstance(key, dict) and key.get("alg") == "Ed25519"
    return key | {"alg": "EdDSA"} if is_new_name else key


def _kept(url: str, fetch: Callable[[], Document]) -> Document:
    kept: Kept | None = cache.get(_cache_key(url))
    if kept and time.time() - kept["at"] < FRESH_SECONDS:
        return kept["document"]
    resting = f"{_cache_key(url)}:resting"
    try:
        if cache.get(resting):
            raise ProviderError(ProviderFault.RESTING, url)
        found = fetch()
    except ProviderError as error:
        if error.fault is not ProviderFault.RESTING:
            cache.set(resting, "asked", REST_SECONDS)
            dependencies.note_down(Dependency.PROVIDER, _host(url), str(error))
        # A copy stands in for a provider that is away, never for one that is wrong.
        if kept is None or error.fault not in (*AWAY, ProviderFault.RESTING):
            raise
        logger.warning("OpenID provider: an old copy serves (%s)", error)
        return kept["document"]
    _keep(url, found)
    dependencies.note_up(Dependency.PROVIDER, _host(url))
    return found


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _keep(url: str, document: Document) -> None:
    kept = Kept(document=document, at=time.time())
    cache.set(_cache_key(url), kept, STALE_SECONDS)


def _cache_key(url: str) -> str:
    return f"openid-provider:{sha256(url.encode()).hexdigest()}"


NETWORK_FAULTS = {
    NetworkFault.NAME_UNKNOWN: ProviderFault.NAME_UNKNOWN,
    NetworkFault.REFUSED: ProviderFault.REFUSED,
    NetworkFault.TIMEOUT: ProviderFault.TIMEOUT,
}


class LimitedSession(requests.Session):
    """Every request to a provider goes through one of these, allauth's included."""

    def __init__(self) -> None:
        super().__init__()
        # Else requests would take a user name and password from ~/.netrc.
        self.auth = lambda request: request

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        """Limit the whole exchange; requests itself limits each piece that it reads."""
        release_database()
        limit: float = settings.OAUTH2_TIMEOUT
        deadline = Deadline(limit)
        kwargs |= {"stream": True, "allow_redirects": False, "timeout": limit}
        try:
            response = within(deadline, lambda: self._answer(request, deadline, kwargs))
        except requests.RequestException as error:
            raise _unreached(error) from error
        except TimeoutError as error:
            words = f"no whole answer within {limit:g} seconds"
            raise ProviderError(ProviderFault.TIMEOUT, words) from error
        if response.is_redirect:
            raise ProviderError(
                ProviderFault.REDIRECTED, response.headers["Location"][:200]
            )
        return response

    def _answer(
        self,
        request: requests.PreparedRequest,
        deadline: Deadline,
        kwargs: dict[str, Any],
    ) -> requests.Response:
        with super().send(request, **kwargs) as response:
            # requests itself keeps a body that it has read here.
            response._content = _read(response, deadline)
        return response


def _read(response: requests.Response, deadline: Deadline) -> bytes:
    body = b""
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise ProviderError(ProviderFault.TOO_LARGE)
        deadline.left()
    return body


def _unreached(error: BaseException) -> ProviderError:
    """Tell by the innermost cause that is the network's: the libraries wrap it."""
    told = error
    while inner := error.__cause__ or error.__context__:
        error = inner
        if isinstance(error, OSError) or not isinstance(told, OSError):
            told = error
    fault = NETWORK_FAULTS.get(network_fault(told), ProviderFault.UNREACHABLE)
    said = told.strerror if isinstance(told, OSError) else str(told)
    return ProviderError(fault, (said or str(told) or type(told).__name__)[:300])


def fetch_json(url: str) -> Document:
    return object_in(answer_at(url), url)


def answer_at(url: str, **headers: str) -> requests.Response:
    with LimitedSession() as session:
        answer: requests.Response = session.get(url, headers=headers or None)
    status, words = answer.status_code, f"status {answer.status_code} at {url}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProviderError(ProviderFault.SERVER_ERROR, words)
    if status != HTTPStatus.OK:
        raise ProviderError(ProviderFault.NOT_JSON, words)
    return answer


def object_in(answer: requests.Response, url: str) -> Document:
    found = json_object(answer.content)
    if found is None:
        raise ProviderError(ProviderFault.NOT_JSON, f"no JSON object at {url}")
    return found


def json_object(content: bytes) -> Document | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

"""HTTP to the provider: bounded in time and size, and never led elsewhere."""

from __future__ import annotations

import json
import time
from typing import Any

import requests
from django.conf import settings

from authconfig.oidc.faults import Fault, OidcError

LONGEST_ANSWER = 512 * 1024
CHUNK = 16 * 1024


class Session(requests.Session):
    """All of allauth's requests to a provider go through one of these."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        limit: float = settings.OAUTH2_TIMEOUT
        bounds = {"stream": True, "allow_redirects": False, "timeout": limit}
        ends_at = time.monotonic() + limit
        try:
            response = super().send(request, **(kwargs | bounds))
            # What requests itself keeps as the body that it has read.
            response._content = _read(response, ends_at)
        except requests.RequestException as error:
            raise OidcError(Fault.UNREACHABLE, _words(error)) from error
        if response.is_redirect:
            raise OidcError(Fault.REDIRECTED, response.headers["Location"][:200])
        return response


def _read(response: requests.Response, ends_at: float) -> bytes:
    """requests' own time limit is for each piece; this one is for the whole."""
    body = b""
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise OidcError(Fault.TOO_LARGE)
        if time.monotonic() > ends_at:
            raise OidcError(Fault.UNREACHABLE, "the answer came too slowly")
    return body


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def fetch_json(url: str, **headers: str) -> dict[str, Any]:
    """Return the JSON object at the address; raise OidcError."""
    with Session() as session:
        response = session.get(url, headers=headers or None)
    if response.status_code != requests.codes.ok:
        raise OidcError(Fault.NOT_JSON, f"status {response.status_code} at {url}")
    try:
        found = json.loads(response.content)
    except ValueError as error:
        raise OidcError(Fault.NOT_JSON, f"no JSON at {url}") from error
    if not isinstance(found, dict):
        raise OidcError(Fault.NOT_JSON, f"no JSON object at {url}")
    return found

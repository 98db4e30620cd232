"""HTTP to the provider: limited in time and size, and following no redirect."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import requests
from django.conf import settings

from authconfig.network import Deadline, within
from authconfig.oauth2.faults import ProviderError, ProviderFault

LONGEST_ANSWER = 512 * 1024
CHUNK = 16 * 1024


class LimitedSession(requests.Session):
    """Every request to a provider goes through one of these, allauth's included."""

    def __init__(self) -> None:
        super().__init__()
        # Else requests would take a user name and password from ~/.netrc.
        self.auth = lambda request: request

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        """Limit the whole exchange; requests itself limits each piece that it reads."""
        limit: float = settings.OAUTH2_TIMEOUT
        deadline = Deadline(limit)
        kwargs |= {"stream": True, "allow_redirects": False, "timeout": limit}
        try:
            response = within(deadline, lambda: self._answer(request, deadline, kwargs))
        except requests.RequestException as error:
            raise ProviderError(ProviderFault.UNREACHABLE, _words(error)) from error
        except TimeoutError as error:
            words = f"no whole answer within {limit:g} seconds"
            raise ProviderError(ProviderFault.UNREACHABLE, words) from error
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


def _words(error: BaseException) -> str:
    """Return the innermost cause: the libraries wrap what the system said."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    said = error.strerror if isinstance(error, OSError) else str(error)
    return (said or type(error).__name__)[:300]


def fetch_json(url: str, **headers: str) -> dict[str, Any]:
    with LimitedSession() as session:
        response = session.get(url, headers=headers or None)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        words = f"status {response.status_code} at {url}"
        raise ProviderError(ProviderFault.UNREACHABLE, words)
    if response.status_code != requests.codes.ok:
        raise ProviderError(
            ProviderFault.NOT_JSON, f"status {response.status_code} at {url}"
        )
    try:
        found = json.loads(response.content)
    except ValueError as error:
        raise ProviderError(ProviderFault.NOT_JSON, f"no JSON at {url}") from error
    if not isinstance(found, dict):
        raise ProviderError(ProviderFault.NOT_JSON, f"no JSON object at {url}")
    return found

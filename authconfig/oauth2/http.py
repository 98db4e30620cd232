"""HTTP to the provider: bounded in time and size, and never led elsewhere."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from http import HTTPStatus
from threading import Thread
from typing import Any

import requests
from django.conf import settings

from authconfig.oauth2.faults import Fault, OidcError

LONGEST_ANSWER = 512 * 1024
CHUNK = 16 * 1024


class Session(requests.Session):
    """All of allauth's requests to a provider go through one of these."""

    def __init__(self) -> None:
        super().__init__()
        # Without one of ours, requests would take an auth out of ~/.netrc.
        self.auth = lambda request: request

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        """Bound the whole of it: requests' own limit is for each piece it reads.

        The thread may outlive it, where a name is looked up or headers drip.
        """
        answer: Future[requests.Response] = Future()
        limit: float = settings.OAUTH2_TIMEOUT
        words = kwargs | {"stream": True, "allow_redirects": False, "timeout": limit}
        Thread(target=self._send, args=(answer, request, words), daemon=True).start()
        try:
            response = answer.result(limit)
        except requests.RequestException as error:
            raise OidcError(Fault.UNREACHABLE, _words(error)) from error
        except TimeoutError as error:
            words_of_limit = f"no whole answer within {limit:g} seconds"
            raise OidcError(Fault.UNREACHABLE, words_of_limit) from error
        if response.is_redirect:
            raise OidcError(Fault.REDIRECTED, response.headers["Location"][:200])
        return response

    def _send(
        self,
        answer: Future[requests.Response],
        request: requests.PreparedRequest,
        words: dict[str, Any],
    ) -> None:
        ends_at = time.monotonic() + words["timeout"]
        try:
            with super().send(request, **words) as response:
                # What requests itself keeps as the body that it has read.
                response._content = _read(response, ends_at)
        except Exception as error:
            answer.set_exception(error)
        else:
            answer.set_result(response)


def _read(response: requests.Response, ends_at: float) -> bytes:
    body = b""
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise OidcError(Fault.TOO_LARGE)
        if time.monotonic() > ends_at:
            raise TimeoutError
    return body


def _words(error: BaseException) -> str:
    """Return what the system said first; the libraries wrap it into their own words."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    said = error.strerror if isinstance(error, OSError) else str(error)
    return (said or type(error).__name__)[:300]


def fetch_json(url: str, **headers: str) -> dict[str, Any]:
    """Return the JSON object at the address; raise OidcError."""
    with Session() as session:
        response = session.get(url, headers=headers or None)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        words = f"status {response.status_code} at {url}"
        raise OidcError(Fault.UNREACHABLE, words)
    if response.status_code != requests.codes.ok:
        raise OidcError(Fault.NOT_JSON, f"status {response.status_code} at {url}")
    try:
        found = json.loads(response.content)
    except ValueError as error:
        raise OidcError(Fault.NOT_JSON, f"no JSON at {url}") from error
    if not isinstance(found, dict):
        raise OidcError(Fault.NOT_JSON, f"no JSON object at {url}")
    return found

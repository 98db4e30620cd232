"""What a client's server is told that gets nothing (RFC 6749, 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpResponse, JsonResponse

from authconfig.choices import Event
from authconfig.users.models import PbxUser

INVALID_REQUEST = "invalid_request"
INVALID_GRANT = "invalid_grant"
# What a client waits after "too often": the limits count for a minute.
WAIT_SECONDS = 60


@dataclass(eq=False)
class Refusal(Exception):
    """The developers of clients read `words`, which say what to do about it."""

    code: str
    words: str = ""
    status: int = HTTPStatus.BAD_REQUEST
    # Told however often it comes: many sessions may end at once, and the client has to
    # hear of each.
    is_news: bool = False
    # For the audit log.
    event: Event = Event.CLIENT_REFUSED
    user: PbxUser | None = None

    @property
    def response(self) -> HttpResponse:
        told = {"error": self.code}
        if self.words:
            told["error_description"] = self.words
        response = JsonResponse(told, status=self.status)
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            response["Retry-After"] = str(WAIT_SECONDS)
        return response


def invalid_client(words: str) -> Refusal:
    return Refusal("invalid_client", words, status=HTTPStatus.UNAUTHORIZED)


def too_often() -> Refusal:
    return Refusal(
        "temporarily_unavailable",
        f"too many requests: wait {WAIT_SECONDS} seconds",
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )

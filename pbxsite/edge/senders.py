"""Who may send a file: from anybody else its body is read, and kept nowhere.

Django would write it to the disk before any code of ours could look at the sender.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.urls import reverse

from pbxsite.edge.responses import Application
from verification.sessions.lifecycle import shown_key
from verification.sessions.signed_in import user_of
from verification.voicemail import keys

logger = logging.getLogger(__name__)
# They say how long a body is, and of what kind.
OF_THE_BODY = (b"content-length", b"content-type", b"transfer-encoding")
EMPTY = {"type": "http.request", "body": b"", "more_body": False}


def from_known_senders(application: Application) -> Application:
    async def looking(scope: Any, receive: Any, send: Any) -> None:
        may_send = _checks().get(scope["path"])
        if may_send is None or await _asked(may_send, scope):
            await application(scope, receive, send)
        elif await _is_thrown_away(receive):
            await application(_without_body(scope), _nothing_more(receive), send)

    return looking


@cache
def _checks() -> dict[str, Callable[[ASGIRequest], bool]]:
    return {
        reverse("verification:voicemail"): _shows_the_key,
        reverse("admin:users_pbxuser_import"): _is_an_administrators,
    }


def _shows_the_key(request: ASGIRequest) -> bool:
    shown = keys.shown_in(request)
    return bool(shown) and keys.is_right(shown)


def _is_an_administrators(request: ASGIRequest) -> bool:
    """Only look: whether they may import users is for the page to say."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    user = user_of(store(shown_key(request) or None))
    return user is not None and user.is_staff


@sync_to_async(thread_sensitive=False)
def _asked(may_send: Callable[[ASGIRequest], bool], scope: Any) -> bool:
    """Ask the database; while it is away the page itself says so, without a body."""
    try:
        return may_send(ASGIRequest(scope, io.BytesIO()))
    except AnyDatabaseError as error:
        logger.warning("files: no sender is known (%s)", type(error).__name__)
        return False
    finally:
        connection.close()


async def _is_thrown_away(receive: Any) -> bool:
    """Read the body to its end; False if the sender is gone before.

    Who hears the answer only then does not take it for a broken connection.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        more = message.get("more_body", False)
    return True


def _without_body(scope: Any) -> Any:
    headers = [each for each in scope["headers"] if each[0] not in OF_THE_BODY]
    return {**scope, "headers": headers}


def _nothing_more(receive: Any) -> Any:
    messages = [EMPTY]

    async def nothing() -> Any:
        return messages.pop() if messages else await receive()

    return nothing

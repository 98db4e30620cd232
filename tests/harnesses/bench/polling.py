"""The peer: the site, with an address that says how a login stands, asked each second.

Like the streams it stands before Django's middleware, so that only asking and being
told are compared.
"""

from __future__ import annotations

import io
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest

from pbxsite.asgi import application as site
from verification.approval.pending import pending_login

# The site's door sets Django up.
from django.conf import settings  # isort: skip
from django.contrib.auth.models import AnonymousUser  # isort: skip
from django.contrib.sessions.backends.db import SessionStore  # isort: skip
from django.db import connection  # isort: skip
# isort: skip

STATE_PATH = "/login/waiting/state/"


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != STATE_PATH:
        await site(scope, receive, send)
        return
    body = b'{"state": "%s"}' % (await state(scope)).encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@sync_to_async(thread_sensitive=False)
def state(scope: Any) -> str:
    try:
        request = ASGIRequest(scope, io.BytesIO())
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = SessionStore(cookie)
        request.user = AnonymousUser()
        login = pending_login(request)
        return login.status if login else "gone"
    finally:
        connection.close()

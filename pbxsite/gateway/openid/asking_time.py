"""The time at which the site began to ask a user for a login or for consent.

It stands in a signed mark, and only a younger login answers the request. The mark is
bound by a cookie to its browser: else a stranger could ask first, and have the login of
somebody else's morning answer a request that wants one now. It holds the request that
it is for, packed: clients' states may be long, and each page on the way to a login
would else write each of their signs as three.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase

MARK = "asked"
SALT = "pbxsite.openid.marked-requests"
# Nobody takes longer to log in.
MAX_AGE_SECONDS = 3600
# Browsers take no cookie of this name that another host of the domain sets.
COOKIE = "__Host-pbx_asked" if settings.SESSION_COOKIE_SECURE else "pbx_asked"
BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
View = Callable[..., HttpResponseBase]


class Mark(NamedTuple):
    at: float
    query: str
    browser_hash: str


def browser_of(request: HttpRequest) -> str:
    """Return the word that only this browser knows, a new one if it knows none."""
    known = request.COOKIES.get(COOKIE, "")
    return known if BROWSER.fullmatch(known) else secrets.token_urlsafe(32)


def keep_browser(response: HttpResponse, browser: str) -> None:
    response.set_cookie(
        COOKIE,
        browser,
        max_age=MAX_AGE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def with_marked_request(view: View) -> View:
    """Serve the request that a mark holds, in place of the address that brings it."""

    @wraps(view)
    def unpacking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        mark = _read(request.GET.get(MARK, ""))
        if mark:
            setattr(request, MARK, mark)
            request.GET = QueryDict(mark.query)
        return view(request, *args, **kwargs)

    return unpacking


def is_marked(request: HttpRequest) -> bool:
    return hasattr(request, MARK)


def marked_query(query: QueryDict, browser: str) -> str:
    words = urlencode([(name, str(query[name])) for name in query if name != MARK])
    mark = Mark(time.time(), words, _hash(browser))
    return urlencode({MARK: signing.dumps(mark, salt=SALT, compress=True)})


def marked_at(request: HttpRequest) -> float | None:
    mark: Mark | None = getattr(request, MARK, None)
    here = _hash(request.COOKIES.get(COOKIE, ""))
    if mark is None or mark.browser_hash != here:
        return None
    return mark.at if time.time() - mark.at <= MAX_AGE_SECONDS else None


def _read(value: str) -> Mark | None:
    try:
        return Mark(*signing.loads(value, salt=SALT))
    except (signing.BadSignature, TypeError):
        return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

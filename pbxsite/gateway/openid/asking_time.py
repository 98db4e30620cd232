"""The time at which the site began to ask a user for a login or for consent.

It stands in the authorization request as a signed mark, and only a younger login
answers the request. The mark is bound to its request, so that it helps no other one,
and by a cookie to its browser: else a stranger could ask first, and have the login of
somebody else's morning answer a request that wants one now.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, QueryDict

MARK = "asked"
SALT = "pbxsite.openid.marks"
# Nobody takes longer to log in.
MAX_AGE_SECONDS = 3600
# Browsers take no cookie of this name that another host of the domain sets.
COOKIE = "__Host-pbx_asked" if settings.SESSION_COOKIE_SECURE else "pbx_asked"
BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")


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


def marked_query(query: QueryDict, browser: str) -> str:
    mark = [time.time(), _digest(query), _hash(browser)]
    value = signing.dumps(mark, salt=SALT)
    return urlencode([*_without(query), (MARK, value)])


def marked_at(request: HttpRequest) -> float | None:
    value = request.GET.get(MARK, "")
    try:
        at, *bound = signing.loads(value, salt=SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    here = [_digest(request.GET), _hash(request.COOKIES.get(COOKIE, ""))]
    return float(at) if bound == here else None


def _without(query: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(query[name])) for name in query if name != MARK]


def _digest(query: QueryDict) -> str:
    return _hash(urlencode(sorted(_without(query))))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

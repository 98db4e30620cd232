"""The time at which the site began to ask a user for a login or for consent.

It stands in the authorization request as a signed mark, and only a younger login
answers the request. The mark is bound to its request, so that it helps no other one.
"""

from __future__ import annotations

import hashlib
import time
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest, QueryDict

MARK = "asked"
SALT = "pbxsite.openid.marks"
# Nobody takes longer to log in.
MAX_AGE_SECONDS = 3600


def marked_query(query: QueryDict) -> str:
    value = signing.dumps([time.time(), _digest(query)], salt=SALT)
    return urlencode([*_without(query), (MARK, value)])


def marked_at(request: HttpRequest) -> float | None:
    value = request.GET.get(MARK, "")
    try:
        at, digest = signing.loads(value, salt=SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    return float(at) if digest == _digest(request.GET) else None


def _without(query: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(query[name])) for name in query if name != MARK]


def _digest(query: QueryDict) -> str:
    words = urlencode(sorted(_without(query)))
    return hashlib.sha256(words.encode()).hexdigest()

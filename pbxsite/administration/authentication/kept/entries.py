"""What was entered by somebody whose session was over: kept until they log in.

The page names its reader, signed. So nobody else can leave entries, in anybody's
session, and nobody else is shown them.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from authconfig.sections import FIELDS, SECRETS
from authconfig.users.models import PbxUser
from pbxsite.administration.authentication.kept.merging import OPENED, choice_name

READER = "reader"
SALT = "settings.reader"
# A page may stay open over a weekend; what was entered waits for one login.
PAGE_TTL, ENTRY_TTL = timedelta(days=7), timedelta(hours=1)
KEPT_KEY = "settings_entries"
# Two certificates fit; a session is no place for more.
MOST_CHARACTERS = 100_000
OPEN = [name for name in FIELDS if name not in SECRETS]
KEPT = (*OPEN, OPENED, *map(choice_name, OPEN))


def reader_of(user: PbxUser) -> str:
    return signing.dumps(user.pk, salt=SALT)


def keep(request: HttpRequest) -> bool:
    """Keep what a reader of the page has posted, without its secrets."""
    reader = _reader(request.POST.get(READER, ""))
    posted = QueryDict(mutable=True)
    posted.update({name: request.POST[name] for name in KEPT if name in request.POST})
    encoded = posted.urlencode()
    if reader is None or len(encoded) > MOST_CHARACTERS:
        return False
    kept = {"reader": reader, "posted": encoded}
    request.session[KEPT_KEY] = signing.dumps(kept, salt=KEPT_KEY, compress=True)
    if not request.user.is_authenticated:
        messages.warning(request, _kept())
    return True


def taken(request: HttpRequest) -> QueryDict | None:
    """Return once what this reader had entered, as it was posted."""
    signed = request.session.pop(KEPT_KEY, "")
    try:
        kept = signing.loads(signed, salt=KEPT_KEY, max_age=ENTRY_TTL)
    except signing.BadSignature:
        return None
    if kept["reader"] != request.user.pk:
        return None
    return QueryDict(kept["posted"])


def _kept() -> str:
    return _(
        "You are no longer logged in. What you entered is kept, without passwords and"
        " secrets: log in to go on."
    )


def _reader(signed: str) -> int | None:
    try:
        return int(signing.loads(signed, salt=SALT, max_age=PAGE_TTL))
    except signing.BadSignature:
        return None

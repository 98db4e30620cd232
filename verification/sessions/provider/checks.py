"""Asks the OpenID provider whether logins still stand, and ends those that do not.

Where it gave a refresh token, that is the question. Without one, or if the provider
could not be asked for so long, a login ends after `oauth2_session_hours`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import jwt
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from authconfig.choices import Event, Method
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.oauth2.adapter import OAuth2LoginClient, token_client
from authconfig.oauth2.discovery import issuer_of
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.policy import uses
from verification.sessions.models import ProviderLogin
from verification.sessions.provider.logins import end, live_logins

logger = logging.getLogger(__name__)
# What one round asks at most, how many at once, and for how long.
MOST, AT_ONCE, ROUND_SECONDS = 1000, 8, 50.0
# While the provider is away it is asked again after so long.
RETRY = timedelta(minutes=2)
Answer = dict[str, Any] | ProviderError


def check_due() -> int:
    """Return how many sessions have ended."""
    rules = current_rules()
    ended = end_outdated(rules)
    if not uses(rules, Method.OAUTH2):
        return ended
    due = list(_due(rules))
    if not due:
        return ended
    try:
        client = token_client(rules)
    except ProviderError as error:
        logger.warning("OAuth2 logins not re-checked: %s", error)
        return ended
    return ended + _ask_all(due, client)


def end_outdated(rules: AuthenticationSettings) -> int:
    """End the sessions whose login nobody has vouched for in so many hours."""
    since = timezone.now() - timedelta(hours=rules.oauth2_session_hours)
    begun_before = live_logins().filter(created_at__lt=since)
    # Of whom it cannot be asked again, it is proved when the session began.
    proved = ProviderLogin.objects.filter(proved_at__gte=since, session__isnull=False)
    old = begun_before.exclude(pk__in=proved.values("session"))
    outdated = list(old.select_related("user")[:MOST])
    end(outdated, Event.SESSION_ENDED, "the login at the provider is too old")
    return len(outdated)


def _due(rules: AuthenticationSettings) -> QuerySet[ProviderLogin]:
    issuer = issuer_of(rules.oauth2_well_known_url)
    due = ProviderLogin.objects.filter(
        issuer__in=(issuer, f"{issuer}/"),
        session__isnull=False,
        next_check_at__lte=timezone.now(),
    )
    due = due.exclude(refresh_token="")
    return due.select_related("session__user").order_by("next_check_at")[:MOST]


def _ask_all(due: Sequence[ProviderLogin], client: OAuth2LoginClient) -> int:
    """Ask in small groups, so that little is asked in vain of a provider in trouble."""
    ended, until = 0, time.monotonic() + ROUND_SECONDS
    for start in range(0, len(due), AT_ONCE):
        if time.monotonic() > until:
            break
        mine = [login for login in due[start : start + AT_ONCE] if _claim(login)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(partial(_ask, client), mine))
        told = [_follow(*pair) for pair in zip(mine, answers, strict=True)]
        ended += told.count(True)
        if None in told:
            break
    return ended


def _claim(login: ProviderLogin) -> bool:
    """Of several workers one asks: a token that comes twice may end the login there."""
    own = ProviderLogin.objects.filter(pk=login.pk, next_check_at=login.next_check_at)
    return (
        own.update(next_check_at=timezone.now() + settings.OAUTH2_RECHECK_INTERVAL) == 1
    )


def _ask(client: OAuth2LoginClient, login: ProviderLogin) -> Answer:
    """Only talk to the provider: this runs in a thread without a database."""
    try:
        return client.refresh(login.refresh_token)
    except ProviderError as error:
        return error


def _follow(login: ProviderLogin, answer: Answer) -> bool | None:
    """Return whether the session has ended; None if nobody could say."""
    if isinstance(answer, ProviderError):
        return _follow_error(login, answer)
    if not _is_same(login, answer.get("id_token")):
        return _end(login, "the provider answers with another account")
    newer = answer.get("refresh_token")
    facts: dict[str, Any] = {"proved_at": timezone.now()}
    if isinstance(newer, str) and newer:
        facts["refresh_token"] = newer
    ProviderLogin.objects.filter(pk=login.pk).update(**facts)
    return False


def _follow_error(login: ProviderLogin, error: ProviderError) -> bool | None:
    if error.fault is ProviderFault.GRANT_OVER:
        return _end(login, str(error))
    again = timezone.now() + RETRY
    ProviderLogin.objects.filter(pk=login.pk).update(next_check_at=again)
    logger.warning("OAuth2 logins not re-checked: %s", error)
    return None


def _is_same(login: ProviderLogin, id_token: object) -> bool:
    """Core 1.0, 12.2: a new ID token is the same user's; it comes over the same TLS."""
    if not isinstance(id_token, str):
        return True
    try:
        claims = jwt.decode(id_token, options={"verify_signature": False})
    except jwt.PyJWTError:
        # It may be encrypted; nothing here rests on it.
        return True
    return (claims.get("iss"), claims.get("sub")) == (login.issuer, login.subject)


def _end(login: ProviderLogin, detail: str) -> bool:
    assert login.session is not None
    end([login.session], Event.SESSION_ENDED, detail)
    return True

"""The way of a logout token to its client: limited in time, tried again, ended.

A token is sent again where a fault may pass, and in no other case: the
client cannot be reached, has no time, or fails itself. Else it has had its say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum, auto
from http import HTTPStatus
from uuid import UUID, uuid4

import jwt
from allauth.core.internal import jwkkit
from allauth.idp.oidc.adapter import get_adapter
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from authconfig.choices import Event
from authconfig.network import Deadline, readable
from authconfig.oauth2.discovery import LimitedSession
from authconfig.oauth2.faults import AWAY, ProviderError
from authconfig.users import audit
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid.back_channel import visits
from pbxsite.gateway.openid.clients import find
from pbxsite.gateway.openid.models import Visit

logger = logging.getLogger(__name__)
EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_SECONDS = 120
# The next sweep goes on where this one stops.
RUN_SECONDS = 5.0
GIVEN_UP_AFTER = timedelta(days=1)
MAY_PASS = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


class Outcome(Enum):
    TOLD = auto()
    REFUSED = auto()
    TRY_AGAIN = auto()


def deliver_due() -> None:
    visits.note_ends()
    run = Deadline(RUN_SECONDS)
    while not run.is_over() and (visit := visits.claim()):
        _deliver(visit)


def _deliver(visit: Visit) -> None:
    openid = find(visit.client_id)
    if openid is None or not openid.back_channel_uri:
        visit.delete()
        return
    outcome, fault = _outcome(visit, openid.back_channel_uri)
    if outcome is Outcome.TOLD:
        visit.delete()
        return
    slug = openid.application.slug
    logger.warning("client %s not told of a log-out: %s", slug, fault)
    if outcome is Outcome.REFUSED:
        _give_up([visit], slug, fault)
        return
    visits.postpone(visit, fault)
    old = visits.waiting_at(visit.client_id).filter(
        ended_at__lt=timezone.now() - GIVEN_UP_AFTER
    )
    _give_up(old, slug, fault)


def _give_up(untold: Iterable[Visit], slug: str, fault: str) -> None:
    for visit in untold:
        audit.record(
            Event.CLIENT_UNTOLD,
            user=PbxUser.objects.filter(openid_subject__value=visit.subject).first(),
            detail=f"client {slug}: {fault}",
        )
        visit.delete()


def _outcome(visit: Visit, uri: str) -> tuple[Outcome, str]:
    try:
        token = logout_token(visit.client_id, visit.sid, visit.subject)
        with LimitedSession() as session:
            answer = session.post(uri, data={"logout_token": token})
    except ImproperlyConfigured:
        return Outcome.TRY_AGAIN, "no key signs: see manage.py rotatesigningkey"
    except ProviderError as error:
        is_away = error.fault in AWAY
        return (Outcome.TRY_AGAIN if is_away else Outcome.REFUSED), _words(error)
    return _of_status(answer.status_code), f"status {answer.status_code}"


def _of_status(status: int) -> Outcome:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome.TOLD
    may_pass = status in MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Outcome.TRY_AGAIN if may_pass else Outcome.REFUSED


def _words(error: ProviderError) -> str:
    name = error.fault.name.lower().replace("_", " ")
    return readable(f"{name}: {error.words}")[:200]


def logout_token(client_id: str, sid: UUID, subject: UUID) -> str:
    adapter, now = get_adapter(), int(time.time())
    claims = {
        "iss": adapter.get_issuer(),
        "aud": client_id,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": uuid4().hex,
        "events": {EVENT: {}},
        "sub": str(subject),
        "sid": sid.hex,
    }
    jwk, private_key = jwkkit.load_jwk_from_pem(adapter.get_signing_key().pem)
    headers = {"typ": "logout+jwt", "kid": jwk["kid"]}
    return jwt.encode(claims, private_key, algorithm="RS256", headers=headers)

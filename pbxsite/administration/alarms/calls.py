"""Alarms by webhook: signed JSON, tried again until somebody has it.

The form is that of the Standard Webhooks 1.0 (standardwebhooks.com): headers
webhook-id, webhook-timestamp and webhook-signature, the last an HMAC-SHA256 over the
id, the time and the body. A row is the queue: a lost broker delays a call and loses
none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.network import Deadline, database_now, readable
from authconfig.oauth2.discovery import LimitedSession
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.settings_fields.alarms import webhook_key
from pbxsite.administration.alarms.choices import News
from pbxsite.administration.alarms.models import Alarm, Call
from pbxsite.administration.findings import AlarmKind
from verification.redis_access import wake_worker

logger = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
# Longer than a call may take: a worker that died holds its call no longer.
LEASE_TTL = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(days=1)
# The next sweep goes on where this one stops.
RUN_SECONDS = 30.0


def tell(alarm: Alarm, news: News) -> None:
    """Queue a call, unless the alarm is that calls fail."""
    if current_rules().alarm_webhook_url and alarm.kind != AlarmKind.WEBHOOK:
        Call.objects.create(alarm=alarm, body=body_of(news, alarm))
        transaction.on_commit(lambda: wake_worker(make_calls))


def body_of(news: News, alarm: Alarm | None = None) -> str:
    now = database_now()
    about = (
        {
            "id": alarm.public_id.hex,
            "kind": alarm.kind,
            "about": alarm.about,
            "sentence": alarm.sentence,
            "began_at": _moment(alarm.began_at),
            "over_at": _moment(alarm.over_at) if alarm.over_at else None,
            "link": f"{settings.SITE_URL}{alarm.link}",
        }
        if alarm
        else {}
    )
    site = {"site": settings.SITE_URL, "site_name": settings.SITE_NAME}
    told = {"type": news.value, "timestamp": _moment(now), "data": site | about}
    return json.dumps(told, ensure_ascii=False)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


@shared_task
def make_calls() -> None:
    deliver_due()


def deliver_due() -> None:
    run = Deadline(RUN_SECONDS)
    while not run.is_over() and (call := _claim()):
        _deliver(call)


def _claim() -> Call | None:
    """Take the oldest call, if it is due and no other worker has it."""
    now = database_now()
    call = Call.objects.first()
    if call is None or call.due_at > now:
        return None
    same = Call.objects.filter(pk=call.pk, due_at=call.due_at)
    if not same.update(due_at=now + LEASE_TTL, tries=F("tries") + 1):
        return None
    call.tries += 1
    return call


def _deliver(call: Call) -> None:
    rules = current_rules()
    if not rules.alarm_webhook_url:
        call.delete()
        return
    fault = post(rules, call.public_id, call.body).fault
    if not fault:
        call.delete()
        return
    logger.warning("alarm %s: the webhook was not reached (%s)", call.alarm_id, fault)
    if database_now() - call.created_at > GIVEN_UP_AFTER:
        call.delete()
        return
    wait = min(FIRST_WAIT * 2 ** min(call.tries - 1, 10), LONGEST_WAIT)
    due_at = database_now() + wait
    Call.objects.filter(pk=call.pk).update(due_at=due_at, fault=fault)


@dataclass(frozen=True)
class Answer:
    """`fault` is empty if the receiver took the call; it is for the log, in English."""

    fault: str = ""
    reason: ProviderFault | None = None


def post(rules: AuthenticationSettings, call_id: UUID, body: str) -> Answer:
    try:
        headers = signed(rules.alarm_webhook_secret, call_id.hex, body)
        with LimitedSession() as session:
            answer: Any = session.post(
                rules.alarm_webhook_url, data=body.encode(), headers=headers
            )
    except ProviderError as error:
        name = error.fault.name.lower().replace("_", " ")
        return Answer(readable(f"{name}: {error.words}")[:300], error.fault)
    except ValueError:
        return Answer("no secret to sign with")
    status = answer.status_code
    is_taken = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    return Answer("" if is_taken else f"status {status}")


def signed(secret: str, call_id: str, body: str) -> dict[str, str]:
    """Return the headers; ValueError if there is no secret to sign with."""
    key, at = webhook_key(secret), str(int(time.time()))
    if not key:
        raise ValueError("no secret")
    content = f"{call_id}.{at}.{body}".encode()
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "pbxsite",
        "webhook-id": call_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }

"""Finding secrets where they should not be."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO

import pytest
from django.conf import settings as site
from django.test import Client as Browser
from redis import Redis

from authconfig.models import AuthenticationSettings
from tests.conftest import PASSWORD, Starter
from tests.support.attacks import (
    accept_by_link,
    decide_by_link,
    everything,
    link_of,
    wrong_code,
)
from tests.support.smtp_servers import Mail
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token

pytestmark = pytest.mark.django_db


def test_the_token_is_in_no_referer_that_leaves_the_site(held: LoginSession) -> None:
    page = Browser().get(link_of(held))
    html = page.content.decode()

    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html)
    assert link_token(held) not in html


def test_secrets_are_in_no_log_no_row_and_no_message(
    sent: Mail, browser: Browser, start: Starter
) -> None:
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        login = LoginSession.objects.get()
        token, code = link_token(login), approval_code(login)
        Browser().get(link_of(login))
        decide_by_link(login, "accept", wrong_code(login))
        accept_by_link(login)
        browser.post("/login/waiting/continue/")
        start(Browser(), password="another secret of Anna's")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    where = {"log": lines.getvalue(), "database": everything(), "redis": in_redis()}
    for name, text in where.items():
        for secret in (token, token.split(":")[-1], PASSWORD, "another secret"):
            assert secret not in text, name
    assert f'"{code}"' not in where["redis"]
    assert f"'{code}'" not in where["database"]


def in_redis() -> str:
    """All that the broker, the cache and the channel hold."""
    redis = Redis.from_url(site.REDIS_URL)
    kinds = {b"list": "lrange", b"set": "smembers", b"hash": "hgetall"}
    found = []
    for key in redis.scan_iter():
        kind = redis.type(key)
        if kind == b"zset" or kind == b"list":
            command = getattr(redis, "lrange" if kind == b"list" else "zrange")
            value = command(key, 0, -1)
        elif kind in kinds:
            value = getattr(redis, kinds[kind])(key)
        else:
            value = redis.get(key)
        found.append(f"{key!r} {value!r}")
    return "\n".join(found)


def test_the_broker_is_told_a_number_alone(
    two_factor: AuthenticationSettings,
    start: Starter,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        start(Browser())
    login = LoginSession.objects.get()
    told = in_redis()

    assert "deliver_mails" in told
    for secret in (link_token(login), login.public_id.hex, "anna@example.com"):
        assert secret not in told

"""What Celery publishes, and tools such as Flower show: names of tasks, and keys."""

from __future__ import annotations

import base64
import inspect
import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser
from redis import Redis

from authconfig.models import AuthenticationSettings
from pbxsite.celery import app
from tests.conftest import PASSWORD, Starter
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token

# No module of tasks is left out.
app.autodiscover_tasks(force=True)
OWN = sorted(name for name in app.tasks if not name.startswith("celery."))


def published() -> list[str]:
    """Read all messages, with their bodies as text."""
    redis = Redis.from_url(settings.REDIS_URL)
    messages = [json.loads(raw) for raw in redis.lrange("celery", 0, -1)]
    for message in messages:
        message["body"] = base64.b64decode(message["body"]).decode()
    return [json.dumps(message) for message in messages]


@pytest.mark.django_db
def test_a_login_publishes_no_secret_and_nobodys_name(
    two_factor: AuthenticationSettings,
    start: Starter,
    browser: Browser,
    django_capture_on_commit_callbacks: Any,
) -> None:
    Redis.from_url(settings.REDIS_URL).delete("celery")

    with django_capture_on_commit_callbacks(execute=True):
        start(browser)

    (message,) = published()
    login = LoginSession.objects.get()
    secrets = [
        *("anna", "Anna Berg", "example.com", PASSWORD),
        *(link_token(login), f'"{approval_code(login)}"', str(login.public_id)),
        *(browser.session.session_key, login.auth_hash),
    ]
    assert "verification.mail.sending.deliver_mails" in message
    for secret in secrets:
        assert secret not in message
    body = json.loads(json.loads(message)["body"])
    assert body[:2] == [[], {}]


@pytest.mark.parametrize("name", OWN)
def test_a_task_is_told_a_primary_key_at_most_and_returns_nothing(name: str) -> None:
    task = app.tasks[name]

    assert set(inspect.signature(task.run).parameters) <= {"pk"}
    assert inspect.signature(task.run).return_annotation == "None"
    assert task.ignore_result
    assert app.conf.result_backend is None

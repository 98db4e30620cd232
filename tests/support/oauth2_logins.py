"""A browser that logs in with OAuth2, and what it sees when it is refused."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass
from typing import Any

from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import AuditEvent
from tests.support.scripted_provider import Scripted


@dataclass(frozen=True)
class FromNow:
    """A time that is read when the test runs, not when it is collected."""

    seconds: int


def timed(claims: dict[str, Any]) -> dict[str, Any]:
    return {
        name: int(time.time()) + value.seconds if isinstance(value, FromNow) else value
        for name, value in claims.items()
    }


def start(browser: Browser) -> Any:
    return browser.post("/login/oauth2/", follow=True)


def leads_to(page: Any) -> str:
    found = re.search(r'id="lead-on" href="([^"]+)"', page.content.decode())
    assert found, page.content
    return html.unescape(found[1])


def come_back(browser: Browser, address: str) -> Any:
    return browser.get(address.removeprefix("http://127.0.0.1:8000"), follow=True)


def log_in(browser: Browser, script: Scripted) -> Any:
    return come_back(browser, script.log_in(leads_to(start(browser))))


def is_signed_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def assert_refused(page: Any, browser: Browser, why: str) -> None:
    """Nobody is logged in; the page says it in a sentence that the audit log knows."""
    assert page.status_code == 200
    assert not is_signed_in(browser)
    assert not ProviderIdentity.objects.exists()
    text = html.unescape(page.content.decode())
    reference = re.search(r"Reference: (\w+)", text)
    assert reference, text
    event = AuditEvent.objects.get(event=Event.LOGIN_FAILED)
    assert event.detail.startswith(f"{reference[1]}: ")
    assert why in event.detail, event.detail
    assert (event.kind, event.method) == ("myapps", "oauth2")

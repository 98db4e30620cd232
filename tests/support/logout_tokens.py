"""Logout tokens, and whoever posts them."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
from django.test import Client as Browser

from authconfig.oauth2.logout_tokens import EVENT
from tests.support.scripted_provider import Scripted, key_id

PATH = "/login/oauth2/logout/"


def logout_token(script: Scripted, changes: dict[str, Any], **words: Any) -> str:
    """Sign a right token with these changes of its claims; None takes one away."""
    now = int(time.time())
    right = {
        "iss": script.issuer,
        "aud": "pbx",
        "iat": now,
        "exp": now + 120,
        "jti": uuid.uuid4().hex,
        "events": {EVENT: {}},
        "sub": "1",
    }
    claims = {k: v for k, v in (right | changes).items() if v is not None}
    usual: dict[str, Any] = {
        "key": script.signs_with,
        "algorithm": "RS256",
        "headers": {"kid": key_id(script.signs_with), "typ": "logout+jwt"},
    }
    return jwt.encode(claims, **(usual | words))


def post(token: str) -> Any:
    """A provider has no cookie and no origin of ours."""
    browser = Browser(enforce_csrf_checks=True)
    return browser.post(PATH, {"logout_token": token})

"""What the site says before a login, from the rules alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.policy import methods_for, offers_new_password
from pbxsite.gateway.myapps.wire import Message

DIGEST, OAUTH2 = "digest", "oauth2"


def domain_of(rules: AuthenticationSettings) -> str:
    """Return what the digests name: the PBX's own domain, else the site's host."""
    return rules.pbx_domain or urlsplit(settings.SITE_URL).hostname or ""


def allows_digest(rules: AuthenticationSettings) -> bool:
    allowed = Method.PASSWORD in methods_for(rules, Kind.MYAPPS)
    return allowed and getattr(rules, "myapps_digest_logins", False)


def allows_oauth2(rules: AuthenticationSettings) -> bool:
    return Method.OAUTH2 in methods_for(rules, Kind.MYAPPS)


def login_info(rules: AuthenticationSettings) -> Message:
    """NTLM is never offered: its response is a key to the Windows password."""
    user: dict[str, Any] = {
        DIGEST: allows_digest(rules),
        "ntlm": False,
        OAUTH2: allows_oauth2(rules),
    }
    if user[OAUTH2]:
        user["oauth2Name"] = rules.oauth2_provider_name
    return {"mt": "LoginInfoResult", "user": user, "session": {DIGEST: True}}


def update_register(rules: AuthenticationSettings) -> Message:
    """Nobody signs up here: administrators make the users."""
    message: Message = {"mt": "UpdateRegister"}
    if offers_new_password(rules, Kind.MYAPPS):
        message["reset"] = settings.SITE_URL + reverse("verification:forgotten")
    return message

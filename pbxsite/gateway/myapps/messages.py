"""What a client says to log in, and what the site answers from the rules alone."""

from __future__ import annotations

import io
import re
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.urls import reverse

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.policy import methods_for, offers_digest, offers_new_password
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps.models import ClientSession
from pbxsite.gateway.myapps.news import user_facts
from pbxsite.gateway.myapps.proofs import Asked, hidden, result_digest
from pbxsite.gateway.myapps.wire import Message, to_json

USER, SESSION = "user", "session"
DIGEST, OAUTH2 = "digest", "oauth2"
METHODS = ("", DIGEST, OAUTH2, "ntlm")
SCHEMES = {"ws": "http", "wss": "https"}
LONGEST_NAME = 300
# What each member of a Login may be; "" where it is not there.
MEMBERS = {
    "type": re.compile(f"{USER}|{SESSION}"),
    "method": re.compile("|".join(METHODS)),
    "username": re.compile(rf"[^\0]{{0,{LONGEST_NAME}}}"),
    "nonce": re.compile(r"([0-9A-Fa-f]{16,128})?"),
    "response": re.compile(r"([0-9A-Fa-f]{64})?"),
    "keyShare": re.compile(r"([0-9A-Fa-f]{128})?"),
    "userAgent": re.compile(r".*", re.DOTALL),
}


class LoginRequest(NamedTuple):
    type: str
    method: str
    username: str
    nonce: str
    response: str
    key_share: str
    user_agent: str

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """Return what the client asks for; None if a member is not as it has to be."""
        values = [message.get(name) or "" for name in MEMBERS]
        for value, form in zip(values, MEMBERS.values(), strict=True):
            if not isinstance(value, str) or not form.fullmatch(value):
                return None
        return cls(*values)

    @property
    def brings_key(self) -> bool:
        return bool(self.method == OAUTH2 and self.key_share and self.nonce)


def echo(message: Message) -> Message:
    """What a request calls itself comes back with its answer."""
    return {"src": message["src"]} if isinstance(message.get("src"), str) else {}


def request_of(scope: Any, method: str = "GET") -> ASGIRequest:
    """Return the opening handshake as what it is, a GET (RFC 6455, 4.1)."""
    as_http = {"type": "http", "method": method, "scheme": SCHEMES[scope["scheme"]]}
    return ASGIRequest({**scope, **as_http}, io.BytesIO())


def login_request(scope: Any, user_agent: str) -> ASGIRequest:
    """Return a login as the form would have it, for limits and the audit log.

    It is a POST: allauth limits no GET.
    """
    request = request_of(scope, "POST")
    request.user = AnonymousUser()
    request.META["HTTP_USER_AGENT"] = user_agent
    return request


def method_for(wanted: str, rules: AuthenticationSettings) -> str:
    """Return how a user may log in who wants to by this method, or by any; else ""."""
    offered = {DIGEST: offers_digest(rules), OAUTH2: allows_oauth2(rules)}
    allowed = [method for method in offered if offered[method]]
    return next((method for method in allowed if wanted in ("", method)), "")


def domain_of(rules: AuthenticationSettings) -> str:
    """Return what the digests name: the PBX's own domain, else the site's host."""
    return rules.pbx_domain or urlsplit(settings.SITE_URL).hostname or ""


def allows_oauth2(rules: AuthenticationSettings) -> bool:
    return Method.OAUTH2 in methods_for(rules, Kind.MYAPPS)


def login_info(rules: AuthenticationSettings) -> Message:
    """NTLM is never offered: its response is a key to the Windows password."""
    user: dict[str, Any] = {
        DIGEST: offers_digest(rules),
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


def login_result(
    asked: Asked,
    secret: str,
    user: PbxUser,
    made: ClientSession | None = None,
    key_share: str = "",
) -> Message:
    """Tell of a login that succeeded; `made` is the session that began with it."""
    info: Message = {"user": {"domain": asked.domain, **user_facts(user)}}
    if made:
        parts = (("usr", made.public_id), ("pwd", made.password))
        info["session"] = {
            what: hidden(what, asked.nonce, secret, text) for what, text in parts
        }
    if key_share:
        info["keyShare"] = key_share
    digest = result_digest(asked, secret, to_json(info))
    return {"mt": "LoginResult", "info": info, "digest": digest}

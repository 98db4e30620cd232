"""An administrator's visit at the provider: what is kept of it in their session."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from authconfig.fields import decrypted, encrypted
from authconfig.models import AuthenticationSettings
from authconfig.smtp_login.modes import mode_of
from verification.mail.oauth2.configuration import Configuration, unpacked

KEPT_KEY = "smtp_authorization"
LONGEST_SECONDS = 600
CALLBACK = "smtp_oauth2_callback"


@dataclass(frozen=True)
class Visit:
    """The session holds it encrypted: the configuration has secrets."""

    configuration: str
    verifier: str
    state: str
    mailbox: str
    is_shared: bool
    user: int
    began_at: float

    @property
    def nonce(self) -> str:
        """The nonce follows from PKCE's secret, so it needs no place of its own."""
        return hashlib.sha256(f"nonce:{self.verifier}".encode()).hexdigest()

    @property
    def is_over(self) -> bool:
        return time.time() - self.began_at > LONGEST_SECONDS

    def asked_with(self) -> Configuration:
        return unpacked(self.configuration)


def redirect_uri() -> str:
    """The site's own address counts, never the Host header."""
    return f"{settings.SITE_URL}{reverse(CALLBACK)}"


def begin(
    request: HttpRequest, rules: AuthenticationSettings, configuration: Configuration
) -> str:
    """Keep a new visit in the session; return the provider's address to ask at."""
    challenge = generate_code_challenge()
    visit = Visit(
        configuration=configuration.packed(),
        verifier=challenge["code_verifier"],
        state=secrets.token_urlsafe(32),
        mailbox=rules.smtp_username,
        is_shared=rules.smtp_oauth2_shared_mailbox,
        user=request.user.pk or 0,
        began_at=time.time(),
    )
    request.session[KEPT_KEY] = encrypted(json.dumps(asdict(visit)))
    return _address(rules, configuration, visit, challenge["code_challenge"].decode())


def take(request: HttpRequest) -> Visit | None:
    """Return the visit that the answer belongs to, once; None if it is of no such one.

    An answer that is not of this browser, user or visit leaves the visit as it was.
    """
    try:
        visit = Visit(**json.loads(decrypted(request.session.get(KEPT_KEY, ""))))
    except (InvalidToken, ValueError):
        return None
    state = request.GET.get("state", "")
    is_its = constant_time_compare(visit.state, state) and visit.user == request.user.pk
    if not is_its:
        return None
    del request.session[KEPT_KEY]
    return None if visit.is_over else visit


def _address(
    rules: AuthenticationSettings,
    configuration: Configuration,
    visit: Visit,
    challenge: str,
) -> str:
    mode = mode_of(rules)
    known = mode.provider.authorize_parameters if mode and mode.provider else {}
    # Who sends for a shared mailbox logs in under another name.
    hint = {} if visit.is_shared else {"login_hint": visit.mailbox}
    own = {
        "response_type": "code",
        "client_id": configuration.client_id,
        "redirect_uri": redirect_uri(),
        "scope": configuration.scope,
        "state": visit.state,
        "nonce": visit.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    parts = urlsplit(configuration.authorize_url)
    query = dict(parse_qsl(parts.query)) | hint | known | configuration.further | own
    return parts._replace(query=urlencode(query)).geturl()

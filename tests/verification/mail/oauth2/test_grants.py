"""Each grant, with each way to show the client, at a certified provider."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest

from authconfig.choices import OAuth2Grant
from pbxsite.administration.authentication.smtp_login.visit import redirect_uri
from tests.support.mail_provider import MAILBOX, MailProvider
from verification.mail.oauth2 import assertions, endpoint
from verification.mail.oauth2.configuration import ClientShows, Configuration
from verification.mail.oauth2.endpoint import Tokens
from verification.mail.oauth2.faults import TokenError, TokenFault

VERIFIER = "a-verifier-of-pkce-that-is-long-enough-for-rfc-7636"
WITH_A_CLIENT = [ClientShows.POST, ClientShows.BASIC, ClientShows.KEY]
UNATTENDED = [
    OAuth2Grant.CLIENT_CREDENTIALS,
    OAuth2Grant.PASSWORD,
    OAuth2Grant.JWT_BEARER,
]


def authorize(
    provider: MailProvider, configuration: Configuration, mailbox: str = MAILBOX
) -> Tokens:
    """Go to the provider's page as an administrator does, and exchange the code."""
    challenge = hashlib.sha256(VERIFIER.encode()).digest()
    query = {
        "client_id": configuration.client_id,
        "redirect_uri": redirect_uri(),
        "response_type": "code",
        "scope": "openid email offline_access smtp",
        "prompt": "consent",
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    url = f"{configuration.authorize_url}?{urlencode(query)}"
    back = parse_qs(urlsplit(provider.log_in(url, mailbox)).query)
    return endpoint.exchange_code(
        configuration,
        code=back["code"][0],
        redirect_uri=redirect_uri(),
        code_verifier=VERIFIER,
    )


@pytest.mark.parametrize("shows", WITH_A_CLIENT)
@pytest.mark.parametrize("grant", UNATTENDED)
def test_a_grant_without_anybody_brings_the_mailboxs_token(
    mail_provider: MailProvider, grant: OAuth2Grant, shows: ClientShows
) -> None:
    found = endpoint.ask(mail_provider.configuration(grant, shows))

    assert mail_provider.introspect(found.access_token)["mailbox"] == MAILBOX
    assert (found.seconds, found.scope, found.refresh_token) == (3600, "smtp", "")


@pytest.mark.parametrize("shows", [*WITH_A_CLIENT, ClientShows.NOTHING])
def test_an_administrators_visit_brings_tokens_that_renew(
    mail_provider: MailProvider, shows: ClientShows
) -> None:
    changes = {"client_shows": ClientShows.POST} if shows == "nothing" else {}
    configuration = mail_provider.configuration(
        OAuth2Grant.AUTHORIZATION_CODE, shows, **changes
    )

    found = authorize(mail_provider, configuration)
    newer = endpoint.refresh(configuration, found.refresh_token)

    claims = jwt.decode(found.id_token, options={"verify_signature": False})
    assert claims["sub"] == MAILBOX
    assert newer.refresh_token not in ("", found.refresh_token)
    assert mail_provider.introspect(newer.access_token)["mailbox"] == MAILBOX


@pytest.mark.parametrize("shows", WITH_A_CLIENT)
def test_the_provider_says_why_it_knows_no_such_client(
    mail_provider: MailProvider, shows: ClientShows
) -> None:
    right = mail_provider.configuration(shows=shows)
    wrong = replace(right, client_secret="another secret", client_id="mail-server")

    with pytest.raises(TokenError, match="invalid_client") as raised:
        endpoint.ask(wrong)

    assert raised.value.fault is TokenFault.CLIENT
    assert "another secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("grant", "changes", "fault"),
    [
        (OAuth2Grant.PASSWORD, {"resource_owner_password": "wrong"}, TokenFault.OWNER),
        (OAuth2Grant.JWT_BEARER, {"issuer": "stranger"}, TokenFault.ASSERTION),
        (OAuth2Grant.PASSWORD, {"scope": "everything"}, TokenFault.SCOPE),
        (OAuth2Grant.JWT_BEARER, {"private_key": "no key"}, TokenFault.BAD_KEY),
    ],
)
def test_a_refused_grant_is_told_by_what_was_shown(
    mail_provider: MailProvider,
    grant: OAuth2Grant,
    changes: dict[str, str],
    fault: TokenFault,
) -> None:
    with pytest.raises(TokenError) as raised:
        endpoint.ask(mail_provider.configuration(grant, **changes))

    assert raised.value.fault is fault
    assert raised.value.is_for_good
    assert raised.value.remedy


def test_a_refresh_token_that_was_used_ends_the_authorization(
    mail_provider: MailProvider,
) -> None:
    configuration = mail_provider.configuration(OAuth2Grant.AUTHORIZATION_CODE)
    found = authorize(mail_provider, configuration)
    endpoint.refresh(configuration, found.refresh_token)

    with pytest.raises(TokenError, match="invalid_grant") as raised:
        endpoint.refresh(configuration, found.refresh_token)

    assert raised.value.fault is TokenFault.GRANT


@pytest.mark.parametrize("minutes", [-1, 1])
@pytest.mark.parametrize("shows", [ClientShows.POST, ClientShows.KEY])
def test_the_clock_may_be_wrong_by_a_minute(
    mail_provider: MailProvider,
    monkeypatch: pytest.MonkeyPatch,
    shows: ClientShows,
    minutes: int,
) -> None:
    moment = time.time() + 60 * minutes
    monkeypatch.setattr(assertions, "time", SimpleNamespace(time=lambda: moment))

    found = endpoint.ask(mail_provider.configuration(OAuth2Grant.JWT_BEARER, shows))

    assert mail_provider.introspect(found.access_token)["mailbox"] == MAILBOX

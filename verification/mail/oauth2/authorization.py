"""What an administrator's visit at the provider brings, and how it is forgotten."""

from __future__ import annotations

from django.utils import timezone

from verification.mail.oauth2 import renewal
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.endpoint import Tokens, exchange_code
from verification.mail.oauth2.faults import TokenError, TokenFault
from verification.mail.oauth2.keeping import copies
from verification.mail.oauth2.models import KeptToken

__all__ = [
    "Tokens",
    "authorized_as",
    "exchange_code",
    "forget_authorization",
    "keep_authorization",
]


def keep_authorization(
    configuration: Configuration, tokens: Tokens, *, account: str
) -> None:
    """Keep what the code brought; `account` is whom the provider names, or empty.

    Raises TokenError if it holds nothing to renew the token with: the mails would stop
    when it ends.
    """
    if not tokens.refresh_token:
        raise TokenError(TokenFault.NO_REFRESH)
    facts = {
        "refresh_token": tokens.refresh_token,
        "account": account[:254],
        "authorized_at": timezone.now(),
    }
    stored = None
    # A worker may be renewing the older authorization; this one is what counts.
    while stored is None or stored.refresh_token != tokens.refresh_token:
        row = renewal.row_of(configuration)
        stored = renewal.store(configuration, row, tokens, **facts)
    copies.forget()


def forget_authorization(configuration: Configuration) -> bool:
    """Return whether there was one."""
    rows = KeptToken.objects.filter(key=configuration.key)
    copies.forget()
    return rows.exclude(refresh_token="").delete()[0] > 0


def authorized_as(configuration: Configuration) -> str | None:
    """Return the account that was authorized; None if none was, "" if nobody told."""
    rows = KeptToken.objects.filter(key=configuration.key).exclude(refresh_token="")
    return rows.values_list("account", flat=True).first()

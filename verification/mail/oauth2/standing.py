"""How the token stands, for pages, the overview and the alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from authconfig.choices import OAuth2Grant
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.faults import TokenError, TokenFault
from verification.mail.oauth2.models import KeptToken


@dataclass(frozen=True)
class Standing:
    """`words` are the provider's; `is_for_good`: no mail goes out until it is mended.

    `serves_until` is when the present token ends: until then mails go out even so.
    """

    is_authorized: bool
    account: str = ""
    authorized_at: datetime | None = None
    obtained_at: datetime | None = None
    serves_until: datetime | None = None
    scope: str = ""
    fault: TokenFault | None = None
    words: str = ""
    remedy: str = ""
    since: datetime | None = None
    is_for_good: bool = False

    @property
    def is_well(self) -> bool:
        return self.fault is None


def standing_of(configuration: Configuration) -> Standing:
    row = KeptToken.objects.filter(key=configuration.key).first()
    needs_somebody = configuration.grant == OAuth2Grant.AUTHORIZATION_CODE
    if row is None:
        row = KeptToken()
    error = _error(configuration, row)
    return Standing(
        is_authorized=not needs_somebody or bool(row.refresh_token),
        account=row.account,
        authorized_at=row.authorized_at,
        obtained_at=row.obtained_at,
        serves_until=row.expires_at if row.serves else None,
        scope=row.scope,
        fault=error.fault if error else None,
        words=error.words if error else "",
        remedy=error.remedy if error else "",
        since=row.failed_at,
        is_for_good=bool(error and error.is_for_good),
    )


def _error(configuration: Configuration, row: KeptToken) -> TokenError | None:
    """A failure with other values says nothing of the present ones."""
    if row.fault and row.failed_with == configuration.proof:
        return TokenError(TokenFault[row.fault], row.words)
    if configuration.grant == OAuth2Grant.AUTHORIZATION_CODE and not row.refresh_token:
        return TokenError(TokenFault.NOT_AUTHORIZED)
    return None

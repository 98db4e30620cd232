"""What can go wrong on the way to an access token, in words."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from authconfig.network import readable

if TYPE_CHECKING:  # the stubs are not there in production
    from django_stubs_ext import StrPromise


class TokenFault(Enum):
    UNREACHABLE = auto()
    TIMEOUT = auto()
    PROVIDER_BUSY = auto()  # the provider says so, or fails by itself
    NOT_OAUTH2 = auto()  # a page, another service, nonsense
    WAITED = auto()  # for another worker, in vain
    INCOMPLETE = auto()  # the settings lack something
    NOT_AUTHORIZED = auto()  # nobody has authorized this site yet
    NO_REFRESH = auto()  # the authorization would end with its first token
    BAD_KEY = auto()
    CLIENT = auto()
    GRANT = auto()
    OWNER = auto()  # the name or password of the resource owner
    ASSERTION = auto()  # what this site signed instead of a password
    INTERRUPTED = auto()  # a renewal that broke off may have lost a refresh token
    INTERACTION = auto()
    SCOPE = auto()
    REQUEST = auto()


# These pass by themselves, most likely; the others wait for an administrator.
PASSING = {
    TokenFault.UNREACHABLE,
    TokenFault.TIMEOUT,
    TokenFault.PROVIDER_BUSY,
    TokenFault.NOT_OAUTH2,
    TokenFault.WAITED,
}
REMEDIES: dict[TokenFault, StrPromise] = {
    TokenFault.UNREACHABLE: _(
        "The OAuth2 provider cannot be reached from here. Check the token endpoint and"
        " the network of the machine that this site runs on. The e-mails wait."
    ),
    TokenFault.TIMEOUT: _(
        "The OAuth2 provider did not answer in time. The e-mails wait; if it stays so,"
        " ask its operator."
    ),
    TokenFault.PROVIDER_BUSY: _(
        "The OAuth2 provider has a fault of its own, or was asked too often. The"
        " e-mails wait; if it stays so, ask its operator."
    ),
    TokenFault.NOT_OAUTH2: _(
        "What answers at the token endpoint does not speak OAuth2. Check the token"
        " endpoint, and whether a proxy stands between this site and the provider."
    ),
    TokenFault.WAITED: _(
        "Another worker was asking the OAuth2 provider and has not finished. The"
        " e-mail is tried again soon."
    ),
    TokenFault.INCOMPLETE: _(
        "The login by OAuth2 is not complete. Fill in what is named on the page"
        " “Authentication”."
    ),
    TokenFault.NOT_AUTHORIZED: _(
        "Nobody has authorized this site at the OAuth2 provider yet. Press “Authorize”"
        " on the page “Authentication”."
    ),
    TokenFault.NO_REFRESH: _(
        "The OAuth2 provider gave no refresh token, so the authorization would end"
        " soon. Add the scope that asks for one (often offline_access), or let the"
        " client have refresh tokens at the provider."
    ),
    TokenFault.BAD_KEY: _(
        "The private key or the certificate cannot be used. Paste it again as PEM text,"
        " and check that the algorithm is of its kind."
    ),
    TokenFault.CLIENT: _(
        "The OAuth2 provider does not accept this site as its client. Check client ID"
        " and client secret (or the private key): a secret may have expired. Make a"
        " new one at the provider and enter it."
    ),
    TokenFault.GRANT: _(
        "The OAuth2 provider gives this site no token any more: the authorization was"
        " withdrawn, has ended or is void. Authorize this site again on the page"
        " “Authentication”, or correct what the provider names."
    ),
    TokenFault.OWNER: _(
        "The OAuth2 provider does not accept the resource owner. Check his name and"
        " password, and whether the provider allows this login without a second"
        " factor."
    ),
    TokenFault.ASSERTION: _(
        "The OAuth2 provider does not accept what this site signed. Check the client"
        " e-mail, the private key with its ID and the mailbox, and the clock of the"
        " machine that this site runs on."
    ),
    TokenFault.INTERRUPTED: _(
        "A worker ended while it renewed the authorization, and the provider takes no"
        " refresh token twice. Press “Authorize” on the page “Authentication” again."
    ),
    TokenFault.INTERACTION: _(
        "The OAuth2 provider wants somebody to log in or to consent there. Press"
        " “Authorize” on the page “Authentication” again, or have an administrator of"
        " the provider consent."
    ),
    TokenFault.SCOPE: _(
        "The OAuth2 provider does not grant the scope. Correct the scope, and allow it"
        " for this client at the provider."
    ),
    TokenFault.REQUEST: _(
        "The OAuth2 provider refuses the request. Check the settings of the login by"
        " OAuth2 against what it says."
    ),
}
# RFC 6749, 5.2; OpenID Connect Core 1.0, 3.1.2.6; the last are of Microsoft and Google.
FAULT_OF_ERROR = {
    "invalid_client": TokenFault.CLIENT,
    "unauthorized_client": TokenFault.CLIENT,
    "invalid_grant": TokenFault.GRANT,
    "access_denied": TokenFault.GRANT,
    "invalid_scope": TokenFault.SCOPE,
    "invalid_target": TokenFault.SCOPE,
    "interaction_required": TokenFault.INTERACTION,
    "login_required": TokenFault.INTERACTION,
    "consent_required": TokenFault.INTERACTION,
    "account_selection_required": TokenFault.INTERACTION,
    "temporarily_unavailable": TokenFault.PROVIDER_BUSY,
    "server_error": TokenFault.PROVIDER_BUSY,
    "slow_down": TokenFault.PROVIDER_BUSY,
    "rate_limit_exceeded": TokenFault.PROVIDER_BUSY,
    "internal_failure": TokenFault.PROVIDER_BUSY,
    "admin_policy_enforced": TokenFault.INTERACTION,
    "org_internal": TokenFault.CLIENT,
    "deleted_client": TokenFault.CLIENT,
    "disabled_client": TokenFault.CLIENT,
}
# Entra ID says these beside an error that is less exact.
FAULT_OF_SUBERROR = {
    "consent_required": TokenFault.INTERACTION,
    "basic_action": TokenFault.INTERACTION,
    "additional_action": TokenFault.INTERACTION,
    "message_only": TokenFault.INTERACTION,
    "user_password_expired": TokenFault.OWNER,
}


class TokenError(Exception):
    """`words` are the provider's own, or what was found instead; no secret in them."""

    def __init__(self, fault: TokenFault, words: str = "") -> None:
        self.fault, self.words = fault, readable(words)
        super().__init__(f"{fault.name}: {self.words}")

    @property
    def is_for_good(self) -> bool:
        return self.fault not in PASSING

    @property
    def remedy(self) -> str:
        return str(REMEDIES[self.fault])

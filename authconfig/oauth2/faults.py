"""What can go wrong with an OpenID provider, in words."""

from __future__ import annotations

from enum import Enum, auto

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ProviderFault(Enum):
    # Reaching the provider.
    UNREACHABLE = auto()
    NAME_UNKNOWN = auto()
    REFUSED = auto()
    TIMEOUT = auto()
    SERVER_ERROR = auto()
    TOO_LARGE = auto()
    REDIRECTED = auto()
    NOT_JSON = auto()
    RESTING = auto()
    # The provider's configuration.
    WRONG_ISSUER = auto()
    MANY_TENANTS = auto()
    NO_ENDPOINT = auto()
    CLEAR_TEXT = auto()
    NO_KEYS = auto()
    NO_PKCE = auto()
    NO_CODE_FLOW = auto()
    NO_CLIENT_WAY = auto()
    PUSHED_REQUEST = auto()
    SIGNED_REQUEST = auto()
    NO_ALGORITHM = auto()
    # What the provider says of a user.
    NO_CODE = auto()
    CODE_REFUSED = auto()
    GRANT_OVER = auto()
    NO_ID_TOKEN = auto()
    BAD_ID_TOKEN = auto()
    ALGORITHM = auto()
    ENCRYPTED = auto()
    SIGNED = auto()
    OTHER_SUBJECT = auto()
    OTHER_ISSUER = auto()
    NO_UPN = auto()
    UNVERIFIED_EMAIL = auto()
    # What this site makes of it.
    CANCELLED = auto()
    NOT_ASKED = auto()
    LOGGED_OUT = auto()
    NOT_ALLOWED = auto()
    NO_USER = auto()
    INACTIVE = auto()
    OTHER_IDENTITY = auto()
    ADMINISTRATOR = auto()
    OTHER_PERSON = auto()


WORDS: dict[ProviderFault, str | Promise] = {
    ProviderFault.UNREACHABLE: _("the provider cannot be reached"),
    ProviderFault.NAME_UNKNOWN: _("the DNS does not know the provider's name"),
    ProviderFault.REFUSED: _("the provider takes no connection at this port"),
    ProviderFault.TIMEOUT: _("the provider does not answer in time"),
    ProviderFault.SERVER_ERROR: _("the provider answers with a fault of its own"),
    ProviderFault.TOO_LARGE: _("the provider's answer is larger than 512 KiB"),
    ProviderFault.REDIRECTED: _("the provider leads to another address"),
    ProviderFault.NOT_JSON: _(
        "the provider's answer is not what OpenID Connect asks for"
    ),
    ProviderFault.RESTING: _(
        "the provider did not answer a moment ago and is not asked again"
    ),
    ProviderFault.WRONG_ISSUER: _(
        "the issuer is not the one of the configured address"
    ),
    ProviderFault.MANY_TENANTS: _("the issuer is one for many organisations"),
    ProviderFault.NO_ENDPOINT: _("the provider's configuration lacks an address"),
    ProviderFault.CLEAR_TEXT: _("an address of the provider is not https"),
    ProviderFault.NO_KEYS: _("the provider has no key that can be used"),
    ProviderFault.NO_PKCE: _("the provider does not offer PKCE with S256"),
    ProviderFault.NO_CODE_FLOW: _(
        "the provider does not offer the authorization code in the address"
    ),
    ProviderFault.NO_CLIENT_WAY: _(
        "the provider takes no client secret, neither by Basic nor by post"
    ),
    ProviderFault.PUSHED_REQUEST: _("the provider requires pushed requests (PAR)"),
    ProviderFault.SIGNED_REQUEST: _("the provider requires signed requests (JAR)"),
    ProviderFault.NO_ALGORITHM: _(
        "the provider signs by no algorithm that this site takes"
    ),
    ProviderFault.NO_CODE: _("the provider refused the login"),
    ProviderFault.CODE_REFUSED: _("the provider does not exchange the code"),
    ProviderFault.GRANT_OVER: _("the provider vouches for this login no more"),
    ProviderFault.LOGGED_OUT: _("the provider has ended the login meanwhile"),
    ProviderFault.NO_ID_TOKEN: _(
        "the provider sent no ID token; is openid in the scope?"
    ),
    ProviderFault.BAD_ID_TOKEN: _("the ID token is not valid"),
    ProviderFault.ALGORITHM: _(
        "the ID token is not valid here: it is signed by another algorithm"
    ),
    ProviderFault.ENCRYPTED: _("the provider's answer is encrypted"),
    ProviderFault.SIGNED: _("the provider answers with a signed UserInfo"),
    ProviderFault.OTHER_SUBJECT: _(
        "UserInfo tells of another subject than the ID token"
    ),
    ProviderFault.OTHER_ISSUER: _("the answer is another issuer's"),
    ProviderFault.NO_UPN: _("the claim that names the user is missing"),
    ProviderFault.UNVERIFIED_EMAIL: _(
        "the e-mail address is not verified by the provider"
    ),
    ProviderFault.CANCELLED: _("cancelled at the provider"),
    ProviderFault.NOT_ASKED: _(
        "no login was started in this browser, or it was used already"
    ),
    ProviderFault.NOT_ALLOWED: _("OAuth2 is not allowed by the authentication type"),
    ProviderFault.NO_USER: _("there is no PBX user of this name"),
    ProviderFault.INACTIVE: _("the PBX user is not active"),
    ProviderFault.OTHER_IDENTITY: _("the PBX user is bound to another account there"),
    ProviderFault.ADMINISTRATOR: _(
        "an administrator's account has to be connected first"
    ),
    ProviderFault.OTHER_PERSON: _("the account there is another user's"),
}
# Of these a provider is likely to recover; what is kept of it may be used meanwhile.
AWAY = (
    ProviderFault.UNREACHABLE,
    ProviderFault.NAME_UNKNOWN,
    ProviderFault.REFUSED,
    ProviderFault.TIMEOUT,
    ProviderFault.SERVER_ERROR,
)
LATER = _(
    "%(provider)s does not answer at present. Try again later, or log in another way if"
    " one is offered."
)
REFUSED = _("The answer of %(provider)s was not accepted. Please log in again.")
NOBODY = _(
    "Your account at %(provider)s is not known here. Ask the administrator of your"
    " telephone system."
)
SENTENCES: dict[ProviderFault, str | Promise] = {
    **dict.fromkeys(AWAY, LATER),
    ProviderFault.TOO_LARGE: LATER,
    ProviderFault.RESTING: LATER,
    ProviderFault.CANCELLED: _("The login at %(provider)s was cancelled."),
    ProviderFault.NOT_ASKED: _(
        "This login was used already, or took too long. Start again."
    ),
    ProviderFault.NOT_ALLOWED: _(
        "Logging in with %(provider)s is not offered any more."
    ),
    ProviderFault.NO_USER: NOBODY,
    ProviderFault.INACTIVE: NOBODY,
    ProviderFault.NO_UPN: NOBODY,
    ProviderFault.UNVERIFIED_EMAIL: NOBODY,
    ProviderFault.OTHER_IDENTITY: NOBODY,
    ProviderFault.OTHER_PERSON: _(
        "The account that you chose at %(provider)s belongs to another user."
    ),
    ProviderFault.ADMINISTRATOR: _(
        "As an administrator, connect your account first: log in another way, and"
        " choose “Connect” under Account security."
    ),
}


class ProviderError(OAuth2Error):
    """`words` are the technical cause, for the audit log and the trials."""

    def __init__(self, fault: ProviderFault, words: str = "") -> None:
        super().__init__(fault.name)
        self.fault, self.words = fault, words

    def __str__(self) -> str:
        return f"{self.meaning}: {self.words}" if self.words else self.meaning

    @property
    def meaning(self) -> str:
        return str(WORDS[self.fault])


def sentence(fault: ProviderFault, provider: str) -> str:
    """Return what the visitor reads; it must not help a stranger."""
    return str(SENTENCES.get(fault, REFUSED)) % {"provider": provider}

"""What an administrator can do about each fault of an OpenID provider."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.oauth2.faults import ProviderFault

REACH = _(
    "Check the address, and whether this site may reach it: DNS, firewall, certificate."
)
REMEDIES: dict[ProviderFault, str | Promise] = {
    ProviderFault.UNREACHABLE: REACH,
    ProviderFault.REFUSED: REACH,
    ProviderFault.TIMEOUT: REACH,
    ProviderFault.NAME_UNKNOWN: _(
        "Check the spelling of the address, and the DNS of the machine that this site"
        " runs on."
    ),
    ProviderFault.SERVER_ERROR: _(
        "Try again later; if it stays so, ask the operator of the provider."
    ),
    ProviderFault.REDIRECTED: _(
        "Enter the address of the configuration itself, not one that leads there."
    ),
    ProviderFault.NOT_JSON: _(
        "This is not a configuration of OpenID Connect. The address ends with"
        " /.well-known/openid-configuration."
    ),
    ProviderFault.WRONG_ISSUER: _(
        "Enter the address that begins with the issuer which the provider names, or"
        " correct the issuer at the provider."
    ),
    ProviderFault.MANY_TENANTS: _(
        "Enter the address with your own organisation's ID in place of common,"
        " organizations or consumers: else anybody with an account there could log in."
    ),
    ProviderFault.CLEAR_TEXT: _(
        "Set the provider up so that all its addresses are https."
    ),
    ProviderFault.NO_KEYS: _(
        "The provider has to publish a key for signatures (RS256 or ES256)."
    ),
    ProviderFault.NO_PKCE: _("Allow PKCE with S256 for this client at the provider."),
    ProviderFault.NO_CODE_FLOW: _(
        "Allow the response type code, and the response mode query, at the provider."
    ),
    ProviderFault.NO_CLIENT_WAY: _(
        "Allow client_secret_basic or client_secret_post at the provider."
    ),
    ProviderFault.PUSHED_REQUEST: _(
        "Allow ordinary requests at the provider: this site sends what it asks for in"
        " the browser's address."
    ),
    ProviderFault.SIGNED_REQUEST: _(
        "Allow requests without a signature at the provider."
    ),
    ProviderFault.NO_ALGORITHM: _(
        "Have the provider sign ID tokens by RS256, ES256 or EdDSA."
    ),
    ProviderFault.ALGORITHM: _(
        "Have the provider sign this client's ID tokens by RS256, ES256 or EdDSA."
    ),
    ProviderFault.ENCRYPTED: _(
        "Switch the encryption for this client off at the provider: the connection"
        " itself is encrypted."
    ),
    ProviderFault.SIGNED: _(
        "Have the provider answer this client with a plain UserInfo (JSON)."
    ),
    ProviderFault.TOO_LARGE: _(
        "Have the provider tell less of a user, or check that the address is right."
    ),
    ProviderFault.NO_CODE: _(
        "The provider's own log says more. Does it know this site's redirect URI, and"
        " may this client ask for the scope?"
    ),
    ProviderFault.CODE_REFUSED: _(
        "Compare the client ID, the client secret and the redirect URI with what the"
        " provider has. A secret may have expired there."
    ),
    ProviderFault.NO_ID_TOKEN: _(
        "Enter the scope openid, and allow it to the client there."
    ),
    ProviderFault.BAD_ID_TOKEN: _(
        "If the clocks of both machines are right, the provider signs for another"
        " client, or somebody else answered."
    ),
    ProviderFault.OTHER_ISSUER: _(
        "Somebody else may have answered. Begin the test again, and ask the provider's"
        " administrator if it goes on."
    ),
    ProviderFault.OTHER_SUBJECT: _(
        "The provider has to name a user alike in the ID token and in UserInfo."
    ),
    ProviderFault.NO_UPN: _(
        "Have the provider send this claim in the ID token, or enter the name of"
        " another claim, one that users cannot change themselves."
    ),
    ProviderFault.UNVERIFIED_EMAIL: _(
        "Have the provider verify e-mail addresses and send email_verified, or take"
        " another claim."
    ),
    ProviderFault.CANCELLED: _("Begin the test again, and log in at the provider."),
    ProviderFault.NOT_ASKED: _("Begin the test again."),
    ProviderFault.NO_USER: _(
        "Add a PBX user of this name. If only the domain is too much, enter it as the"
        " OAuth2 domain."
    ),
    ProviderFault.INACTIVE: _("Activate the PBX user first."),
    ProviderFault.OTHER_IDENTITY: _(
        "Disconnect the other account on the user's page, if this one is to take its"
        " place."
    ),
    ProviderFault.ADMINISTRATOR: _(
        "No login connects an administrator's account: he does it himself, under"
        " Account security or by this test."
    ),
    ProviderFault.OTHER_PERSON: _("Test with your own account."),
}

"""The modes of OAuth2 at the mail server: what each asks for, and what is known of it.

The modes are those of the original's newest version, and Microsoft's client
credentials. What the providers prescribe stands in Microsoft's document "Authenticate
an IMAP, POP or SMTP connection using OAuth" and Google's "OAuth 2.0 Mechanism".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from authconfig.choices import OAuth2Grant, SmtpLogin, SmtpSecurity
from authconfig.models import AuthenticationSettings

PREFIX = "smtp_oauth2_"
# Where the site's addresses have the tenant.
TENANT = "{tenant}"
# Whoever answers the provider's page may be told by these.
OPENID = "openid profile email"


@dataclass(frozen=True)
class Provider:
    """Whose mail server and endpoints are known."""

    name: str
    server: str
    token_url: str
    authorize_url: str
    # What the authorization request needs besides OAuth2's own.
    authorize_parameters: dict[str, str] = field(default_factory=dict)
    userinfo_url: str = ""
    port: int = 587
    security: SmtpSecurity = SmtpSecurity.STARTTLS

    def endpoints(self, tenant: str) -> dict[str, str]:
        """Return the values of the two fields; "" while the tenant is not known."""
        if TENANT in self.token_url and not tenant:
            return {f"{PREFIX}token_url": "", f"{PREFIX}authorize_url": ""}
        return {
            f"{PREFIX}token_url": self.token_url.replace(TENANT, tenant),
            f"{PREFIX}authorize_url": self.authorize_url.replace(TENANT, tenant),
        }


@dataclass(frozen=True)
class Mode:
    # Names of fields without their prefix; what is `required` comes first.
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    provider: Provider | None = None
    # None: the administrator chooses.
    grant: OAuth2Grant | None = None
    scope: str = ""


MICROSOFT = Provider(
    name="Microsoft",
    server="smtp.office365.com",
    token_url=f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
    authorize_url=f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize",
)
GOOGLE = Provider(
    name="Google",
    server="smtp.gmail.com",
    token_url="https://oauth2.googleapis.com/token",  # noqa: S106
    authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
    # Google gives a refresh token only to those who ask so, and after a consent.
    authorize_parameters={"access_type": "offline", "prompt": "consent"},
    userinfo_url="https://openidconnect.googleapis.com/v1/userinfo",
)
PROVIDERS = (MICROSOFT, GOOGLE)
ENTRA = ("tenant", "client_id", "client_secret")
# What the original leaves free in its two modes for any provider.
FREE = ("token_url", "client_id")
FREE_OPTIONAL = ("scope", "parameters")
SIGNING = ("key_id", "algorithm", "certificate")
MODES = {
    SmtpLogin.EXCHANGE: Mode(
        ENTRA,
        ("client_secret_expires", "shared_mailbox"),
        MICROSOFT,
        OAuth2Grant.AUTHORIZATION_CODE,
        f"https://outlook.office.com/SMTP.Send offline_access {OPENID}",
    ),
    SmtpLogin.MICROSOFT_365: Mode(
        (*ENTRA, "resource_owner", "resource_owner_password"),
        ("client_secret_expires",),
        MICROSOFT,
        OAuth2Grant.PASSWORD,
        "https://outlook.office.com/SMTP.Send offline_access",
    ),
    SmtpLogin.MICROSOFT_365_APPLICATION: Mode(
        ENTRA,
        ("client_secret_expires",),
        MICROSOFT,
        OAuth2Grant.CLIENT_CREDENTIALS,
        "https://outlook.office365.com/.default",
    ),
    SmtpLogin.GMAIL: Mode(
        ("client_id", "client_secret"),
        ("shared_mailbox",),
        GOOGLE,
        OAuth2Grant.AUTHORIZATION_CODE,
        f"https://mail.google.com/ {OPENID}",
    ),
    SmtpLogin.GOOGLE_SERVICE_ACCOUNT: Mode(
        ("issuer", "key_id", "private_key"),
        ("subject",),
        GOOGLE,
        OAuth2Grant.JWT_BEARER,
        "https://mail.google.com/",
    ),
    SmtpLogin.CLIENT_SECRET: Mode(
        FREE, ("client_secret", "client_secret_expires", "client_auth", *FREE_OPTIONAL)
    ),
    SmtpLogin.PRIVATE_KEY_JWT: Mode((*FREE, "private_key"), (*SIGNING, *FREE_OPTIONAL)),
}
# What a grant adds where it is chosen freely: needed, and possible.
OF_GRANT = {
    OAuth2Grant.AUTHORIZATION_CODE: (("authorize_url",), ("shared_mailbox",)),
    OAuth2Grant.PASSWORD: (("resource_owner", "resource_owner_password"), ()),
    OAuth2Grant.CLIENT_CREDENTIALS: ((), ()),
    OAuth2Grant.JWT_BEARER: (("private_key",), (*SIGNING, "issuer", "subject")),
}
# With a known provider these are filled in, and may be changed.
UNDER_MORE = ("token_url", "authorize_url", "scope", "parameters")


def mode_of(rules: AuthenticationSettings) -> Mode | None:
    """Return the mode of OAuth2; None if the account logs in by a password."""
    return MODES.get(SmtpLogin(rules.smtp_login))


def grant_of(rules: AuthenticationSettings) -> OAuth2Grant:
    mode = mode_of(rules)
    known = mode.grant if mode else None
    return known or OAuth2Grant(rules.smtp_oauth2_grant)


def is_interactive(rules: AuthenticationSettings) -> bool:
    """Does somebody have to log in at the provider, once, to authorize the site?"""
    has_mode = mode_of(rules) is not None
    return has_mode and grant_of(rules) is OAuth2Grant.AUTHORIZATION_CODE


def required_fields(login: SmtpLogin, grant: OAuth2Grant) -> tuple[str, ...]:
    mode = MODES[login]
    added = () if mode.grant else OF_GRANT[grant][0]
    return _named(mode.required + added)


def shown_fields(login: SmtpLogin, grant: OAuth2Grant) -> tuple[str, ...]:
    """Return the settings that this way to log in uses, beside server and user name."""
    if login is SmtpLogin.PASSWORD:
        return ("smtp_password",)
    mode = MODES[login]
    more: tuple[str, ...] = UNDER_MORE if mode.provider else ()
    if mode.grant is None:
        more = ("grant", *OF_GRANT[grant][1])
    return (*required_fields(login, grant), *_named(mode.optional + more))


def _named(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{PREFIX}{name}" for name in dict.fromkeys(fields))


def shown_for(name: str) -> str:
    """Return the ways to log in that use the setting, as the page's style sheet says.

    Where the grant is free it is part of the word: client_secret-password.
    """
    words = []
    for login in SmtpLogin:
        mode = MODES.get(login)
        is_free = mode is not None and mode.grant is None
        for grant in list(OAuth2Grant) if is_free else list(OAuth2Grant)[:1]:
            if name in shown_fields(login, grant):
                words.append(f"{login}-{grant}" if is_free else login.value)
    return " ".join(words)


EVERY_FIELD = tuple(
    dict.fromkeys(
        name
        for login in SmtpLogin
        for grant in OAuth2Grant
        for name in shown_fields(login, grant)
    )
)

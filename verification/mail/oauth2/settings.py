"""The configuration of the settings' row."""

from __future__ import annotations

from hashlib import sha256

from authconfig.choices import SmtpLogin
from authconfig.models import AuthenticationSettings
from authconfig.smtp_login.modes import grant_of
from verification.mail.oauth2.configuration import ClientShows, Configuration

COPIED = (
    *("token_url", "authorize_url", "client_id", "client_secret", "scope"),
    *("parameters", "resource_owner", "resource_owner_password", "private_key"),
    *("key_id", "algorithm", "certificate", "issuer", "subject"),
)


def configuration_of(rules: AuthenticationSettings) -> Configuration | None:
    """Take the settings' row, saved or not; None if the login is by a password."""
    login = SmtpLogin(rules.smtp_login)
    if login == SmtpLogin.PASSWORD:
        return None
    values = {name: getattr(rules, f"smtp_oauth2_{name}") for name in COPIED}
    return Configuration(
        grant=grant_of(rules),
        client_shows=_shows(rules, login),
        username=rules.smtp_username,
        server=_server(rules),
        has_scope_in_assertion=login == SmtpLogin.GOOGLE_SERVICE_ACCOUNT,
        **values,
    )


def _shows(rules: AuthenticationSettings, login: SmtpLogin) -> ClientShows:
    if login == SmtpLogin.PRIVATE_KEY_JWT:
        return ClientShows.KEY
    if login == SmtpLogin.GOOGLE_SERVICE_ACCOUNT:
        return ClientShows.NOTHING
    if login == SmtpLogin.CLIENT_SECRET:
        return ClientShows(rules.smtp_oauth2_client_auth)
    return ClientShows.POST


def _server(rules: AuthenticationSettings) -> str:
    """A token goes to no other server than the one it was fetched for."""
    trust = sha256(rules.smtp_ca_certificate.encode()).hexdigest()
    where = (rules.smtp_server, rules.smtp_port, rules.smtp_security, trust)
    return ":".join(map(str, where))

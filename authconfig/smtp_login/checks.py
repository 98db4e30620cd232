"""What a login by OAuth2 has to be given, and what would do harm."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.choices import JwtAlgorithm, OAuth2Grant, SmtpSecurity
from authconfig.smtp_login.filling import Values, chosen
from authconfig.smtp_login.modes import MODES, required_fields, shown_fields
from authconfig.smtp_login.private_keys import check_certificate, check_private_key

Fault = tuple[str, "ValidationError | Promise"]
# Entra ID's names for “whichever tenant somebody is of”.
MANY_TENANTS = ("common", "organizations", "consumers")
OWN_TENANT = _("Enter your own tenant: without a user there is no other to be found.")
NEEDED_BY_LOGIN = _("Enter it: the login that you chose needs it.")
NEEDED = {
    "smtp_server": _("Enter the SMTP server: the login that you chose needs it."),
    "smtp_username": _("Enter the mailbox that the e-mails are sent from."),
}
CLEAR_TEXT = _("The token would travel unencrypted. Choose STARTTLS or TLS.")


def oauth2_faults(cleaned: Values) -> Iterator[Fault]:
    """Yield the name of a field with what is wrong with it."""
    login, grant = chosen(cleaned)
    # RFC 7628, 4: a token is as good as a password to whoever reads it.
    if cleaned.get("smtp_security") == SmtpSecurity.NONE:
        yield "smtp_security", CLEAR_TEXT
    for name in ("smtp_server", "smtp_username", *required_fields(login, grant)):
        if name in cleaned and not cleaned[name]:
            yield name, NEEDED.get(name, NEEDED_BY_LOGIN)
    is_own = grant not in (OAuth2Grant.AUTHORIZATION_CODE, OAuth2Grant.JWT_BEARER)
    if is_own and cleaned.get("smtp_oauth2_tenant", "").lower() in MANY_TENANTS:
        yield "smtp_oauth2_tenant", OWN_TENANT
    key = cleaned.get("smtp_oauth2_private_key")
    if key and "smtp_oauth2_private_key" in shown_fields(login, grant):
        yield from _key_faults(cleaned, key, is_free=MODES[login].provider is None)


def _key_faults(cleaned: Values, key: str, *, is_free: bool) -> Iterator[Fault]:
    """Google signs by RS256 alone, and asks for no certificate."""
    chosen = cleaned.get("smtp_oauth2_algorithm") if is_free else None
    certificate = cleaned.get("smtp_oauth2_certificate") if is_free else None
    try:
        check_private_key(key, JwtAlgorithm(chosen or JwtAlgorithm.RS256))
    except ValidationError as error:
        yield "smtp_oauth2_private_key", error
        return
    try:
        if certificate:
            check_certificate(certificate, key)
    except ValidationError as error:
        yield "smtp_oauth2_certificate", error

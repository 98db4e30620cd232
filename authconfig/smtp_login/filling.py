"""What a chosen mode fills in: the provider's server, endpoints and scopes."""

from __future__ import annotations

from typing import Any

from authconfig.choices import OAuth2Grant, SmtpLogin, SmtpSecurity
from authconfig.models import AuthenticationSettings
from authconfig.smtp_login.modes import (
    MODES,
    PREFIX,
    PROVIDERS,
    Mode,
    Provider,
    shown_fields,
)
from authconfig.smtp_login.private_keys import as_pem, from_key_file
from authconfig.validators import is_loopback

Values = dict[str, Any]
# Whose mailbox it is, if no user name is entered: the first that says so.
MAILBOXES = (f"{PREFIX}subject", f"{PREFIX}resource_owner", "smtp_email_address")


def chosen(cleaned: Values) -> tuple[SmtpLogin, OAuth2Grant]:
    """Return the login and the grant on the screen; the defaults for invalid ones."""
    login = cleaned.get("smtp_login") or SmtpLogin.PASSWORD
    grant = cleaned.get(f"{PREFIX}grant") or OAuth2Grant.AUTHORIZATION_CODE
    mode = MODES.get(SmtpLogin(login))
    fixed = mode.grant if mode else None
    return SmtpLogin(login), fixed or OAuth2Grant(grant)


def fill(cleaned: Values, rules: AuthenticationSettings) -> None:
    login, grant = chosen(cleaned)
    mode = MODES.get(login)
    if mode is None:
        return
    shown = shown_fields(login, grant)
    if mode.provider:
        _fill_server(cleaned, mode.provider, rules)
        _fill_endpoints(cleaned, mode, rules)
    _read_private_key(cleaned)
    if cleaned.get("smtp_username") == "":
        usable = [n for n in MAILBOXES if n in shown or not n.startswith(PREFIX)]
        told = (cleaned.get(name, "") for name in usable)
        cleaned["smtp_username"] = next(filter(None, told), "")


def _fill_server(
    cleaned: Values, provider: Provider, rules: AuthenticationSettings
) -> None:
    """Leave a server that was entered, unless no token could ever be shown to it."""
    server = cleaned.get("smtp_server")
    others = [each.server for each in PROVIDERS if each is not provider]
    is_free = server == "" or server in others or _is_local_mailbox(cleaned, rules)
    if is_free:
        cleaned["smtp_server"] = provider.server
        cleaned["smtp_port"] = provider.port
        cleaned["smtp_security"] = provider.security.value


def _is_local_mailbox(cleaned: Values, rules: AuthenticationSettings) -> bool:
    """The server that a site for trying out begins with has no encryption."""
    same = all(
        cleaned.get(name) == getattr(rules, name)
        for name in ("smtp_server", "smtp_port", "smtp_security")
    )
    return (
        same
        and is_loopback(rules.smtp_server)
        and rules.smtp_security == SmtpSecurity.NONE
    )


def _fill_endpoints(cleaned: Values, mode: Mode, rules: AuthenticationSettings) -> None:
    """What was filled in follows another mode or tenant; what was entered stays."""
    known = [_known(each, rules.smtp_oauth2_tenant) for each in MODES.values()]
    for name, value in _known(mode, cleaned.get(f"{PREFIX}tenant") or "").items():
        entered = cleaned.get(name)
        was_filled_in = entered == getattr(rules, name) and entered in (
            values.get(name) for values in known
        )
        if entered == "" or was_filled_in:
            cleaned[name] = value


def _known(mode: Mode, tenant: str) -> dict[str, str]:
    if mode.provider is None:
        return {}
    return mode.provider.endpoints(tenant) | {f"{PREFIX}scope": mode.scope}


def _read_private_key(cleaned: Values) -> None:
    name = f"{PREFIX}private_key"
    entered = cleaned.get(name)
    if not entered:
        return
    cleaned.update({k: v for k, v in from_key_file(entered).items() if v})
    cleaned[name] = as_pem(cleaned[name])

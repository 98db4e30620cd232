"""Checks of single values that OAuth2 at the mail server needs."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from authconfig.validators import validate_one_line

# What the site itself sends to the provider of the e-mail account's tokens.
OWN_PARAMETERS = frozenset(
    {
        *("client_id", "client_secret", "client_assertion", "client_assertion_type"),
        *("grant_type", "assertion", "refresh_token", "username", "password"),
        *("response_type", "response_mode", "redirect_uri", "state", "nonce", "code"),
        *("code_verifier", "code_challenge", "code_challenge_method", "scope"),
    }
)


def validate_tenant(value: str) -> None:
    """It becomes a part of Microsoft's addresses."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise ValidationError(
            _(
                "“%(value)s” is no tenant. Enter the directory (tenant) ID, or a domain"
                " like example.onmicrosoft.com."
            ),
            code="tenant",
            params={"value": value},
        )


def validate_parameters(value: str) -> None:
    """Parameters of an OAuth2 request, which must not replace the site's own."""
    validate_one_line(value)
    try:
        names = [name for name, _value in parse_qsl(value, strict_parsing=True)]
    except ValueError as error:
        raise ValidationError(
            _("Enter parameters as in audience=mail&resource=pbx"), code="parameters"
        ) from error
    taken = next((name for name in names if name in OWN_PARAMETERS), "")
    if taken:
        raise ValidationError(
            _("Remove %(name)s: the site sends its own."),
            code="own",
            params={"name": taken},
        )

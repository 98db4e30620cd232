"""Who may log in where, and how: one table, read by the page and by the login alike.

Pure: no request, no database, no clock.
"""

from __future__ import annotations

from typing import Protocol

from authconfig.choices import AuthenticationType, Method
from authconfig.clients.choices import Kind


class Rules(Protocol):
    """The part of the rules that the policy reads."""

    @property
    def authentication_type(self) -> str: ...
    @property
    def two_factor(self) -> bool: ...
    @property
    def factor_required(self) -> bool: ...


# The original offers OAuth2 to myApps alone ("myApps only").
TABLE: dict[AuthenticationType, dict[Kind, tuple[Method, ...]]] = {
    AuthenticationType.PBX_ONLY: {
        Kind.MYAPPS: (Method.PASSWORD,),
        Kind.MYPBX: (Method.PASSWORD,),
    },
    AuthenticationType.NETLOGON_ONLY: {
        Kind.MYAPPS: (Method.NETLOGON,),
        Kind.MYPBX: (Method.NETLOGON,),
    },
    AuthenticationType.PBX_AND_NETLOGON: {
        Kind.MYAPPS: (Method.PASSWORD, Method.NETLOGON),
        Kind.MYPBX: (Method.PASSWORD, Method.NETLOGON),
    },
    AuthenticationType.OAUTH2_ONLY: {
        Kind.MYAPPS: (Method.OAUTH2,),
        Kind.MYPBX: (),
    },
    AuthenticationType.PBX_AND_OAUTH2: {
        Kind.MYAPPS: (Method.PASSWORD, Method.OAUTH2),
        Kind.MYPBX: (Method.PASSWORD,),
    },
}


def methods_for(rules: Rules, kind: Kind) -> tuple[Method, ...]:
    """Return the methods in the order in which a login tries them."""
    return TABLE[AuthenticationType(rules.authentication_type)][kind]


def password_methods_for(rules: Rules, kind: Kind) -> tuple[Method, ...]:
    return tuple(m for m in methods_for(rules, kind) if m is not Method.OAUTH2)


def needs_approval(rules: Rules, kind: Kind) -> bool:
    return rules.two_factor and kind is Kind.MYAPPS


def requires_factor(rules: Rules, kind: Kind) -> bool:
    """Does an approval by e-mail or session not suffice?"""
    return rules.factor_required and needs_approval(rules, kind)


def uses(rules: Rules, method: Method) -> bool:
    return _uses(AuthenticationType(rules.authentication_type), method)


def types_using(method: Method) -> list[str]:
    """Return the stored values of the types that allow the method to any kind."""
    return [option.value for option in TABLE if _uses(option, method)]


def _uses(option: AuthenticationType, method: Method) -> bool:
    return any(method in methods for methods in TABLE[option].values())

"""Who may log in where, and how: one table, read by the page and by the login alike.

Pure: no request, no database, no clock.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from authconfig.choices import AuthenticationType, Method, Obstacle
from authconfig.clients.choices import Kind


class Rules(Protocol):
    """The part of the rules that the policy reads."""

    @property
    def authentication_type(self) -> str: ...
    @property
    def two_factor(self) -> bool: ...
    @property
    def factor_required(self) -> bool: ...


class LinkedRules(Rules, Protocol):
    """With the link of approval e-mails, without which no e-mail approves anything."""

    @property
    def verification_link(self) -> str: ...
    @property
    def forgotten_password_same_mailbox(self) -> bool: ...


class UserFacts(NamedTuple):
    """What the answer rests on whether a user can log in, beside the rules.

    `is_found`: the login form takes the user's name for theirs. `has_account`: one at
    the present provider is connected. `has_counting_factor`: of the passkeys and apps
    one was approved. `is_used_up`: too many failed in a row from unknown addresses.
    `is_from_mailbox`: the password came by e-mail, and nothing else has approved it.
    """

    is_active: bool = True
    is_administrator: bool = False
    is_found: bool = True
    has_password: bool = False
    has_account: bool = False
    has_email: bool = False
    has_session: bool = False
    has_factor: bool = False
    has_counting_factor: bool = False
    is_used_up: bool = False
    is_from_mailbox: bool = False


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


class ForgottenRules(Rules, Protocol):
    """What else decides whether a forgotten password can be replaced by e-mail."""

    @property
    def forgotten_password(self) -> bool: ...
    @property
    def forgotten_password_same_mailbox(self) -> bool: ...
    @property
    def password_changes_forbidden(self) -> bool: ...
    @property
    def smtp_server(self) -> str: ...
    @property
    def smtp_email_address(self) -> str: ...


def offers_new_password(rules: ForgottenRules, kind: Kind) -> bool:
    """May users who log in to the kind have a link sent that sets a new password?"""
    is_wanted = rules.forgotten_password and not rules.password_changes_forbidden
    sends = bool(rules.smtp_server and rules.smtp_email_address)
    return is_wanted and sends and Method.PASSWORD in methods_for(rules, kind)


def mailbox_is_one_factor(rules: ForgottenRules) -> bool:
    """Must something else confirm a login whose password came by e-mail?"""
    same = rules.forgotten_password_same_mailbox
    return needs_approval(rules, Kind.MYAPPS) and not same


def mailbox_is_enough(rules: ForgottenRules) -> bool:
    """Does an e-mail confirm the login whose password came by e-mail?"""
    held = needs_approval(rules, Kind.MYAPPS)
    offered = offers_new_password(rules, Kind.MYAPPS)
    return held and offered and rules.forgotten_password_same_mailbox


class DigestRules(Rules, Protocol):
    @property
    def myapps_digest_logins(self) -> bool: ...


def offers_digest(rules: DigestRules) -> bool:
    """May myApps clients log in by a digest of the PBX password?"""
    by_password = Method.PASSWORD in methods_for(rules, Kind.MYAPPS)
    return rules.myapps_digest_logins and by_password


def uses(rules: Rules, method: Method) -> bool:
    return _uses(AuthenticationType(rules.authentication_type), method)


def types_using(method: Method) -> list[str]:
    """Return the stored values of the types that allow the method to any kind."""
    return [option.value for option in TABLE if _uses(option, method)]


def _uses(option: AuthenticationType, method: Method) -> bool:
    return any(method in methods for methods in TABLE[option].values())


def obstacles(rules: LinkedRules, kind: Kind, user: UserFacts) -> tuple[Obstacle, ...]:
    """Return what keeps the user from logging in, by each method; () if nothing does.

    What only a directory or a provider knows is no obstacle: whether the user has an
    account there, and whether the password is right.
    """
    if not user.is_active:
        return (Obstacle.INACTIVE,)
    methods = methods_for(rules, kind)
    if not methods:
        return (Obstacle.NO_METHOD,)
    found = [_obstacle(rules, kind, method, user) for method in methods]
    return () if None in found else tuple(dict.fromkeys(filter(None, found)))


def _obstacle(
    rules: LinkedRules, kind: Kind, method: Method, user: UserFacts
) -> Obstacle | None:
    if first := _first_obstacle(method, user):
        return first
    if method is not Method.OAUTH2 and user.is_used_up:
        opens = _opens_though_used_up(rules, kind, method, user)
        return None if opens else Obstacle.USED_UP
    approved = user.has_counting_factor or _can_be_approved(rules, method, user)
    if needs_approval(rules, kind) and not approved:
        reached = user.has_email and rules.verification_link
        return Obstacle.ONE_MAILBOX if reached else Obstacle.NO_APPROVAL
    return None


def _first_obstacle(method: Method, user: UserFacts) -> Obstacle | None:
    if method is Method.OAUTH2:
        # A login connects the account of anybody but an administrator.
        is_closed = user.is_administrator and not user.has_account
        return Obstacle.NO_ACCOUNT if is_closed else None
    if method is Method.PASSWORD and not user.has_password:
        return Obstacle.NO_PASSWORD
    return None if user.is_found else Obstacle.MISNAMED


def _opens_though_used_up(
    rules: LinkedRules, kind: Kind, method: Method, user: UserFacts
) -> bool:
    held = needs_approval(rules, kind)
    makes_up = user.has_counting_factor if held else user.has_factor
    return kind is Kind.MYAPPS and (makes_up or _can_be_approved(rules, method, user))


def _can_be_approved(rules: LinkedRules, method: Method, user: UserFacts) -> bool:
    same = user.is_from_mailbox and method is Method.PASSWORD
    counts = rules.forgotten_password_same_mailbox or not same
    by_mail = user.has_email and rules.verification_link and counts
    return user.has_session or bool(by_mail)

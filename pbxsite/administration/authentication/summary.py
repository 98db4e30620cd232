"""What the settings mean, in sentences, without a request, a database or a clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from authconfig.choices import Method, NetlogonSecurity, SmtpLogin, SmtpSecurity
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.policy import methods_for, needs_approval, requires_factor, uses
from authconfig.smtp_login.account_form import ACCOUNT_FIELDS
from authconfig.validators import is_loopback
from pbxsite.administration.alarms import words as alarm_words
from pbxsite.administration.authentication import client_words, mailbox_words
from pbxsite.administration.entry.words import closed

Methods = tuple[Method, ...]
Words = str | Promise

WITH: dict[Method, Words] = {
    Method.PASSWORD: gettext_lazy("their PBX password"),
    Method.NETLOGON: gettext_lazy("their Windows password"),
    Method.OAUTH2: gettext_lazy("OAuth2"),
}
# The combinations of today's types have sentences of their own.
MYAPPS_HELD: dict[Methods, Words] = {
    (Method.PASSWORD,): gettext_lazy(
        "Users log in to myApps with their PBX password and confirm by e-mail"
    ),
    (Method.NETLOGON,): gettext_lazy(
        "Users log in to myApps with their Windows password and confirm by e-mail"
    ),
    (Method.PASSWORD, Method.NETLOGON): gettext_lazy(
        "Users log in to myApps with their PBX or Windows password and confirm by"
        " e-mail"
    ),
    (Method.OAUTH2,): gettext_lazy(
        "Users log in to myApps with OAuth2 and confirm by e-mail"
    ),
    (Method.PASSWORD, Method.OAUTH2): gettext_lazy(
        "Users log in to myApps with their PBX password or with OAuth2 and confirm by"
        " e-mail"
    ),
    (): gettext_lazy("Nobody can log in to myApps"),
}
MYAPPS_HELD_OTHERWISE = gettext_lazy(
    "Users log in to myApps with %(methods)s and confirm by e-mail"
)
MYAPPS_DIRECT: dict[Methods, Words] = {
    (Method.PASSWORD,): gettext_lazy(
        "Users log in to myApps with their PBX password only"
    ),
    (Method.NETLOGON,): gettext_lazy(
        "Users log in to myApps with their Windows password only"
    ),
    (Method.PASSWORD, Method.NETLOGON): gettext_lazy(
        "Users log in to myApps with their PBX or Windows password"
    ),
    (Method.OAUTH2,): gettext_lazy("Users log in to myApps with OAuth2 only"),
    (Method.PASSWORD, Method.OAUTH2): gettext_lazy(
        "Users log in to myApps with their PBX password or with OAuth2"
    ),
    (): gettext_lazy("Nobody can log in to myApps"),
}
MYAPPS_DIRECT_OTHERWISE = gettext_lazy("Users log in to myApps with %(methods)s")
MYPBX: dict[Methods, Words] = {
    (Method.PASSWORD,): gettext_lazy("myPBX users with their PBX password only"),
    (Method.NETLOGON,): gettext_lazy("myPBX users with their Windows password only"),
    (Method.PASSWORD, Method.NETLOGON): gettext_lazy(
        "myPBX users with their PBX or Windows password"
    ),
    (Method.OAUTH2,): gettext_lazy("myPBX users with OAuth2 only"),
    (): gettext_lazy("nobody can log in to myPBX"),
}
MYPBX_OTHERWISE = gettext_lazy("myPBX users with %(methods)s")
GAINED: dict[Method, Words] = {
    Method.PASSWORD: gettext_lazy("%(kind)s users can log in with their PBX password."),
    Method.NETLOGON: gettext_lazy(
        "%(kind)s users can log in with their Windows password."
    ),
    Method.OAUTH2: gettext_lazy("%(kind)s users can log in with OAuth2."),
}
LOST: dict[Method, Words] = {
    Method.PASSWORD: gettext_lazy(
        "%(kind)s users can no longer log in with their PBX password."
    ),
    Method.NETLOGON: gettext_lazy(
        "%(kind)s users can no longer log in with their Windows password."
    ),
    Method.OAUTH2: gettext_lazy("%(kind)s users can no longer log in with OAuth2."),
}
SMTP_SECURITY: dict[str, Words] = {
    SmtpSecurity.STARTTLS: gettext_lazy("encrypted with STARTTLS"),
    SmtpSecurity.TLS: gettext_lazy("encrypted with TLS"),
    SmtpSecurity.NONE: gettext_lazy("not encrypted"),
}
NETLOGON_SECURITY: dict[str, Words] = {
    NetlogonSecurity.TLS: gettext_lazy("encrypted with TLS"),
    NetlogonSecurity.STARTTLS: gettext_lazy("encrypted with STARTTLS"),
    NetlogonSecurity.NONE: gettext_lazy("not encrypted, on this machine"),
}


@dataclass(frozen=True)
class Facts:
    """What the sentences tell about the users."""

    closed: Mapping[Kind, int] = field(default_factory=dict)
    closed_before: Mapping[Kind, int] = field(default_factory=dict)
    users_without_factor: int = 0
    users_of_unapproved: int = 0


def authentication(rules: AuthenticationSettings) -> str:
    myapps, mypbx = methods_for(rules, Kind.MYAPPS), methods_for(rules, Kind.MYPBX)
    is_held = needs_approval(rules, Kind.MYAPPS)
    who = _("%(myapps)s; %(mypbx)s.") % {
        "myapps": myapps_words(myapps, is_held=is_held),
        "mypbx": mypbx_words(mypbx),
    }
    return " ".join([who, *mailbox_words.said(rules)])


def myapps_words(methods: Methods, *, is_held: bool) -> Words:
    if is_held:
        return MYAPPS_HELD.get(methods) or MYAPPS_HELD_OTHERWISE % _any_of(methods)
    return MYAPPS_DIRECT.get(methods) or MYAPPS_DIRECT_OTHERWISE % _any_of(methods)


def mypbx_words(methods: Methods) -> Words:
    return MYPBX.get(methods) or MYPBX_OTHERWISE % _any_of(methods)


def _any_of(methods: Methods) -> dict[str, str]:
    *most, last = [str(WITH[method]) for method in methods]
    either = {"most": ", ".join(most), "last": last}
    return {"methods": _("%(most)s or %(last)s") % either if most else last}


def email(rules: AuthenticationSettings) -> str:
    if not (rules.smtp_server and rules.smtp_email_address):
        return _("No e-mail account is set up, so no e-mail can be sent.")
    sent = _("E-mails go out through %(server)s, %(security)s, from %(sender)s.") % {
        "server": _place(rules.smtp_server, rules.smtp_port),
        "security": SMTP_SECURITY[rules.smtp_security],
        "sender": rules.smtp_email_address,
    }
    if rules.smtp_login == SmtpLogin.PASSWORD:
        return sent
    login = _("The site logs in there by OAuth2 as %(mailbox)s.")
    return f"{sent} {login % {'mailbox': rules.smtp_username}}"


def netlogon(rules: AuthenticationSettings) -> str:
    if not uses(rules, Method.NETLOGON):
        return _("Not used by the present authentication type.")
    if not rules.netlogon_domain:
        return _("No Windows domain is entered yet.")
    return _("Windows passwords are checked by %(where)s, %(security)s.") % {
        "where": rules.netlogon_servers
        or _("the controllers of %(domain)s") % {"domain": rules.netlogon_domain},
        "security": NETLOGON_SECURITY[rules.netlogon_security],
    }


def oauth2(rules: AuthenticationSettings) -> str:
    if not uses(rules, Method.OAUTH2):
        return _("Not used by the present authentication type.")
    if not rules.oauth2_well_known_url:
        return _("No provider is entered yet.")
    return _(
        "Users log in with “%(name)s” at %(host)s; its claim %(claim)s says who they"
        " are."
    ) % {
        "name": rules.oauth2_provider_name,
        "host": host_of(rules.oauth2_well_known_url),
        "claim": rules.oauth2_upn_claim,
    }


SENTENCES = {
    "authentication": authentication,
    "email": email,
    "netlogon": netlogon,
    "oauth2": oauth2,
    "alarms": alarm_words.said,
}


def consequences(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings, facts: Facts
) -> dict[str, list[str]]:
    """Return, for each section, what saving changes for whom."""
    return {
        "authentication": [
            *_method_changes(rules, new_rules),
            *_approval_change(rules, new_rules, facts),
            *_factor_change(rules, new_rules, facts),
            *_closed_change(rules, new_rules, facts),
            *mailbox_words.news(rules, new_rules),
            *client_words.news(rules, new_rules),
        ],
        "email": [*_email_changes(rules, new_rules)],
        "netlogon": [*_section_change(rules, new_rules, "netlogon", Method.NETLOGON)],
        "oauth2": [*_section_change(rules, new_rules, "oauth2", Method.OAUTH2)],
        "alarms": [*alarm_words.news(rules, new_rules)],
    }


def without_approval(count: int) -> str:
    """Say what two-factor authentication means to users whom nothing approves."""
    return ngettext(
        "%(count)s user could not log in with it: nothing could approve the login.",
        "%(count)s users could not log in with it: nothing could approve the login.",
        count,
    ) % {"count": count}


def without_factor(count: int) -> str:
    """Say what the requirement of a factor means to users who have none."""
    return ngettext(
        "%(count)s user has neither yet, and has to set one up with the next page.",
        "%(count)s users have neither yet, and have to set one up with the next page.",
        count,
    ) % {"count": count}


def never_approved(count: int) -> str:
    return ngettext(
        "End the other myApps session that nobody approved",
        "End the %(count)s other myApps sessions that nobody approved",
        count,
    ) % {"count": count}


def unapproved(count: int) -> str:
    """Say what two-factor authentication means to factors that nobody approved."""
    return ngettext(
        "%(count)s user has a passkey, app or recovery codes that nobody approved: each"
        " counts once a login with it was approved.",
        "%(count)s users have a passkey, app or recovery codes that nobody approved:"
        " each counts once a login with it was approved.",
        count,
    ) % {"count": count}


def remove_unapproved(count: int) -> str:
    return ngettext(
        "Remove the passkeys and codes of %(count)s user that nobody approved",
        "Remove the passkeys and codes of %(count)s users that nobody approved",
        count,
    ) % {"count": count}


def factors_removed(count: int) -> str:
    return ngettext(
        "The passkeys and codes of %(count)d user that nobody approved were removed.",
        "The passkeys and codes of %(count)d users that nobody approved were removed.",
        count,
    ) % {"count": count}


def sessions_ended(count: int) -> str:
    return ngettext(
        "%(count)d session that nobody approved was ended.",
        "%(count)d sessions that nobody approved were ended.",
        count,
    ) % {"count": count}


def host_of(url: str) -> str:
    return urlsplit(url).hostname or url


def stale_link(link: str, site_url: str) -> str:
    """Say that the link leads past this site, as after a start on another port.

    Of another host nothing is known: a proxy may lead from there to here.
    """
    to, here = urlsplit(link), urlsplit(site_url)
    both = is_loopback(to.hostname or "") and is_loopback(here.hostname or "")
    if not both or to.port == here.port:
        return ""
    return _(
        "The verification link leads to port %(old)s, but this site answers on port"
        " %(new)s: correct the link, or nobody can open it."
    ) % {"old": to.port or 80, "new": here.port or 80}


def _place(server: str, port: int) -> str:
    return f"[{server}]:{port}" if ":" in server else f"{server}:{port}"


def _method_changes(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings
) -> Iterator[str]:
    closed = [
        kind
        for kind in Kind
        if methods_for(rules, kind) and not methods_for(new_rules, kind)
    ]
    for kind in closed:
        yield _("%(kind)s users can no longer log in.") % {"kind": kind.label}
    rest = [kind for kind in Kind if kind not in closed]
    for method in GAINED:
        for words, before, after in (
            (LOST, rules, new_rules),
            (GAINED, new_rules, rules),
        ):
            touched = [
                kind.label
                for kind in rest
                if method in methods_for(before, kind)
                and method not in methods_for(after, kind)
            ]
            if touched:
                yield words[method] % {"kind": _both(touched)}


def _both(labels: list[str]) -> str:
    if len(labels) == 1:
        return labels[0]
    return _("%(one)s and %(other)s") % {"one": labels[0], "other": labels[1]}


def _approval_change(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings, facts: Facts
) -> Iterator[str]:
    if rules.two_factor == new_rules.two_factor:
        return
    if not new_rules.two_factor:
        yield _("Logins to myApps no longer have to be approved.")
        return
    yield _(
        "Each login to myApps has to be approved, by the link in an e-mail or in an"
        " existing session. Who is signed in stays signed in."
    )
    if facts.users_of_unapproved:
        yield unapproved(facts.users_of_unapproved)


def _closed_change(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings, facts: Facts
) -> Iterator[str]:
    """Say how many could not log in, where they may be others than before."""
    ways = ("authentication_type", "two_factor")
    is_other_way = any(getattr(rules, n) != getattr(new_rules, n) for n in ways)
    for kind, count in facts.closed.items():
        if count and (is_other_way or count != facts.closed_before.get(kind, 0)):
            yield closed(count, kind)


def _factor_change(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings, facts: Facts
) -> Iterator[str]:
    before = requires_factor(rules, Kind.MYAPPS)
    after = requires_factor(new_rules, Kind.MYAPPS)
    if before and not after:
        yield _("Users need no passkey or authenticator app any more.")
    if after and not before:
        yield _("Users of myApps need a passkey or an authenticator app.")
        if facts.users_without_factor:
            yield without_factor(facts.users_without_factor)


def _email_changes(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings
) -> Iterator[str]:
    is_other_account = any(
        getattr(rules, name) != getattr(new_rules, name) for name in ACCOUNT_FIELDS
    )
    if is_other_account:
        yield email(new_rules)
    link = new_rules.verification_link
    if link and link != rules.verification_link:
        yield _("Links in new e-mails lead to %(host)s.") % {"host": host_of(link)}


def _section_change(
    rules: AuthenticationSettings,
    new_rules: AuthenticationSettings,
    key: str,
    method: Method,
) -> Iterator[str]:
    if uses(new_rules, method) and SENTENCES[key](rules) != SENTENCES[key](new_rules):
        yield SENTENCES[key](new_rules)

"""“Login” of the e-mail account as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authconfig.choices import OAuth2Grant, SmtpLogin
from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS
from authconfig.smtp_login.modes import (
    MODES,
    PREFIX,
    UNDER_MORE,
    Provider,
    is_interactive,
)
from pbxsite.administration.authentication.cards import (
    OF_MAIL_LOGIN,
    FieldRow,
    Fold,
    rows,
)
from pbxsite.administration.authentication.kept.page_form import PageForm
from pbxsite.administration.authentication.smtp_login.visit import redirect_uri
from verification.mail.oauth2.settings import configuration_of
from verification.mail.oauth2.standing import Standing, standing_of

HELP = {
    SmtpLogin.PASSWORD: _("With user name and password, or without both."),
    SmtpLogin.EXCHANGE: _(
        "Microsoft: somebody logs in there once and authorizes this site."
    ),
    SmtpLogin.MICROSOFT_365: _(
        "Microsoft: this site logs in with the password of a user who has no second"
        " factor."
    ),
    SmtpLogin.MICROSOFT_365_APPLICATION: _(
        "Microsoft: this site is an application with a right of its own. Nobody has to"
        " log in there."
    ),
    SmtpLogin.GMAIL: _("Google: somebody logs in there once and authorizes this site."),
    SmtpLogin.GOOGLE_SERVICE_ACCOUNT: _(
        "Google Workspace: a service account acts for the mailbox. Nobody has to log in"
        " there."
    ),
    SmtpLogin.CLIENT_SECRET: _(
        "Any provider, with values of your own: this site shows a client secret."
    ),
    SmtpLogin.PRIVATE_KEY_JWT: _(
        "Any provider, with values of your own: this site signs with a private key."
    ),
}
ENDPOINT_FIELDS = tuple(f"{PREFIX}{name}" for name in UNDER_MORE)
FREE = tuple(login.value for login, mode in MODES.items() if mode.provider is None)
# Where somebody has to log in at the provider, as `shown_for` writes it.
INTERACTIVE = " ".join(
    login.value if mode.grant else f"{login}-{OAuth2Grant.AUTHORIZATION_CODE}"
    for login, mode in MODES.items()
    if mode.grant in (None, OAuth2Grant.AUTHORIZATION_CODE)
)


@dataclass(frozen=True)
class LoginOption:
    value: str
    label: str | Promise
    help: str | Promise
    is_chosen: bool
    provider: Provider | None


@dataclass(frozen=True)
class Authorization:
    """Whom the provider has named, in words, and how that stands."""

    text: str
    is_well: bool = False
    words: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class LoginBlock:
    options: list[LoginOption]
    rows: list[FieldRow]
    endpoints: Fold
    shown_for: str
    interactive: str
    redirect_uri: str
    authorization: Authorization


def login_block(form: PageForm) -> LoginBlock:
    names = [name for name in FIELDS if name in OF_MAIL_LOGIN]
    chosen = form["smtp_login"].value()
    is_open = chosen in FREE or any(name in form.errors for name in ENDPOINT_FIELDS)
    return LoginBlock(
        options=_options(chosen),
        rows=rows(form, [name for name in names if name not in ENDPOINT_FIELDS]),
        endpoints=Fold(rows(form, ENDPOINT_FIELDS), is_open),
        shown_for=" ".join(_every_oauth2()),
        interactive=INTERACTIVE,
        redirect_uri=redirect_uri(),
        authorization=authorization(form.rules),
    )


def _options(chosen: str) -> list[LoginOption]:
    return [
        LoginOption(
            login.value,
            login.label,
            HELP[login],
            login.value == chosen,
            MODES[login].provider if login in MODES else None,
        )
        for login in SmtpLogin
    ]


def _every_oauth2() -> list[str]:
    return [
        word
        for login, mode in MODES.items()
        for word in (
            [login.value] if mode.grant else [f"{login}-{g}" for g in OAuth2Grant]
        )
    ]


def authorization(rules: AuthenticationSettings) -> Authorization:
    """Say as whom this site is authorized with these values, saved or not."""
    configuration = configuration_of(rules) if is_interactive(rules) else None
    if configuration is None:
        return Authorization("")
    standing = standing_of(configuration)
    if not standing.is_authorized:
        return Authorization(gettext("Nobody has authorized this site yet."))
    told = authorized_words(standing)
    if standing.is_for_good:
        told += " " + gettext("The provider gives no token any more.")
    return Authorization(told, standing.is_well, standing.words, standing.remedy)


def authorized_words(standing: Standing) -> str:
    at = standing.authorized_at
    facts = {
        "account": standing.account,
        "when": date_format(localtime(at), "DATETIME_FORMAT") if at else "",
    }
    if standing.account:
        return gettext("Authorized as %(account)s on %(when)s.") % facts
    told = gettext("Authorized on %(when)s; as whom, the provider does not say.")
    return told % facts

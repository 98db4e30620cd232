"""The cards of the page "Authentication": which fields they show, folded or open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from django.conf import settings
from django.forms import BoundField
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authconfig.choices import AuthenticationType, Method
from authconfig.clients.choices import Kind
from authconfig.models import MODEL_FIELDS, AuthenticationSettings
from authconfig.policy import TABLE, uses
from authconfig.sections import (
    FIELDS,
    HELP_OF_TYPE,
    KINDS_OF_FIELD,
    MYAPPS_ONLY_TYPES,
    SECRETS,
    SECTIONS,
    Section,
)
from authconfig.settings_form import SettingsForm
from authconfig.smtp_login.account_form import CERTIFICATE_FIELDS
from authconfig.smtp_login.modes import EVERY_FIELD, shown_for
from pbxsite.administration.authentication import summary
from pbxsite.administration.authentication.kept.page_form import Conflict, PageForm
from pbxsite.administration.authentication.kept.values import Past

MYAPPS_ONLY = _("(myApps only)")
MYAPPS_AND_MYPBX = _("(myApps and myPBX)")
# Sections and fields that only one method needs.
METHOD_OF_SECTION = {"netlogon": Method.NETLOGON, "oauth2": Method.OAUTH2}
METHOD_OF_FIELD = {
    "oauth2_provider_name": Method.OAUTH2,
    "oauth2_domain": Method.OAUTH2,
}
# These stand below the choice of the login at the mail server.
OF_MAIL_LOGIN = tuple(name for name in EVERY_FIELD if name != "smtp_password")
# Templates of fields that are more than a label and an input.
OWN_TEMPLATES = {
    "two_factor": "two_factor",
    "authentication_type": "types",
    "factor_required": "factor_required",
    "password_changes_forbidden": "switch",
    "forgotten_password": "switch",
    "forgotten_password_same_mailbox": "switch",
    "directory_sync": "switch",
    "directory_sync_attributes": "sync_attributes",
    "myapps_digest_logins": "digest_logins",
    "myapps_approve_by_comparing": "switch",
    "smtp_oauth2_shared_mailbox": "switch",
    "smtp_login": "smtp_login/login",
}
FOLDER = "admin/authconfig/authenticationsettings"
INTRODUCTIONS = {
    "email": _(
        "The e-mail account that the PBX sends with: verification e-mails for"
        " two-factor authentication, and e-mails from the voicemail object."
    ),
    "netlogon": _("Where Windows passwords are checked."),
    "oauth2": _("Where users log in with OpenID/OAuth2."),
    "alarms": _(
        "Whom this site tells when e-mails do not go out or users cannot log in. The"
        " overview always shows what is wrong."
    ),
}


@dataclass(frozen=True)
class Example:
    entered: str | Promise
    before: str
    after: str


EXAMPLES = {
    "oauth2_domain": (
        Example(_("Nothing entered"), "user@example.com", "user@example.com"),
        Example("example.com", "user@example.com", "user"),
    ),
    "pbx_domain": (Example("example.com", "user@example.com", "user"),),
}


@dataclass(frozen=True)
class FieldRow:
    field: BoundField
    mark: str | Promise = ""
    suggestion: str = ""
    warning: str = ""
    examples: tuple[Example, ...] = ()
    certificates: tuple[str, ...] = ()
    # The ways to log in at the mail server that use it; all if it is empty.
    shown_for: str = ""
    past: tuple[Past, ...] = ()
    conflict: Conflict | None = None

    @property
    def is_secret(self) -> bool:
        return self.field.name in SECRETS

    @property
    def template(self) -> str:
        return f"{FOLDER}/{OWN_TEMPLATES.get(self.field.name, 'row')}.html"


@dataclass(frozen=True)
class Fold:
    """Fields that are folded away while they hold nothing that matters."""

    rows: list[FieldRow]
    is_open: bool
    method: str = ""
    is_used: bool = True

    @property
    def contents(self) -> str:
        # Some labels hold a comma themselves.
        return " · ".join(str(row.field.label) for row in self.rows)


@dataclass(frozen=True)
class Card:
    section: Section
    summary: str
    introduction: str | Promise
    rows: list[FieldRow]
    of_method: Fold | None
    more: Fold | None
    # With a heading of its own.
    part: Fold | None
    method: str
    is_used: bool
    is_open: bool


@dataclass(frozen=True)
class TypeOption:
    value: str
    label: str | Promise
    help: str | Promise
    mark: str | Promise
    is_chosen: bool
    methods: str


@dataclass(frozen=True)
class Condition:
    """What two-factor authentication needs before it can be switched on."""

    text: str | Promise
    link: str
    is_met: bool


def name_of(key: str) -> str:
    """Return a field's label, with its section if two fields have this label."""
    labels = [str(MODEL_FIELDS[name].verbose_name) for name in FIELDS]
    label = str(MODEL_FIELDS[key].verbose_name)
    if labels.count(label) == 1:
        return label
    section = next(section for section in SECTIONS if key in section.every_field)
    return f"{label} ({section.title})"


def conditions(form: SettingsForm, rules: AuthenticationSettings) -> list[Condition]:
    return [
        Condition(
            _("Send a test e-mail that the SMTP server accepts"),
            "#send-test",
            bool(rules.smtp_server) and form.outside.account_was_accepted(rules),
        ),
        Condition(
            _("Enter the verification link"),
            f"#{form['verification_link'].id_for_label}",
            bool(rules.verification_link),
        ),
    ]


def cards(form: PageForm) -> list[Card]:
    return [_card(form, section) for section in SECTIONS]


def type_options(form: SettingsForm) -> list[TypeOption]:
    chosen = form["authentication_type"].value()
    return [
        TypeOption(
            value=option.value,
            label=option.label,
            help=HELP_OF_TYPE[option],
            mark=MYAPPS_ONLY if option in MYAPPS_ONLY_TYPES else "",
            is_chosen=chosen == option,
            methods=" ".join(_methods_of(option)),
        )
        for option in AuthenticationType
    ]


def _methods_of(option: AuthenticationType) -> list[str]:
    used = {method for methods in TABLE[option].values() for method in methods}
    return sorted(used)


def _card(form: PageForm, section: Section) -> Card:
    method = METHOD_OF_SECTION.get(section.key)
    is_used = method is None or _is_used(form, method)
    part = _more(form, section.part.fields) if section.part else None
    elsewhere = (*METHOD_OF_FIELD, *OF_MAIL_LOGIN)
    own = [name for name in section.fields if name not in elsewhere]
    of_method = [name for name in section.fields if name in METHOD_OF_FIELD]
    return Card(
        section=section,
        summary=summary.SENTENCES[section.key](form.rules),
        introduction=INTRODUCTIONS.get(section.key, ""),
        rows=rows(form, own),
        of_method=_method_fold(form, of_method),
        more=_more(form, section.more),
        part=part,
        method=method or "",
        is_used=is_used,
        is_open=is_used
        or _has_errors(form, section.every_field)
        or bool(part and part.is_open),
    )


def _method_fold(form: PageForm, names: list[str]) -> Fold | None:
    if not names:
        return None
    method = METHOD_OF_FIELD[names[0]]
    is_used = _is_used(form, method)
    is_open = is_used or _has_errors(form, names)
    return Fold(rows(form, names), is_open, method, is_used)


def _more(form: PageForm, names: tuple[str, ...]) -> Fold | None:
    if not names:
        return None
    is_open = _has_errors(form, names) or not _are_default(form, names)
    return Fold(rows(form, names), is_open)


def rows(form: PageForm, names: Iterable[str]) -> list[FieldRow]:
    return [
        FieldRow(
            form[name],
            _mark(name),
            _own_link() if name == "verification_link" else "",
            _stale_link(form) if name == "verification_link" else "",
            EXAMPLES.get(name, ()),
            tuple(_certificates_in(form, name)),
            shown_for(name) if name in EVERY_FIELD else "",
            form.past_of(name),
            form.conflict_of(name),
        )
        for name in names
    ]


def _mark(name: str) -> str | Promise:
    kinds = KINDS_OF_FIELD.get(name)
    if kinds is None:
        return ""
    return MYAPPS_ONLY if kinds == (Kind.MYAPPS,) else MYAPPS_AND_MYPBX


def _own_link() -> str:
    # It serves the links unless a proxy gives the site another address.
    return f"{settings.SITE_URL}{reverse('verification:link')}"


def _stale_link(form: SettingsForm) -> str:
    return summary.stale_link(form.rules.verification_link, settings.SITE_URL)


def _is_used(form: SettingsForm, method: Method) -> bool:
    """Does the type on the screen use it? A refused form shows its own choice again."""
    chosen = form["authentication_type"].value()
    known = chosen in AuthenticationType.values
    rules = AuthenticationSettings(authentication_type=chosen) if known else form.rules
    return uses(rules, method)


def _has_errors(form: SettingsForm, names: Iterable[str]) -> bool:
    return form.is_bound and any(name in form.errors for name in names)


def _are_default(form: SettingsForm, names: Iterable[str]) -> bool:
    return all(
        getattr(form.rules, name) == MODEL_FIELDS[name].get_default() for name in names
    )


def _certificates_in(form: SettingsForm, name: str) -> Iterator[str]:
    """Say whose the stored certificates are and when they end."""
    pem = getattr(form.rules, name)
    if name not in CERTIFICATE_FIELDS or not pem:
        return
    for certificate in x509.load_pem_x509_certificates(pem.encode()):
        yield gettext("%(subject)s, valid until %(date)s") % {
            "subject": certificate.subject.rfc4514_string(),
            "date": date_format(certificate.not_valid_after_utc),
        }

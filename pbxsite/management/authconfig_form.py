"""The settings page's form, filled from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from authconfig import lockout
from authconfig.choices import SmtpSecurity
from authconfig.fields import SecretInput
from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, LOST_SECRET, SECRETS
from authconfig.settings_form import OutsideFacts, SettingsForm
from authconfig.smtp_login.account_form import DEFAULT_PORTS, leaves_machine
from authconfig.users.settings_history import text_of
from authconfig.validators import split_port
from pbxsite.administration.authentication import audited_form
from pbxsite.management.authconfig_values import BOOLEANS


def stored_form() -> SettingsForm:
    return filled_form(AuthenticationSettings.load(), {})


def filled_form(rules: AuthenticationSettings, values: dict[str, str]) -> SettingsForm:
    outside = OutsideFacts(
        account_was_accepted=audited_form.account_was_accepted,
        lockout=lambda _old, _new: None,
    )
    data = dict(_stored_inputs(rules)) | _follow_security(rules, values)
    for name, value in values.items():
        if name in SECRETS and not value:
            data[SecretInput.removal_name(name)] = "on"
        elif isinstance(getattr(rules, name), bool):
            data[name] = BOOLEANS[value]
        else:
            data[name] = value
    return SettingsForm(data, instance=rules, outside=outside)


def _stored_inputs(rules: AuthenticationSettings) -> Iterator[tuple[str, str]]:
    for name in FIELDS:
        value = getattr(rules, name)
        if isinstance(value, bool):
            yield name, "on" if value else ""
        elif name not in SECRETS:
            yield name, text_of(rules, name)


def _follow_security(
    rules: AuthenticationSettings, values: dict[str, str]
) -> dict[str, str]:
    """Another security takes its usual port along, unless another one was in use.

    A server elsewhere takes neither from the one on this machine.
    """
    usual = {kind.value: port for kind, port in DEFAULT_PORTS.items()}
    if _leaves_machine(rules, values.get("smtp_server", "")):
        return {"smtp_port": "", "smtp_security": SmtpSecurity.STARTTLS.value}
    is_usual = rules.smtp_port == usual[rules.smtp_security]
    return {"smtp_port": ""} if "smtp_security" in values and is_usual else {}


def _leaves_machine(rules: AuthenticationSettings, server: str) -> bool:
    with suppress(ValueError):  # the form tells of a wrong port
        return leaves_machine(rules, split_port(server, 0)[0])
    return False


def warnings(form: SettingsForm) -> Iterator[str]:
    """The command line is the owner's: it warns where the page refuses."""
    if found := lockout.lockout_by(form.rules, form.new_rules(), None):
        yield f"Warning: {found.field}: {found.text}"
    if leaves_machine(form.rules, form.new_rules().smtp_server):
        new = form.new_rules()
        yield f"Note: smtp_security={new.smtp_security}, smtp_port={new.smtp_port}"
    for name in form.lost_secrets:
        yield f"Warning: {name}: {LOST_SECRET[name]}"

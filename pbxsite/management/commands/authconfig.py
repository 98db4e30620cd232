"""The page "Authentication" for scripts: show, set and test the settings."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import BooleanField

from authconfig import lockout
from authconfig.choices import Method, StepState
from authconfig.directory.netlogon_trial import try_netlogon
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.configuration_trial import try_oauth2
from authconfig.oauth2.provider import redirect_uri
from authconfig.policy import uses
from authconfig.sections import FIELDS, SECRETS
from authconfig.settings_form import (
    DEFAULT_PORTS,
    MODEL_FIELDS,
    OutsideFacts,
    SecretInput,
    SettingsForm,
)
from authconfig.trial import Step
from pbxsite.administration.authentication import account_trials, audited_form, summary
from pbxsite.management.site_command import SiteCommand
from verification.mail import account_trial
from verification.mail.account import account_of
from verification.mail.choices import TrialState
from verification.sessions import signed_in

BOOLEANS = {"on": "on", "off": ""}
Faults = dict[str, list[str]]


class Command(SiteCommand):
    help = "Show, set and test who may log in and how."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("show", help="Print every setting; no secret.")
        show.add_argument("--json", action="store_true")
        _add_set(
            actions.add_parser("set", help="Change settings; all or none of them.")
        )
        _add_test(actions.add_parser("test", help="Test the saved settings."))

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "show":
            self._show(as_json=options["json"])
        elif action == "set":
            self._set(options["assignments"], options["test"], options["end_sessions"])
        elif not self._test(**options):
            sys.exit(1)

    def _test(self, kind: str, **options: Any) -> bool:
        if kind == "smtp":
            return self._test_smtp(_stored(), options["address"])
        if kind == "netlogon":
            password = sys.stdin.readline().rstrip("\r\n")
            return self._test_netlogon(options["user"], password)
        if kind == "oauth2":
            return self._test_oauth2()
        return self._test_all(options["smtp"])

    def _test_all(self, address: str | None) -> bool:
        """Test what people log in with; nobody's password is asked for."""
        settings = AuthenticationSettings.load()
        tests: dict[str, Callable[[], bool] | None] = {
            "smtp": partial(self._test_smtp, _stored(), address) if address else None,
            "netlogon": partial(self._test_netlogon, "", "")
            if uses(settings, Method.NETLOGON)
            else None,
            "oauth2": self._test_oauth2 if uses(settings, Method.OAUTH2) else None,
        }
        passed = [self._passed(name, test) for name, test in tests.items()]
        return all(passed)

    def _passed(self, name: str, test: Callable[[], bool] | None) -> bool:
        self.stdout.write(f"{name}:" if test else f"{name}: not tested")
        return test is None or test()

    def _show(self, *, as_json: bool) -> None:
        values = _values(AuthenticationSettings.load())
        if as_json:
            self.stdout.write(json.dumps(values, indent=2, ensure_ascii=False))
            return
        for key, value in values.items():
            # One line for each, certificates too.
            self.stdout.write(f"{key}={_word(value)}".replace("\n", "\\n"))

    def _set(self, words: list[str], address: str | None, end_sessions: bool) -> None:  # noqa: FBT001
        values, faults = _read(words)
        self._end_with(faults)
        if address is not None:
            self._test_new(values, address)
        with transaction.atomic():
            row = AuthenticationSettings.load()
            row = AuthenticationSettings.objects.select_for_update().get(pk=row.pk)
            form = _form(row, values)
            self._end_with(form.faults)
            self._warn(form)
            keys = audited_form.save(form, actor=None)
            if "two_factor" in keys and form.instance.two_factor:
                self._tell_of_sessions(end_them=end_sessions)
        changed = f"Saved: {', '.join(keys)}" if keys else "Nothing was changed."
        self.stdout.write(changed)

    def _tell_of_sessions(self, *, end_them: bool) -> None:
        if end_them:
            count = signed_in.end_never_approved(actor=None)
            self.stdout.write(summary.sessions_ended(count))
        elif count := signed_in.never_approved().count():
            self.stderr.write(
                f"{count} myApps sessions that nobody approved go on;"
                " --end-sessions ends them."
            )

    def _test_new(self, values: dict[str, str], address: str) -> None:
        form = _form(AuthenticationSettings.load(), values)
        faults = form.faults
        # The test is what switching it on waits for.
        faults.pop("two_factor", None)
        self._end_with(faults)
        if not self._test_smtp(form, address):
            sys.exit(1)

    def _test_smtp(self, form: SettingsForm, address: str) -> bool:
        """Send a test as a worker would, and print each stage."""
        faults = account_trials.faults_of(form, address)
        if account_trials.RECIPIENT in faults:
            faults[address] = faults.pop(account_trials.RECIPIENT)
        if faults:
            self._print_faults(faults)
            return False
        test = account_trials.create(account_of(form.new_rules()), address, None)
        account_trial.run_trial(test.pk)
        for step in test.steps.all():
            time = f"{step.elapsed_ms} ms"
            self.stdout.write(
                f"{step.stage}: {step.state}, {time} {step.words}".strip()
            )
        test.refresh_from_db()
        accepted = test.state == TrialState.ACCEPTED
        self._print_end(address, test.remedy, accepted=accepted)
        return accepted

    def _test_netlogon(self, user: str, password: str) -> bool:
        settings = AuthenticationSettings.load()
        report = try_netlogon(settings, user, password, self._print_step, actor=None)
        self._print_end(user, report.remedy, accepted=report.accepted)
        return report.accepted

    def _test_oauth2(self) -> bool:
        settings = AuthenticationSettings.load()
        url = settings.oauth2_well_known_url
        if not url:
            self._print_faults({"oauth2_well_known_url": ["No provider is set."]})
            return False
        report = try_oauth2(settings, self._print_step, actor=None)
        self._print_end(url, report.remedy, accepted=report.accepted)
        return report.accepted

    def _print_end(self, tested: str, remedy: str, *, accepted: bool) -> None:
        if remedy:
            (self.stdout if accepted else self.stderr).write(remedy)
        if accepted:
            self.stdout.write(f"accepted: {tested}".removesuffix(": "))

    def _print_step(self, step: Step) -> None:
        if step.state != StepState.STARTED:
            line = f"{step.stage}: {step.state}, {step.elapsed_ms} ms {step.words}"
            self.stdout.write(line.strip())

    def _warn(self, form: SettingsForm) -> None:
        """The command line is the owner's: it warns where the page refuses."""
        if found := lockout.lockout_by(form.rules, form.new_rules(), None):
            self.stderr.write(f"Warning: {found.field}: {found.text}")
        for name in form.lost_secrets:
            self.stderr.write(f"Warning: {name}: {summary.LOST_SECRET[name]}")

    def _end_with(self, faults: Faults) -> None:
        self._print_faults(faults)
        if faults:
            sys.exit(1)

    def _print_faults(self, faults: Faults) -> None:
        for key, sentences in faults.items():
            for sentence in sentences:
                self.stderr.write(f"{key.strip('_')}: {' '.join(sentence.split())}")


def _add_set(change: ArgumentParser) -> None:
    change.add_argument(
        "assignments",
        nargs="+",
        metavar="KEY=VALUE",
        help="KEY=@FILE reads a file, KEY=@- the first line of standard input.",
    )
    change.add_argument(
        "--test", metavar="ADDRESS", help="Send a test with the new values first."
    )
    change.add_argument(
        "--end-sessions",
        action="store_true",
        help="With two_factor=on: end the myApps sessions that nobody approved.",
    )


def _add_test(test: ArgumentParser) -> None:
    kinds = test.add_subparsers(dest="kind", required=True)
    smtp = kinds.add_parser("smtp", help="Send a test e-mail.")
    smtp.add_argument("address")
    windows = kinds.add_parser(
        "netlogon",
        help="Log in at the directory; the password comes as the first line of"
        " standard input, an empty one checks none.",
    )
    windows.add_argument("user")
    kinds.add_parser("oauth2", help="Check the OpenID provider's configuration.")
    every = kinds.add_parser(
        "all", help="For monitoring: check what the authentication type uses."
    )
    every.add_argument(
        "--smtp", metavar="ADDRESS", help="Send a test e-mail there as well."
    )


def _values(row: AuthenticationSettings) -> dict[str, Any]:
    values = {key: _shown(key, getattr(row, key)) for key in FIELDS}
    return values | {"oauth2_redirect_uri": redirect_uri()}


def _shown(key: str, value: Any) -> Any:
    if key in SECRETS:
        return "set" if value else "not set"
    return value


def _word(value: Any) -> Any:
    """The words that `set` takes back."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value


def _read(words: list[str]) -> tuple[dict[str, str], Faults]:
    values: dict[str, str] = {}
    faults: Faults = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            _check_key(key, equals)
            values[key] = _read_value(key, value)
        except (OSError, ValueError) as error:
            faults.setdefault(key, []).append(str(error))
    return values, faults


def _check_key(key: str, equals: str) -> None:
    if key not in FIELDS:
        near = get_close_matches(key, FIELDS, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"There is no such setting.{hint}")
    if not equals:
        raise ValueError(f"Write {key}=VALUE.")


def _read_value(key: str, word: str) -> str:
    value = _resolved(word)
    field = MODEL_FIELDS[key]
    if isinstance(field, BooleanField) and value not in BOOLEANS:
        raise ValueError("Enter on or off.")
    known = [str(choice) for choice, _label in field.flatchoices]
    if known and value not in known:
        raise ValueError(f"Enter one of {', '.join(known)}.")
    return value


def _resolved(word: str) -> str:
    if word == "@-":
        return sys.stdin.readline().rstrip("\r\n")
    if word.startswith("@"):
        return Path(word[1:]).read_text().rstrip("\r\n")
    return word


def _stored() -> SettingsForm:
    return _form(AuthenticationSettings.load(), {})


def _form(row: AuthenticationSettings, values: dict[str, str]) -> SettingsForm:
    """Fill the page's form: what is stored, and what was given on top."""
    outside = OutsideFacts(
        account_was_accepted=audited_form.account_was_accepted,
        lockout=lambda _old, _new: None,
    )
    data = dict(_filled(row)) | _follow_security(row, values)
    for name, value in values.items():
        if name in SECRETS and not value:
            data[SecretInput.removal_name(name)] = "on"
        elif isinstance(getattr(row, name), bool):
            data[name] = BOOLEANS[value]
        else:
            data[name] = value
    return SettingsForm(data, instance=row, outside=outside)


def _filled(row: AuthenticationSettings) -> Iterator[tuple[str, str]]:
    for name in FIELDS:
        value = getattr(row, name)
        if isinstance(value, bool):
            yield name, "on" if value else ""
        elif name not in SECRETS:
            yield name, str(value)


def _follow_security(
    row: AuthenticationSettings, values: dict[str, str]
) -> dict[str, str]:
    """Another security takes its usual port along, unless another one was in use."""
    usual = {kind.value: port for kind, port in DEFAULT_PORTS.items()}
    is_usual = row.smtp_port == usual[row.smtp_security]
    return {"smtp_port": ""} if "smtp_security" in values and is_usual else {}

"""Trials from the command line, which print each stage as it ends."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import OutputWrapper

from authconfig.choices import Method, StepState
from authconfig.directory.netlogon_trial import try_netlogon
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.configuration_trial import try_oauth2
from authconfig.policy import uses
from authconfig.settings_form import SettingsForm
from authconfig.trial import Step
from pbxsite.administration.alarms import trials as alarm_trials
from pbxsite.administration.authentication import account_trials
from pbxsite.management.authconfig_form import stored_form
from pbxsite.management.authconfig_values import Faults
from verification.mail import account_trial
from verification.mail.account import account_of
from verification.mail.choices import TrialState


def add_arguments(parser: ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", required=True)
    smtp = kinds.add_parser("smtp", help="Send a test e-mail.")
    smtp.add_argument("address")
    netlogon = kinds.add_parser(
        "netlogon",
        help="Log in at the directory; the password comes as the first line of"
        " standard input, an empty one checks none.",
    )
    netlogon.add_argument("user")
    kinds.add_parser("oauth2", help="Check the OpenID provider's configuration.")
    kinds.add_parser("alarms", help="Send a test alarm to whom alarms are told.")
    every = kinds.add_parser(
        "all", help="For monitoring: check what the authentication type uses."
    )
    every.add_argument(
        "--smtp", metavar="ADDRESS", help="Send a test e-mail there as well."
    )


class Trials:
    """Each says whether it was accepted."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper) -> None:
        self.out, self.err = out, err

    def try_method(self, kind: str, **options: Any) -> bool:
        if kind == "smtp":
            return self.try_smtp(stored_form(), options["address"])
        if kind == "netlogon":
            password = sys.stdin.readline().rstrip("\r\n")
            return self._try_netlogon(options["user"], password)
        if kind == "alarms":
            return self._try_alarms()
        return (
            self._try_oauth2() if kind == "oauth2" else self._try_all(options["smtp"])
        )

    def _try_all(self, address: str | None) -> bool:
        rules = AuthenticationSettings.load()
        trials: dict[str, Callable[[], bool] | None] = {
            "smtp": partial(self.try_smtp, stored_form(), address) if address else None,
            "netlogon": partial(self._try_netlogon, "", "")
            if uses(rules, Method.NETLOGON)
            else None,
            "oauth2": self._try_oauth2 if uses(rules, Method.OAUTH2) else None,
        }
        accepted = [self._is_accepted(name, trial) for name, trial in trials.items()]
        return all(accepted)

    def _is_accepted(self, name: str, trial: Callable[[], bool] | None) -> bool:
        self.out.write(f"{name}:" if trial else f"{name}: not tested")
        return trial is None or trial()

    def try_smtp(self, form: SettingsForm, address: str) -> bool:
        faults = account_trials.faults_of(form, address)
        if account_trials.RECIPIENT in faults:
            faults[address] = faults.pop(account_trials.RECIPIENT)
        if faults:
            self.print_faults(faults)
            return False
        trial = account_trials.create(account_of(form.new_rules()), address, None)
        account_trial.run_trial(trial.pk)
        for step in trial.steps.all():
            self._print_stage(step.stage, step.state, step.elapsed_ms, step.words)
        trial.refresh_from_db()
        accepted = trial.state == TrialState.ACCEPTED
        self._print_end(address, trial.remedy, accepted=accepted)
        return accepted

    def _try_netlogon(self, user: str, password: str) -> bool:
        rules = AuthenticationSettings.load()
        report = try_netlogon(rules, user, password, self._print_step, actor=None)
        self._print_end(user, report.remedy, accepted=report.accepted)
        return report.accepted

    def _try_oauth2(self) -> bool:
        rules = AuthenticationSettings.load()
        url = rules.oauth2_well_known_url
        if not url:
            self.print_faults({"oauth2_well_known_url": ["No provider is set."]})
            return False
        report = try_oauth2(rules, self._print_step, actor=None)
        self._print_end(url, report.remedy, accepted=report.accepted)
        return report.accepted

    def _try_alarms(self) -> bool:
        rules = AuthenticationSettings.load()
        tests = {
            "alarm_recipients": alarm_trials.test_mail,
            "alarm_webhook_url": alarm_trials.test_webhook,
        }
        told = {name: test for name, test in tests.items() if getattr(rules, name)}
        if not told:
            self.print_faults({name: ["Nobody is set."] for name in tests})
        faults = [self._is_told(name, *test(rules)) for name, test in told.items()]
        return bool(faults) and all(faults)

    def _is_told(self, name: str, fault: str, words: str) -> bool:
        if fault:
            self.print_faults({name: [f"{fault} {words}"]})
        else:
            self.out.write(f"{name}: {words}")
        return not fault

    def _print_step(self, step: Step) -> None:
        if step.state != StepState.STARTED:
            self._print_stage(step.stage, step.state, step.elapsed_ms, step.words)

    def _print_stage(self, stage: str, state: str, elapsed_ms: int, words: str) -> None:
        self.out.write(f"{stage}: {state}, {elapsed_ms} ms {words}".strip())

    def _print_end(self, tried: str, remedy: str, *, accepted: bool) -> None:
        if remedy:
            (self.out if accepted else self.err).write(remedy)
        if accepted:
            self.out.write(f"accepted: {tried}".removesuffix(": "))

    def print_faults(self, faults: Faults) -> None:
        for key, sentences in faults.items():
            for sentence in sentences:
                self.err.write(f"{key.strip('_')}: {' '.join(sentence.split())}")

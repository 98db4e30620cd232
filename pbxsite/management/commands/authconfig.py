"""The page "Authentication" for scripts: show, set and test the settings."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from authconfig.models import AuthenticationSettings
from pbxsite.administration.authentication import audited_form
from pbxsite.management import authconfig_trials, authconfig_values
from pbxsite.management.authconfig_form import filled_form, warnings
from pbxsite.management.authconfig_leftovers import Leftovers
from pbxsite.management.authconfig_trials import Trials
from pbxsite.management.authconfig_values import (
    Faults,
    assignment,
    read_assignments,
    shown_values,
)
from pbxsite.management.site_command import SiteCommand


class Command(SiteCommand):
    help = "Show, set and test who may log in and how."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("show", help="Print every setting; no secret.")
        show.add_argument("--json", action="store_true")
        change = actions.add_parser("set", help="Change settings; all or none of them.")
        authconfig_values.add_arguments(change)
        trial = actions.add_parser("test", help="Test the saved settings.")
        authconfig_trials.add_arguments(trial)

    def handle(self, *, action: str, **options: Any) -> None:
        self.trials = Trials(self.stdout, self.stderr)
        if action == "show":
            self._show(as_json=options["json"])
        elif action == "set":
            self._set(**options)
        elif not self.trials.try_method(**options):
            sys.exit(1)

    def _show(self, *, as_json: bool) -> None:
        values = shown_values(AuthenticationSettings.load())
        if as_json:
            self.stdout.write(json.dumps(values, indent=2, ensure_ascii=False))
            return
        for key, value in values.items():
            self.stdout.write(assignment(key, value))

    def _set(self, *, assignments: list[str], **options: Any) -> None:
        values, faults = read_assignments(assignments)
        self._end_with(faults)
        if options["test"] is not None:
            self._try_new(values, options["test"])
        with transaction.atomic():
            rules = AuthenticationSettings.load()
            rules = AuthenticationSettings.objects.select_for_update().get(pk=rules.pk)
            form = filled_form(rules, values)
            self._end_with(form.faults)
            for line in warnings(form):
                self.stderr.write(line)
            keys = audited_form.save(form, actor=None)
            if "two_factor" in keys and form.instance.two_factor:
                Leftovers(self.stdout, self.stderr).clear(**options)
        changed = f"Saved: {', '.join(keys)}" if keys else "Nothing was changed."
        self.stdout.write(changed)

    def _try_new(self, values: dict[str, str], address: str) -> None:
        form = filled_form(AuthenticationSettings.load(), values)
        faults = form.faults
        # Switching it on waits for this very trial.
        faults.pop("two_factor", None)
        self._end_with(faults)
        if not self.trials.try_smtp(form, address):
            sys.exit(1)

    def _end_with(self, faults: Faults) -> None:
        self.trials.print_faults(faults)
        if faults:
            sys.exit(1)

"""What the theme's front page shows to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from authconfig.models import current_rules
from pbxsite.administration.alarms.mail_login import findings_of_login
from pbxsite.administration.alarms.present import (
    rejections,
    unread_directory,
    untaken_users,
    untold,
)
from pbxsite.administration.directory_runs.state import scim_state, sync_state
from pbxsite.administration.entry.answers import Census
from pbxsite.administration.findings import Finding
from pbxsite.administration.front_page import alarm_list, cards, first_run, logins
from pbxsite.administration.queue.report import queue_report
from verification.mail.operation.operators import is_operator
from verification.mail.operation.overview import times_of_day

SETTINGS = "authconfig.change_authenticationsettings"
USERS = "users.view_pbxuser"
MAILS = "mail.view_outgoingemail"
LOG = "users.view_auditevent"
SESSIONS = "usersessions.view_usersession"
CLIENTS = "clients.view_clientapplication"


class Reader:
    """Reads each thing once, and only what its reader may see."""

    def __init__(self, request: HttpRequest) -> None:
        self.rules, self.operates = current_rules(), is_operator(request)
        self.may = request.user.has_perm
        sees_mails = self.operates or self.may(MAILS)
        self.report = queue_report(times_of_day) if sees_mails else None
        self.census = Census(self.rules) if self.may(USERS) else None
        self.sync = sync_state(self.rules) if self.may(SETTINGS) else None
        self.scim = scim_state() if self.may(SETTINGS) else None
        self.hours = logins.by_hour(timezone.now()) if self.may(LOG) else None

    def context(self) -> dict[str, Any]:
        alarms = alarm_list.shown(self._findings(), self.may, operates=self.operates)
        steps = self._steps()
        return {
            "alarms": alarms,
            "is_watched": self.report is not None,
            "steps": steps,
            "steps_left": sum(not step.is_done for step in steps),
            "is_in_use": self.census is not None and first_run.is_in_use(self.census),
            "logins": logins.chart(self.hours) if self.hours else None,
            "cards": list(self._cards()),
        }

    def _findings(self) -> Iterator[Finding]:
        if self.report:
            yield from self.report.findings
        if self.may(SETTINGS):
            yield from untold()
            yield from unread_directory(self.sync)
            yield from untaken_users(self.scim)
            yield from findings_of_login(self.rules)
        if self.census:
            yield from alarm_list.closed(self.census)
        if self.hours:
            rejected = sum(hour.rejected for hour in self.hours)
            yield from rejections(rejected)
        if self.may(CLIENTS):
            yield from alarm_list.refused_clients()

    def _steps(self) -> list[first_run.FirstStep]:
        if not (self.census and self.may(SETTINGS)):
            return []
        steps = first_run.steps(self.rules, self.census)
        return [] if all(step.is_done for step in steps) else steps

    def _cards(self) -> Iterator[cards.Card]:
        if self.report:
            yield cards.of_mails(self.report, operates=self.operates)
        if self.may(SETTINGS):
            yield cards.of_policy(self.rules)
        if self.census:
            yield cards.of_entry(self.census)
        if self.sync:
            yield cards.of_directory(self.sync)
        if self.scim:
            yield cards.of_scim(self.scim)
        if self.may(SESSIONS):
            yield cards.of_sessions()


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give the theme's front page what it shows."""
    return context | Reader(request).context()

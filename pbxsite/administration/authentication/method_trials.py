"""Tests of login methods with the values on the screen: answered stage by stage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.choices import StepState
from authconfig.directory import netlogon_trial
from authconfig.directory.choices import NetlogonStage
from authconfig.methods.netlogon import Failures
from authconfig.models import current_settings
from authconfig.names import name_key
from authconfig.oauth2 import configuration_trial
from authconfig.sections import SECTIONS
from authconfig.settings_form import SettingsForm
from authconfig.trial import Progress, Report, Step
from authconfig.users.models import PbxUser

NETLOGON_USER, NETLOGON_PASSWORD = "test_user", "test_password"
Faults = dict[str, list[str]]
Run = Callable[[Progress], Report]


@dataclass(frozen=True)
class Headings:
    running: str
    accepted: str
    failed: str


def netlogon_faults(form: SettingsForm, user: str) -> Faults:
    """Return what is wrong with Netlogon's fields; other fields do not matter here."""
    faults = _faults_of(form, "netlogon", "netlogon_bind_password")
    if not form.candidate().netlogon_domain:
        faults.setdefault("netlogon_domain", [_("Enter the Windows domain first.")])
    if not user:
        faults[NETLOGON_USER] = [_("Enter the name of a user to test with.")]
    return faults


def netlogon(
    form: SettingsForm, user: str, password: str, actor: PbxUser
) -> HttpResponseBase:
    """Log in at the directory as the user; the password is kept nowhere.

    A wrong one counts like one of a login: the directory counts it as well.
    """
    candidate = form.candidate()
    failures = Failures(name_key(netlogon_trial.name_of(user, candidate)))
    most = current_settings().netlogon_max_failures
    if password and failures.use_up() > most:
        return _spared(most)

    def run(progress: Progress) -> Report:
        report = netlogon_trial.try_netlogon(
            candidate, user, password, progress, actor=actor
        )
        if password and not _was_wrong(report):
            failures.give_back()
        return report

    words = {"user": user}
    headings = Headings(
        running=_("Testing Netlogon as %(user)s …") % words,
        accepted=_("The directory accepts %(user)s.") % words,
        failed=_("Netlogon does not work like this."),
    )
    return _streamed(run, headings)


def _was_wrong(report: Report) -> bool:
    """An answer that was not heard may have been a no."""
    return any(
        step.stage is NetlogonStage.PASSWORD and step.state is StepState.FAILED
        for step in report.steps
    )


def _spared(most: int) -> JsonResponse:
    sentence = ngettext(
        "%(count)d wrong password of this user in 10 minutes: the directory is not"
        " asked again until then, or it might lock the account. Test with another"
        " user, or without a password.",
        "%(count)d wrong passwords of this user in 10 minutes: the directory is not"
        " asked again until then, or it might lock the account. Test with another"
        " user, or without a password.",
        most,
    ) % {"count": most}
    return JsonResponse({"message": sentence}, status=HTTPStatus.TOO_MANY_REQUESTS)


def oauth2_faults(form: SettingsForm) -> Faults:
    """Return what is wrong with the provider's address; more is not asked."""
    form.is_valid()
    name = "oauth2_well_known_url"
    if not form.candidate().oauth2_well_known_url:
        return {name: [_("Enter the address of the provider's configuration first.")]}
    return {name: form.faults[name]} if name in form.faults else {}


def roundtrip_faults(form: SettingsForm) -> Faults:
    """Return what is wrong with any of OAuth2's fields."""
    faults = _faults_of(form, "oauth2", "oauth2_client_secret")
    candidate = form.candidate()
    for name in ("oauth2_well_known_url", "oauth2_client_id"):
        if not getattr(candidate, name):
            faults.setdefault(name, [_("Enter it first.")])
    return faults


def oauth2(form: SettingsForm, actor: PbxUser) -> StreamingHttpResponse:
    candidate = form.candidate()

    def run(progress: Progress) -> Report:
        return configuration_trial.try_oauth2(candidate, progress, actor=actor)

    headings = Headings(
        running=_("Testing the provider …"),
        accepted=_("The provider's configuration is right."),
        failed=_("OAuth2 does not work like this."),
    )
    return _streamed(run, headings)


def _faults_of(form: SettingsForm, section: str, secret: str) -> Faults:
    form.is_valid()
    names = next(s.all_fields for s in SECTIONS if s.key == section)
    faults = {name: form.faults[name] for name in names if name in form.faults}
    if secret in form.lost_secrets and not faults:
        again = _("Enter it again: the stored one is not sent to a changed server.")
        faults[secret] = [again]
    return faults


def _streamed(run: Run, headings: Headings) -> StreamingHttpResponse:
    """Answer with a line of JSON for each step, and a last one for the outcome."""
    lines = _lines(run, headings, translation.get_language())
    # A proxy that gathers the lines would show them all at the end.
    headers = {"X-Accel-Buffering": "no"}
    return StreamingHttpResponse(
        lines, content_type="application/x-ndjson", headers=headers
    )


async def _lines(
    run: Run, headings: Headings, language: str | None
) -> AsyncIterator[bytes]:
    loop, steps = asyncio.get_running_loop(), asyncio.Queue[Step | None]()

    def note(step: Step) -> None:
        loop.call_soon_threadsafe(steps.put_nowait, step)

    running = asyncio.ensure_future(_in_thread(run, note, language))
    running.add_done_callback(lambda _done: steps.put_nowait(None))
    shown: dict[str, Step] = {}
    while step := await steps.get():
        shown[step.stage] = step
        yield _line("running", headings.running, "", shown.values())
    report = await running
    outcome = "accepted" if report.accepted else "failed"
    heading = headings.accepted if report.accepted else headings.failed
    yield _line(outcome, heading, report.remedy, shown.values())


async def _in_thread(run: Run, progress: Progress, language: str | None) -> Report:
    def work() -> Report:
        try:
            with translation.override(language):
                return run(progress)
        finally:
            connections.close_all()

    return await sync_to_async(work, thread_sensitive=False)()


def _line(
    state: str, heading: str, text: str | Promise, steps: Iterable[Step]
) -> bytes:
    status = {
        "state": state,
        "heading": heading,
        "text": str(text),
        "steps": [_shown(step) for step in steps],
    }
    return json.dumps(status).encode() + b"\n"


def _shown(step: Step) -> dict[str, Any]:
    return {
        "stage": str(step.stage.label),
        "state": step.state,
        "state_words": str(step.state.label),
        "elapsed_ms": step.elapsed_ms,
        "words": step.words,
    }

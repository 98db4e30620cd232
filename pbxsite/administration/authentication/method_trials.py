"""Test Netlogon and Test OAuth2: a login method tried with the values on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from allauth.core.ratelimit import consume
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from authconfig.choices import StepState
from authconfig.directory import netlogon_trial
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.netlogon_trial import NetlogonReport
from authconfig.methods.netlogon import Failures
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.names import name_key
from authconfig.oauth2 import configuration_trial
from authconfig.sections import SECTIONS
from authconfig.settings_form import SettingsForm
from authconfig.trial import Progress, Report
from authconfig.users.models import PbxUser
from pbxsite.administration.authentication.posted_form import posted_form, user_of
from pbxsite.administration.authentication.streamed_reports import Headings, streamed

NETLOGON_USER, NETLOGON_PASSWORD = "test_user", "test_password"
Faults = dict[str, list[str]]


@require_POST
def try_netlogon(request: HttpRequest) -> HttpResponseBase:
    """Log in at the directory as a user; the password is kept nowhere."""
    form, user = posted_form(request), request.POST.get(NETLOGON_USER, "").strip()
    if faults := _netlogon_faults(form, user):
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    if not consume(request, action="try_netlogon", user=request.user):
        wait = _("3 tests a minute are enough. Please wait a minute, then try again.")
        return _too_often(wait)
    password = request.POST.get(NETLOGON_PASSWORD, "")
    trial = NetlogonTrial(form.new_rules(), user, password, user_of(request))
    if not trial.may_ask():
        return _too_often(_spared_words(current_rules().netlogon_max_failures))
    return streamed(trial.run, trial.headings)


@dataclass(frozen=True)
class NetlogonTrial:
    """A wrong password counts like that of a login: the directory counts it as well."""

    rules: AuthenticationSettings
    user: str
    password: str
    actor: PbxUser

    @property
    def failures(self) -> Failures:
        return Failures(name_key(netlogon_trial.name_of(self.user, self.rules)))

    def may_ask(self) -> bool:
        most = current_rules().netlogon_max_failures
        return not self.password or self.failures.use_up() <= most

    def run(self, progress: Progress) -> NetlogonReport:
        report = netlogon_trial.try_netlogon(
            self.rules, self.user, self.password, progress, actor=self.actor
        )
        if self.password and not _was_wrong(report):
            self.failures.give_back()
        return report

    @property
    def headings(self) -> Headings:
        words = {"user": self.user}
        return Headings(
            running=_("Testing Netlogon as %(user)s …") % words,
            accepted=_("The directory accepts %(user)s.") % words,
            failed=_("Netlogon does not work like this."),
        )


def _netlogon_faults(form: SettingsForm, user: str) -> Faults:
    """Return what is wrong with Netlogon's fields; other fields do not matter."""
    faults = _faults_of(form, "netlogon", "netlogon_bind_password")
    if not form.new_rules().netlogon_domain:
        faults.setdefault("netlogon_domain", [_("Enter the Windows domain first.")])
    if not user:
        faults[NETLOGON_USER] = [_("Enter the name of a user to test with.")]
    return faults


def _was_wrong(report: NetlogonReport) -> bool:
    """Was the password refused? An answer that was not heard may have been a no."""
    return not report.password_was_right and any(
        step.stage is NetlogonStage.PASSWORD and step.state is StepState.FAILED
        for step in report.steps
    )


def _spared_words(most: int) -> str:
    return ngettext(
        "%(count)d wrong password of this user in 10 minutes: the directory is not"
        " asked again until then, or it might lock the account. Test with another"
        " user, or without a password.",
        "%(count)d wrong passwords of this user in 10 minutes: the directory is not"
        " asked again until then, or it might lock the account. Test with another"
        " user, or without a password.",
        most,
    ) % {"count": most}


def _too_often(words: str) -> JsonResponse:
    return JsonResponse({"message": words}, status=HTTPStatus.TOO_MANY_REQUESTS)


@require_POST
def try_oauth2(request: HttpRequest) -> HttpResponseBase:
    """Ask the provider for its configuration and keys."""
    form, actor = posted_form(request), user_of(request)
    if faults := _provider_faults(form):
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    rules = form.new_rules()

    def run(progress: Progress) -> Report:
        return configuration_trial.try_oauth2(rules, progress, actor=actor)

    headings = Headings(
        running=_("Testing the provider …"),
        accepted=_("The provider's configuration is right."),
        failed=_("OAuth2 does not work like this."),
    )
    return streamed(run, headings)


def _provider_faults(form: SettingsForm) -> Faults:
    """Return what is wrong with the provider's address; nothing else is needed."""
    form.is_valid()
    name = "oauth2_well_known_url"
    if not form.new_rules().oauth2_well_known_url:
        return {name: [_("Enter the address of the provider's configuration first.")]}
    return {name: form.faults[name]} if name in form.faults else {}


def round_trip_faults(form: SettingsForm) -> Faults:
    """Return what is wrong with any of OAuth2's fields."""
    faults = _faults_of(form, "oauth2", "oauth2_client_secret")
    rules = form.new_rules()
    for name in ("oauth2_well_known_url", "oauth2_client_id"):
        if not getattr(rules, name):
            faults.setdefault(name, [_("Enter it first.")])
    return faults


def _faults_of(form: SettingsForm, section: str, secret: str) -> Faults:
    form.is_valid()
    names = next(s.all_fields for s in SECTIONS if s.key == section)
    faults = {name: form.faults[name] for name in names if name in form.faults}
    if secret in form.lost_secrets and not faults:
        again = _("Enter it again: the stored one is not sent to a changed server.")
        faults[secret] = [again]
    return faults

"""Send test: a worker sends an e-mail with the account that stands on the screen."""

from __future__ import annotations

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from authconfig.models import AuthenticationSettings
from authconfig.smtp_login.account_form import MAIL_FIELDS, MailAccountForm
from authconfig.users.models import PbxUser
from verification.mail.account import Account, account_of, fingerprint
from verification.mail.account_trial import TRIAL_START_TTL
from verification.mail.choices import TrialState
from verification.mail.models import AccountTrial
from verification.mail.tasks import run_account_trial
from verification.redis_access import BROKER_ERRORS

logger = logging.getLogger(__name__)
LIMIT, LIMIT_PERIOD = 10, timedelta(minutes=1)
# A worker that is running starts a trial at once.
PATIENCE = timedelta(seconds=5)
RECIPIENT = "test_recipient"
STATUS = "admin:authconfig_authenticationsettings_trial_status"
Faults = dict[str, list[str]]


@require_POST
def try_account(request: HttpRequest) -> JsonResponse:
    assert isinstance(request.user, PbxUser)
    if is_too_often():
        wait = _("10 tests a minute are enough. Please wait a minute, then try again.")
        return JsonResponse({"message": wait}, status=HTTPStatus.TOO_MANY_REQUESTS)
    form = MailAccountForm(request.POST, instance=AuthenticationSettings.load())
    recipient = request.POST.get(RECIPIENT, "").strip()
    if faults := faults_of(form, recipient):
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    trial = start(account_of(form.new_rules()), recipient, request.user)
    url = reverse(STATUS, args=[trial.public_id])
    return JsonResponse({"url": url, **status_of(trial)})


@require_safe
def trial_status(request: HttpRequest, public_id: UUID) -> JsonResponse:
    assert isinstance(request.user, PbxUser)
    own = AccountTrial.objects.filter(requested_by=request.user)
    return JsonResponse(status_of(get_object_or_404(own, public_id=public_id)))


def is_too_often() -> bool:
    """Is the page's limit reached, which counts all administrators together?"""
    since = timezone.now() - LIMIT_PERIOD
    recent = AccountTrial.objects.filter(
        requested_by__isnull=False, created_at__gt=since
    )
    return recent.count() >= LIMIT


def faults_of(form: MailAccountForm, recipient: str) -> Faults:
    """Return what is wrong with the e-mail account, or with the recipient."""
    form.is_valid()
    faults = {n: form.faults[n] for n in MAIL_FIELDS if n in form.faults}
    rules = form.new_rules()
    if not rules.smtp_server:
        faults.setdefault("smtp_server", [_("Enter the SMTP server first.")])
    if not rules.smtp_email_address:
        missing = _("Enter the address that the e-mails come from first.")
        faults.setdefault("smtp_email_address", [missing])
    if fault := _recipient_fault(recipient):
        faults[RECIPIENT] = [fault]
    return faults


def _recipient_fault(recipient: str) -> str:
    """Return what is wrong with the address; no user can have such a one either."""
    if not recipient:
        return _("Enter the address that the test e-mail goes to.")
    try:
        validate_email(recipient)
    except ValidationError:
        local, _at, domain = recipient.rpartition("@")
        if local and domain and not local.isascii():
            return _(
                "Letters such as ä or é are not possible before the @. Enter another"
                " address."
            )
        return _("This is not an e-mail address. Correct it.")
    return ""


def create(
    account: Account, recipient: str, requested_by: PbxUser | None
) -> AccountTrial:
    return AccountTrial.objects.create(
        requested_by=requested_by,
        recipient=recipient,
        language=get_language() or settings.LANGUAGE_CODE,
        server=account.server,
        port=account.port,
        security=account.security,
        client_host_name=account.client_host_name,
        sender_name=account.sender_name,
        email_address=account.email_address,
        username=account.username,
        password=account.password,
        oauth2=account.oauth2.packed() if account.oauth2 else "",
        ca_certificate=account.ca_certificate,
        fingerprint=fingerprint(account),
    )


def start(account: Account, recipient: str, requested_by: PbxUser) -> AccountTrial:
    """Ask a worker to try the account; without a broker one finds it by itself."""
    trial = create(account, recipient, requested_by)
    try:
        run_account_trial.delay(trial.pk)
    except BROKER_ERRORS as error:
        logger.warning("account test %s: no worker woken (%s)", trial.pk, error)
    return trial


def _give_up(trial: AccountTrial, remedy: str) -> None:
    """End a trial, unless a worker has it: a publish that timed out may arrive."""
    AccountTrial.objects.filter(pk=trial.pk, state=TrialState.QUEUED).update(
        state=TrialState.FAILED,
        remedy=remedy,
        password="",
        ended_at=timezone.now(),
    )
    trial.refresh_from_db()


def status_of(trial: AccountTrial) -> dict[str, Any]:
    """Return what the page shows of a trial at this moment."""
    if timezone.now() - trial.created_at > TRIAL_START_TTL:
        _give_up(trial, _no_worker())
    return {
        "state": trial.state,
        "is_over": trial.ended_at is not None,
        "heading": _heading(trial),
        "text": _text(trial),
        "steps": [
            {
                "stage": step.get_stage_display(),
                "state": step.state,
                "state_words": step.get_state_display(),
                "elapsed_ms": step.elapsed_ms,
                "words": step.words,
            }
            for step in trial.steps.all()
        ],
    }


def _heading(trial: AccountTrial) -> str:
    words = {"recipient": trial.recipient}
    if trial.state == TrialState.ACCEPTED:
        return _("The server accepted the test e-mail to %(recipient)s.") % words
    if trial.state == TrialState.FAILED:
        return _("The test e-mail was not sent.")
    if _is_left_alone(trial):
        return _("No worker is running.")
    return _("Sending a test e-mail to %(recipient)s …") % words


def _text(trial: AccountTrial) -> str:
    if trial.state == TrialState.ACCEPTED:
        return _(
            "With exactly this e-mail account, two-factor authentication can be"
            " switched on. Look into the mailbox whether the e-mail arrives."
        )
    if _is_left_alone(trial):
        return _no_worker()
    return trial.remedy


def _is_left_alone(trial: AccountTrial) -> bool:
    waited = timezone.now() - trial.created_at
    return trial.state == TrialState.QUEUED and waited > PATIENCE


def _no_worker() -> str:
    return _(
        "Nobody has taken the test up, so verification e-mails wait as well. Start the"
        " Celery worker on the server, then send the test again."
    )

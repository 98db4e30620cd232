"""The two buttons "Test" of the alarms, with the values on the screen."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from allauth.core.ratelimit import consume
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.oauth2.faults import ProviderFault
from authconfig.sections import FIELDS
from authconfig.settings_fields.alarms import split_recipients
from authconfig.settings_form import NOTHING_OUTSIDE, SettingsForm
from pbxsite.administration.alarms import calls, mails
from pbxsite.administration.alarms.choices import News

Faults = dict[str, list[str]]
ADDRESSES, URL = "alarm_recipients", "alarm_webhook_url"
REMEDIES = {
    ProviderFault.NAME_UNKNOWN: gettext_lazy(
        "No host has this name. Correct the address."
    ),
    ProviderFault.REFUSED: gettext_lazy(
        "Nobody listens there. Correct the port, or start the receiver."
    ),
    ProviderFault.TIMEOUT: gettext_lazy(
        "The receiver has to answer within %(seconds)g seconds, and did not. Look"
        " whether a firewall is in between, or have it answer before it works."
    ),
    ProviderFault.REDIRECTED: gettext_lazy(
        "The receiver leads on to another address, which this site does not follow."
        " Enter that one if it is right."
    ),
}


class AlarmForm(SettingsForm):
    """The fields of the alarms alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, outside=NOTHING_OUTSIDE, **kwargs)
        for name in FIELDS:
            if not name.startswith("alarm_"):
                del self.fields[name]

    def check_together(self, new_rules: AuthenticationSettings) -> None:
        pass


@require_POST
def try_mail(request: HttpRequest) -> JsonResponse:
    return _answer(request, (ADDRESSES,), test_mail)


@require_POST
def try_webhook(request: HttpRequest) -> JsonResponse:
    return _answer(request, (URL, "alarm_webhook_secret"), test_webhook)


def _answer(request: HttpRequest, names: tuple[str, ...], test: Any) -> JsonResponse:
    form = AlarmForm(request.POST, instance=AuthenticationSettings.load())
    form.is_valid()
    faults = {name: form.faults[name] for name in names if name in form.faults}
    if not getattr(form.new_rules(), names[0]):
        faults.setdefault(names[0], [_("Enter it first.")])
    if faults:
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    if not consume(request, action="try_alarm", user=request.user):
        wait = _("10 tests a minute are enough. Please wait a minute, then try again.")
        return JsonResponse({"message": wait}, status=HTTPStatus.TOO_MANY_REQUESTS)
    fault, words = test(form.new_rules())
    return JsonResponse(
        {
            "state": "failed" if fault else "accepted",
            "is_over": True,
            "heading": fault or words,
            "text": words if fault else "",
            "steps": [],
        }
    )


def test_mail(rules: AuthenticationSettings) -> tuple[str, str]:
    """Queue a test for each address; return what went wrong, and what to do then."""
    if not mails.has_account(current_rules()):
        words = _("Enter the e-mail account above and save it first.")
        return _("No e-mail account is set up, so no e-mail can be sent."), words
    addresses = split_recipients(rules.alarm_recipients)
    mails.send(addresses, News.TEST)
    words = ngettext(
        "%(count)d e-mail is queued. Look into the mailbox; if nothing comes, the"
        " e-mail queue says why.",
        "%(count)d e-mails are queued. Look into the mailboxes; if nothing comes, the"
        " e-mail queue says why.",
        len(addresses),
    )
    return "", words % {"count": len(addresses)}


def test_webhook(rules: AuthenticationSettings) -> tuple[str, str]:
    """Call the webhook; return what went wrong, and what to do then."""
    answer = calls.post(rules, uuid4(), calls.body_of(News.TEST))
    if not answer.fault:
        return "", _("The webhook took the test.")
    told = _("The webhook does not work: %(fault)s") % {"fault": answer.fault}
    if answer.reason in REMEDIES:
        seconds = {"seconds": settings.OAUTH2_TIMEOUT}
        return told, str(REMEDIES[answer.reason]) % seconds
    if answer.reason:
        return told, _("Correct the address, or the receiver's certificate.")
    return told, _("Look into the receiver's log: does it know this secret and path?")

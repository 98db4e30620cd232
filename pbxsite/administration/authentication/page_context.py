"""What the page "Authentication" shows beside the form's own fields."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from authconfig.bounded_counts import bounded_count
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.adapter import redirect_uri
from authconfig.sections import SETTINGS_PAGE
from authconfig.settings_form import SettingsForm
from pbxsite.administration.authentication import (
    cards,
    client_words,
    summary,
    voicemail_key,
)
from pbxsite.administration.authentication.account_trials import RECIPIENT
from pbxsite.administration.authentication.kept import entries
from pbxsite.administration.authentication.kept.page_form import PageForm
from pbxsite.administration.authentication.posted_form import (
    OWN_PASSWORD,
    user_of,
)
from pbxsite.administration.authentication.smtp_login import login_block
from pbxsite.administration.directory_runs.state import PRESETS
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import Census
from pbxsite.administration.queue.report import paused_words
from verification.login import back_channel
from verification.mail.operation import actions
from verification.mail.operation.outcomes import last_outcomes
from verification.sessions import factors, signed_in
from verification.sessions.reauthentication import (
    can_reauthenticate_by_password,
    seconds_left,
)
from verification.voicemail import keys as voicemail_keys


def page_context(request: HttpRequest, form: PageForm) -> dict[str, Any]:
    return {
        "title": _("Authentication"),
        "form": form,
        "login_url": f"{reverse('admin:login')}?next={reverse(SETTINGS_PAGE)}",
        "reader": entries.reader_of(user_of(request)),
        "cards": cards.cards(form),
        "types": cards.type_options(form),
        "conditions": cards.conditions(form, form.rules),
        "field_faults": _field_faults(form),
        "paused": paused_words() if actions.current_pause() else "",
        "outcomes": last_outcomes(),
        "sync_presets": PRESETS,
        "redirect_uri": redirect_uri(),
        "logout_uri": f"{settings.SITE_URL}{reverse(back_channel.NAME)}",
        "smtp_login": login_block.login_block(form),
        "voicemail_key": voicemail_keys.current_key(),
        "voicemail_address": voicemail_key.address(),
        "recipient": request.POST.get(RECIPIENT, user_of(request).email),
        "test_user": user_of(request).name,
        **_counts(form.rules),
        "kept_passwords": client_words.kept_passwords(form.rules),
        "never_approved": _never_approved(request, form.rules),
        "unapproved_factors": _unapproved_factors(form.rules),
        "reauthentication": _reauthentication(request),
    }


def _counts(rules: AuthenticationSettings) -> dict[str, Any]:
    """Say who cannot log in, and whom two-factor authentication would keep out."""
    now, held = Census(rules), copy(rules)
    held.two_factor, held.verification_link = True, rules.verification_link or "-"
    unapproved, factorless = now.by(held).without_approval(), now.without_factor()
    return {
        "closed": words.all_closed(now),
        "without_approval": summary.without_approval(unapproved) if unapproved else "",
        "without_factor": summary.without_factor(factorless) if factorless else "",
    }


def _field_faults(form: SettingsForm) -> list[dict[str, str]]:
    """Return every fault with its field's id and label, in the page's order."""
    return [
        {
            "id": bound.auto_id,
            "label": cards.name_of(bound.name),
            "text": fault,
        }
        for bound in form
        for fault in form.faults.get(bound.name, [])
    ]


def _never_approved(request: HttpRequest, rules: AuthenticationSettings) -> str:
    """Offer to end these sessions while two-factor authentication is off."""
    if rules.two_factor:
        return ""
    own = request.session.session_key or ""
    count = bounded_count(signed_in.never_approved(besides=own))
    return summary.never_approved(count) if count else ""


def count_unapproved() -> int:
    return bounded_count(factors.users_of_unapproved())


def _unapproved_factors(rules: AuthenticationSettings) -> str:
    """Offer to remove these factors while two-factor authentication is off."""
    count = 0 if rules.two_factor else count_unapproved()
    return summary.remove_unapproved(count) if count else ""


def _reauthentication(request: HttpRequest) -> dict[str, Any]:
    return {
        "field": OWN_PASSWORD,
        "asked_in_ms": int(seconds_left(request) * 1000),
        "by_password": can_reauthenticate_by_password(user_of(request)),
        "again_url": f"{reverse('account_login_again')}?next={reverse(SETTINGS_PAGE)}",
    }

"""What goes with users and groups that are deleted."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.utils.translation import gettext_lazy as _

from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import PbxUser
from pbxsite.administration.deletion import GoesAlong
from verification.approval.models import LoginSession
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.voicemail.models import KeptRecording

WITH_USERS = (
    GoesAlong(
        _("Sessions, which end at once"),
        lambda users: UserSession.objects.filter(user__in=users),
    ),
    GoesAlong(
        _("Logins that wait for approval"),
        lambda users: LoginSession.objects.pending().filter(user__in=users),
    ),
    GoesAlong(
        _("Second factors, recovery codes among them"),
        lambda users: Authenticator.objects.filter(user__in=users),
    ),
    GoesAlong(
        _("Connected OAuth2 accounts"),
        lambda users: ProviderIdentity.objects.filter(user__in=users),
    ),
    GoesAlong(
        _("E-mails that are not sent yet, and will not be"),
        lambda users: OutgoingEmail.objects.filter(
            user__in=users, state=MailState.QUEUED
        ),
    ),
    GoesAlong(
        _("Voicemail recordings that are kept on this site"),
        lambda users: KeptRecording.objects.filter(user__in=users),
    ),
)
WITH_GROUPS = (
    GoesAlong(
        _("Administrators who lose the group's rights"),
        lambda groups: PbxUser.objects.filter(groups__in=groups).distinct(),
    ),
)

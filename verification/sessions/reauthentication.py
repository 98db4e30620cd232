"""Asking again who somebody is, before they do what only the owner should do."""

from __future__ import annotations

import time
from functools import wraps

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core.exceptions import ReauthenticationRequired
from allauth.core.ratelimit import consume
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import BEGAN_KEY, View
from authconfig.models import current_rules
from authconfig.policy import methods_for
from authconfig.users.models import PbxUser


def is_recently_authenticated(request: HttpRequest) -> bool:
    return seconds_left(request) > 0


def seconds_left(request: HttpRequest) -> float:
    counts: float = settings.REAUTHENTICATION_TTL.total_seconds()
    return max(0.0, authenticated_at(request) + counts - time.time())


def authenticated_at(request: HttpRequest) -> float:
    """Return when this session's user last proved who they are (seconds since 1970)."""
    assert isinstance(request.user, PbxUser)
    records = get_authentication_records(request, request.user)
    proofs = [float(r["at"]) for r in records if r.get("reauthenticated")]
    return max([float(request.session.get(BEGAN_KEY, 0)), *proofs])


def reauthentication_required(view: View) -> View:
    """Ask again, then go on with what was wanted.

    allauth keeps the POST meanwhile, so this is not for views that take secrets.
    """

    @wraps(view)
    def checked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        return view(request, *args, **kwargs)

    return checked


def can_reauthenticate_by_password(user: PbxUser) -> bool:
    """Is there a password that the login form would take from this user?

    Only the directory knows who has a Windows password, so everybody counts as having
    one where Netlogon is allowed. A type that allowed Netlogon beside OAuth2 would also
    ask users for a password who have none, and who can only log in again.
    """
    methods = methods_for(current_rules(), Kind.MYAPPS)
    by_pbx = Method.PASSWORD in methods and user.has_usable_password()
    return by_pbx or Method.NETLOGON in methods


def reauthentication_fault(request: HttpRequest, password: str) -> str:
    """Say why this may not be the owner; "" if the password proves it.

    For views that take secrets, which must not be kept while somebody is asked again.
    """
    assert isinstance(request.user, PbxUser)
    if is_recently_authenticated(request):
        return ""
    if not can_reauthenticate_by_password(request.user):
        return _("Your login is older than 15 minutes. Log in again, then save.")
    if not password:
        return _("Your login is older than 15 minutes. Enter your password, then save.")
    if not consume(request, action="reauthenticate", user=request.user):
        return _("Too many tries. Wait a minute, then enter your password again.")
    return _password_fault(request, request.user, password)


def _password_fault(request: HttpRequest, user: PbxUser, password: str) -> str:
    try:
        is_right = get_adapter().reauthenticate(user, password)
    except ValidationError as error:
        return " ".join(error.messages)
    if not is_right:
        return _("This is not your password. Enter it again, then save.")
    reauthenticate_by_password(request)
    return ""

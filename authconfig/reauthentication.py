"""Asking again who somebody is, before he does what only the owner should do."""

from __future__ import annotations

import time
from functools import wraps

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from authconfig.choices import Client, Method
from authconfig.clients import BEGAN_KEY, View
from authconfig.models import PbxUser, current_settings
from authconfig.policy import methods_for


def is_recently_authenticated(request: HttpRequest) -> bool:
    """Did this session's user log in, or prove himself again, a short while ago?"""
    assert isinstance(request.user, PbxUser)
    records = get_authentication_records(request, request.user)
    proofs = [r["at"] for r in records if r.get("reauthenticated")]
    newest = max([request.session.get(BEGAN_KEY, 0.0), *proofs])
    return bool(time.time() - newest < settings.REAUTHENTICATION_TTL.total_seconds())


def reauthentication_required(view: View) -> View:
    """Ask again, and go on by itself with what was wanted.

    allauth keeps a POST meanwhile, so that this is not for views that take secrets.
    """

    @wraps(view)
    def checked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        return view(request, *args, **kwargs)

    return checked


def can_reauthenticate_by_password(user: PbxUser) -> bool:
    """Is there a password that the login form would take from this user?

    Of a Windows password nobody knows before the directory is asked.
    """
    methods = methods_for(current_settings(), Client.MYAPPS)
    by_pbx = Method.PASSWORD in methods and user.has_usable_password()
    return by_pbx or Method.NETLOGON in methods

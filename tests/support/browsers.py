"""Browsers of users, as Django's test client plays them."""

from __future__ import annotations

import time

from django.test import Client as Browser

from authconfig.users.models import PbxUser


def sign_in(user: PbxUser, kind: str = "myapps") -> Browser:
    """Return a browser with a session of this kind, without going through a login."""
    browser = Browser()
    browser.force_login(user)
    session = browser.session
    session["kind"] = kind
    session["began_at"] = time.time()
    session.save()
    return browser

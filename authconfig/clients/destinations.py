"""Where a login leads: to the wanted client application, a start page or the account.

A page of ours (`open_client`) leads on to other hosts: browsers apply the login form's
form-action policy to every redirect that follows the form.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from authconfig.clients.choices import Kind
from authconfig.clients.models import ClientApplication

RETURN_FIELD = "return"
ACCOUNT = "verification:account"
LOGIN_PAGES = {Kind.MYAPPS: "account_login", Kind.MYPBX: "account_login_mypbx"}


def client_of(url: str) -> ClientApplication | None:
    clients = ClientApplication.objects.exclude(return_urls="")
    return next((client for client in clients if client.allows(url)), None)


def opening_path(client: ClientApplication, wanted: str = "") -> str:
    query = f"?{urlencode({RETURN_FIELD: wanted})}" if wanted else ""
    return reverse("open_client", args=[client.slug]) + query


def start_path(kind: Kind) -> str:
    """Return where a login leads that asked for no address."""
    client = ClientApplication.objects.filter(slug=kind).exclude(start_url="").first()
    return opening_path(client) if client else reverse(ACCOUNT)


def leading_path(url: str) -> str:
    """Return the path on this site by which a login reaches the address."""
    if url.startswith("/") or url.startswith(f"{settings.SITE_URL}/"):
        return url
    client = client_of(url)
    return opening_path(client, url) if client else reverse(ACCOUNT)

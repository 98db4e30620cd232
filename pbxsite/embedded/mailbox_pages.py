"""The pages of the local mailbox, for this machine alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import wraps
from pathlib import Path
from urllib.parse import urlsplit

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from authconfig.validators import is_loopback
from pbxsite.edge.local import is_on_this_machine
from pbxsite.embedded.data_dir import MAIL_NAME_FORMAT, mailbox

SHOWN_MAILS = 200
# What a mail brings along must neither run nor load anything, nor act as this site.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none';"
    " frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation"
)

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class KeptMail:
    name: str
    received_at: datetime | None
    message: EmailMessage

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def attachments(self) -> list[str]:
        parts = self.message.iter_attachments()
        return [part.get_filename() or part.get_content_type() for part in parts]

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        try:
            return str(part.get_content()) if part else ""
        except LookupError:
            # The mail names a charset that Python does not know.
            return str(part)


def _kept() -> list[Path]:
    """Return the mails that the mailbox wrote, newest first, and no other file."""
    found = mailbox(settings.DATA_DIR).glob("*.eml")
    files = (file for file in found if _received_at(file))
    return sorted(files, reverse=True)


def _received_at(file: Path) -> datetime | None:
    try:
        moment = datetime.strptime(file.name.partition("-")[0], MAIL_NAME_FORMAT)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC)


def read_mail(file: Path) -> KeptMail:
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    return KeptMail(file.stem, _received_at(file), message)


def _find(name: str) -> KeptMail:
    # Only a name that the directory itself lists is opened, whatever the URL says.
    for file in _kept():
        if file.stem == name:
            return read_mail(file)
    raise Http404


def is_reachable() -> bool:
    """Say whether only this machine reaches the site; others would read its mails."""
    host = urlsplit(settings.SITE_URL).hostname or ""
    return settings.EMBEDDED and is_loopback(host) and is_loopback(settings.BIND)


def mailbox_page(view: View) -> View:
    """Serve it to this machine only; it needs no login."""

    @login_not_required
    @never_cache
    @require_safe
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: str) -> HttpResponse:
        if not is_reachable() or not is_on_this_machine(request):
            raise Http404
        return view(request, **kwargs)

    return guarded


@mailbox_page
def mails(request: HttpRequest) -> HttpResponse:
    files = _kept()
    shown = [read_mail(file) for file in files[:SHOWN_MAILS]]
    context = {"mails": shown, "older": len(files) - len(shown)}
    return render(request, "embedded/mailbox/mails.html", context)


@csp_update({"frame-src": ["'self'"]})
@mailbox_page
def mail(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "embedded/mailbox/mail.html", {"mail": _find(name)})


@xframe_options_sameorigin
@mailbox_page
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """Show a mail's HTML part, with its links leading out of the frame."""
    html = _find(name).html
    target = '<base target="_top">'
    html, found = re.subn(r"(?i)<head(\s[^>]*)?>", rf"\g<0>{target}", html, count=1)
    policy_header = {"Content-Security-Policy": MAIL_POLICY}
    return HttpResponse(html if found else target + html, headers=policy_header)


urlpatterns = [
    path("mailbox/", mails, name="mailbox"),
    path("mailbox/<str:name>/", mail, name="mailbox_mail"),
    path("mailbox/<str:name>/html/", mail_html, name="mailbox_mail_html"),
]

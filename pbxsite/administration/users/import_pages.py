"""The admin's pages that import users from a file, and the file of all users."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminFileFieldWidget

from authconfig.bounded_counts import bounded_count
from authconfig.users.audit import origin_of
from authconfig.users.csv_file import as_csv, parse, template
from authconfig.users.csv_text import text_of
from authconfig.users.models import PbxUser
from pbxsite.administration.invitations.inviting import INVITE_MANY
from pbxsite.administration.users.user_import import UserImport
from verification.password_links import invitations
from verification.sessions.reauthentication import reauthentication_required

MAX_BYTES = 2 * 1024 * 1024
# What a page shows of thousands of rows or faults.
SHOWN_ROWS = 200
# An upload waits in the cache until it is confirmed: every web process finds it there.
KEPT_SECONDS = 3600
KEPT_KEY = "users-import-{}"
PAGE = "admin/users/pbxuser/import.html"
# Excel takes a file without this mark for its own old encoding.
EXCEL_ENCODING = "utf-8-sig"
# On the coloured ground of a message a link keeps the colour of its text.
IN_MESSAGE = '{} <a class="font-semibold underline" href="{}">{}</a>'


class UploadForm(forms.Form):
    import_file = forms.FileField(
        label=gettext_lazy("File to import"), widget=UnfoldAdminFileFieldWidget
    )

    def clean_import_file(self) -> str:
        file = self.cleaned_data["import_file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                _(
                    "The file has %(size)s; at most %(most)s can be imported here."
                    " Divide it, or import it on the server: manage.py pbxusers import"
                )
                % {"size": filesizeformat(file.size), "most": filesizeformat(MAX_BYTES)}
            )
        text = text_of(file.read())
        self.rows = parse(text)
        return text


class ConfirmForm(forms.Form):
    import_file_name = forms.CharField(max_length=64, widget=forms.HiddenInput)


class UserFileMixin:
    """All or nothing: if one row cannot be imported, none is."""

    admin_site: AdminSite
    change_list_template = "admin/users/pbxuser/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        views = {
            "import": self.import_view,
            "process_import": reauthentication_required(self.confirm_view),
            "export": require_safe(self.export_view),
            "template": require_safe(self.template_view),
        }
        own = [
            path(f"{key}/", self.admin_site.admin_view(view), name=_url_name(key))
            for key, view in views.items()
        ]
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [*own, *urls]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {
            "has_import_permission": self.has_import_permission(request),
            "can_invite": self.has_change_permission(request)  # type: ignore[attr-defined]
            and invitations.are_possible(),
        }
        shown = (extra_context or {}) | may
        page: HttpResponse = super().changelist_view(request, shown)  # type: ignore[misc]
        return page

    def has_import_permission(self, request: HttpRequest) -> bool:
        may_add: bool = self.has_add_permission(request)  # type: ignore[attr-defined]
        return may_add and self.has_change_permission(request)  # type: ignore[attr-defined]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, then what the file would change or what is wrong with it."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        is_post = request.method == "POST"
        form = UploadForm(request.POST, request.FILES) if is_post else UploadForm()
        context = self.admin_site.each_context(request) | {
            "title": _("Import users"),
            "opts": PbxUser._meta,
            "form": form,
            "shown_rows": f":{SHOWN_ROWS}",
            "shown_count": SHOWN_ROWS,
        }
        return TemplateResponse(request, PAGE, context | _preview(request, form))

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        return _confirmed(request)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Send the users that the list's search and filters leave."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        listed = self.get_changelist_instance(request)  # type: ignore[attr-defined]
        return _download("pbxusers.csv", as_csv(listed.get_queryset(request)))

    def template_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        return _download("pbxusers-template.csv", template())


def _download(name: str, text: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    file = text.encode(EXCEL_ENCODING)
    return HttpResponse(file, "text/csv; charset=utf-8", headers=headers)


def _url_name(key: str) -> str:
    return f"users_pbxuser_{key}"


def _actor(request: HttpRequest) -> PbxUser:
    assert isinstance(request.user, PbxUser)
    return request.user


def _confirmed(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        # An administrator who logged in again instead lost what they confirmed.
        return _again(request, _("The import was not confirmed."))
    form = ConfirmForm(request.POST)
    text = _taken(form.cleaned_data["import_file_name"]) if form.is_valid() else ""
    if not text:
        return _again(request, _("The file is no longer here."))
    done = UserImport(parse(text), _actor(request), origin_of(request))
    done.run(save=True)
    if done.faults:
        # The preview was right, but somebody may have changed the users since.
        return _again(request, str(done.faults[0]))
    messages.success(request, f"{done.summary}.")
    for closed in done.closed:
        shown = format_html(IN_MESSAGE, closed.text, closed.link, _("Show them"))
        messages.warning(request, shown)
    _offer_invitations(request)
    return redirect("admin:users_pbxuser_changelist")


def _offer_invitations(request: HttpRequest) -> None:
    """Say how many users have no password yet, and how they get one."""
    count = bounded_count(invitations.without_password())
    if not (invitations.are_possible() and count):
        return
    text = ngettext(
        "%(n)s active user has no PBX password.",
        "%(n)s active users have no PBX password.",
        count,
    ) % {"n": count}
    url = reverse(f"admin:{INVITE_MANY}")
    messages.warning(request, format_html(IN_MESSAGE, text, url, _("Invite them")))


def _preview(request: HttpRequest, form: UploadForm) -> dict[str, Any]:
    """Try the file without saving it; without faults it is kept to be confirmed."""
    if not form.is_valid():
        return {}
    tried = UserImport(form.rows, _actor(request), origin_of(request))
    tried.run(save=False)
    if tried.faults:
        return {"result": tried}
    name, text = secrets.token_urlsafe(16), form.cleaned_data["import_file"]
    cache.set(KEPT_KEY.format(name), text, KEPT_SECONDS)
    confirm_form = ConfirmForm(initial={"import_file_name": name})
    return {"result": tried, "confirm_form": confirm_form}


def _taken(name: str) -> str:
    """Return the text of an upload, which can be confirmed once."""
    key = KEPT_KEY.format(name)
    text: str = cache.get(key, "")
    cache.delete(key)
    return text


def _again(request: HttpRequest, fault: str) -> HttpResponse:
    text = _("Nothing was imported. %(fault)s Please upload the file again.")
    messages.error(request, text % {"fault": fault})
    return redirect("admin:users_pbxuser_import")

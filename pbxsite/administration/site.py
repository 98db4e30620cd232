"""The admin site."""

from __future__ import annotations

from typing import Any

from allauth.account.views import logout
from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import InvalidPage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import is_myapps
from verification.mail.operation.operators import is_operator_alone


class PbxAdminSite(UnfoldAdminSite):
    """Lets in myApps sessions alone, whose login went through the whole policy."""

    index_title = _("Overview")

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and is_myapps(request)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if is_operator_alone(request):
            return redirect("queue")
        response: HttpResponse = super().index(request, extra_context)
        return response

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to our login page: Django's form knows no kind, stage or limit."""
        if is_myapps(request) and not self.has_permission(request):
            # The login page would lead this myApps session back to here, for ever.
            raise PermissionDenied
        wanted = request.GET.get(REDIRECT_FIELD_NAME, reverse("admin:index"))
        return redirect_to_login(wanted)

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = logout(request)
        return response

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse a page that is none; the theme's own would fail."""
        try:
            found: HttpResponse = super().search(request, extra_context)
        except (InvalidPage, ValueError) as error:
            raise BadRequest("page") from error
        return found

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to our page: a session that Django's form begins is listed nowhere."""
        return redirect(ACCOUNT)

    password_change_done = password_change

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Allow what the theme needs: Alpine evaluates attributes and sets styles."""
        relax = csp_update({"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]})
        return relax(super().admin_view(view, cacheable))

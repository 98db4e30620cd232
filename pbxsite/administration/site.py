"""The admin site."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.views import logout
from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import InvalidPage, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import is_myapps
from pbxsite.administration.search import found
from verification.mail.operation.operators import is_operator_alone

RESULTS_ON_A_PAGE = 100
View = Callable[..., HttpResponse]


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
        """Find the menu's pages and users; the theme finds models by its own names."""
        entered = request.GET.get("s", "").strip()
        if not entered:
            return HttpResponse()
        begun = time.perf_counter()
        paginator = Paginator(found(request, entered), RESULTS_ON_A_PAGE)
        try:
            page = paginator.page(request.GET.get("page", 1))
        except InvalidPage as error:
            raise BadRequest("page") from error
        name = "command" if "extended" in request.GET else "search"
        context = {
            "search_term": entered,
            "page_obj": paginator,
            "results": page,
            "execution_time": time.perf_counter() - begun,
            "page_counter": page.start_index() - 1 if page else 0,
        }
        # Later versions of the theme have one for both.
        names = (name, "command")
        template = [f"unfold/helpers/{each}_results.html" for each in names]
        headers = {"HX-Trigger": "search"}
        return TemplateResponse(request, template, context, headers=headers)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to our page: a session that Django's form begins is listed nowhere."""
        return redirect(ACCOUNT)

    password_change_done = password_change

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Allow what the theme needs: Alpine evaluates attributes and sets styles."""
        relax = csp_update({"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]})
        return relax(_never_framed(super().admin_view(view, cacheable)))


def _never_framed(view: View) -> View:
    """Refuse the frames that later versions of the theme open and no page of ours."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        response = view(*args, **kwargs)
        response["X-Frame-Options"] = settings.X_FRAME_OPTIONS
        return response

    return answer

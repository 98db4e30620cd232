"""The admin site."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from unfold.sites import UnfoldAdminSite

from authconfig.clients import is_myapps


class PbxAdminSite(UnfoldAdminSite):
    """The admin: for myApps sessions, whose login went through the whole policy."""

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and is_myapps(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = secure_admin_login(super().login)(
            request, extra_context
        )
        return response

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002
        """The theme's Alpine evaluates its attributes, and it sets styles inline."""
        relax = csp_update({"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]})
        return relax(super().admin_view(view, cacheable))

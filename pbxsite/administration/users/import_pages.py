"""Import and export of users on the admin's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from import_export.admin import ImportExportMixin
from import_export.tmp_storages import CacheStorage
from unfold.contrib.import_export.forms import ImportForm

from authconfig.users.audit import origin_of
from authconfig.users.csv_file import UsersCsv
from pbxsite.administration.users.import_export import UserResource, UserResult
from verification.sessions.reauthentication import reauthentication_required

MAX_BYTES = 2 * 1024 * 1024
# What a page shows of thousands of rows or faults.
SHOWN_ROWS = 200


class UploadStorage(CacheStorage):
    """Holds an upload until it is confirmed, where every web process finds it."""

    CACHE_LIFETIME = 3600
    CACHE_PREFIX = "users-import-"


class UserImportForm(ImportForm):
    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                _(
                    "The file has %(size)s; at most %(most)s can be imported here."
                    " Divide it, or import it on the server: manage.py pbxusers import"
                )
                % {"size": filesizeformat(file.size), "most": filesizeformat(MAX_BYTES)}
            )
        return file


class UserFileMixin(ImportExportMixin):
    """All or nothing: what one row does not allow, no row gets."""

    resource_classes = [UserResource]
    formats = import_formats = export_formats = [UsersCsv]
    import_form_class = UserImportForm
    import_export_change_list_template = "admin/users/pbxuser/change_list.html"
    import_template_name = "admin/users/pbxuser/import.html"
    tmp_storage_class = UploadStorage
    skip_export_form = True
    skip_admin_log = True
    # Excel takes a file without this mark for its own old encoding.
    to_encoding = "utf-8-sig"

    def has_import_permission(self, request: HttpRequest) -> bool:
        allowed: bool = self.has_add_permission(request)
        return allowed and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        allowed: bool = self.has_view_permission(request)
        return allowed

    def get_import_resource_kwargs(
        self, request: HttpRequest, **kwargs: Any
    ) -> dict[str, Any]:
        return {"actor": request.user, "origin": origin_of(request)}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        return {"rollback_on_validation_errors": True}

    def get_import_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"shown_rows": f":{SHOWN_ROWS}", "shown_count": SHOWN_ROWS}

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        if not isinstance(e, ValidationError):
            raise e
        form.add_error("import_file", e)

    @method_decorator(reauthentication_required)  # type: ignore[arg-type]  # no streams
    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            # Whoever logged in again instead comes back without what he confirmed.
            return self._again(request, _("The import was not confirmed."))
        try:
            response: HttpResponse = super().process_import(request, **kwargs)
        except ValidationError:
            return self._again(request, _("The file is no longer here."))
        return response

    def process_result(self, result: UserResult, request: HttpRequest) -> HttpResponse:
        """The preview was right then; by now somebody may have changed the users."""
        if result.faults:
            return self._again(request, str(result.faults[0]))
        response: HttpResponse = super().process_result(result, request)
        return response

    def add_success_message(self, result: UserResult, request: HttpRequest) -> None:
        messages.success(request, f"{result.summary}.")

    def _again(self, request: HttpRequest, fault: str) -> HttpResponse:
        text = _("Nothing was imported. %(fault)s Please upload the file again.")
        messages.error(request, text % {"fault": fault})
        return redirect("admin:users_pbxuser_import")

    def get_export_filename(self, *args: Any) -> str:
        return "pbxusers.csv"

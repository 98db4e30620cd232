"""Changes of client applications: they are in the audit log, and allauth follows."""

from __future__ import annotations

from typing import Any

from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils import translation

from authconfig.choices import Event
from authconfig.clients.models import ClientApplication
from authconfig.fields import SecretField
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.gateway.openid.clients import forget, keep_in_step
from pbxsite.gateway.openid.models import OpenIdClient


def _told(name: str, before: Any, after: Any) -> str:
    if isinstance(ClientApplication._meta.get_field(name), SecretField):
        return f"{name}: {'set' if after else 'removed'}"
    return f"{name}: “{before}” → “{after}”"


class RecordedApplications:
    def save_model(
        self,
        request: HttpRequest,
        obj: ClientApplication,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        before = ClientApplication.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)  # type: ignore[misc]
        told = [
            _told(name, getattr(before, name, ""), getattr(obj, name))
            for name in form.changed_data
            if hasattr(obj, name)
        ]
        if told:
            record_change(request, obj, ", ".join(told))
        openid = OpenIdClient.objects.filter(application=obj.pk).first()
        if openid:
            openid.application = obj
            keep_in_step(openid)

    def save_formset(
        self, request: HttpRequest, form: Any, formset: Any, change: Any
    ) -> None:
        for openid in formset.save(commit=False):
            keep_in_step(openid)
        for filled in formset.forms:
            told = [
                f"{_words(filled.instance, name)}: {_value(filled.instance, name)}"
                for name in filled.changed_data
            ]
            if told:
                application = filled.instance.application
                record_change(request, application, "; ".join(told))

    def delete_model(self, request: HttpRequest, obj: ClientApplication) -> None:
        forget(obj)
        super().delete_model(request, obj)  # type: ignore[misc]
        record_change(request, obj, "deleted")

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[ClientApplication]
    ) -> None:
        for application in queryset:
            self.delete_model(request, application)


def _words(openid: OpenIdClient, name: str) -> str:
    field = openid._meta.get_field(name)
    assert isinstance(field, Field)
    with translation.override("en"):
        return str(field.verbose_name)


def _value(openid: OpenIdClient, name: str) -> str:
    value = getattr(openid, name)
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(str(value).splitlines())


def record_change(
    request: HttpRequest, application: ClientApplication, detail: str
) -> None:
    audit.record(
        Event.SETTING_CHANGED,
        user=None,
        actor=request.user,
        origin=origin_of(request),
        detail=" ".join(f"client {application.slug}: {detail}".split()),
    )

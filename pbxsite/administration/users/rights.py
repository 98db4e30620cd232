"""The rights that an administrator without all rights can be given, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Case, ManyToManyField, Model, Q, QuerySet, When
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from authconfig.users.models import PbxUser

# What a user's page gives: two switches, and what is chosen of many.
ONE, MANY = ("is_staff", "is_superuser"), ("groups", "user_permissions")
RIGHTS = (*ONE, *MANY)
ACTIONS = {
    "view": _("see"),
    "add": _("add"),
    "change": _("change"),
    "delete": _("delete"),
}


class RightsField(ModelMultipleChoiceField):  # type: ignore[type-arg]  # in stubs alone
    """Names the rights in the reader's language; Django knows English names alone."""

    def label_from_instance(self, right: Permission) -> str:
        model = right.content_type.model_class()
        assert model is not None
        own = _own_rights(model)
        action = own.get(right.codename) or ACTIONS[right.codename.split("_", 1)[0]]
        return f"{capfirst(model._meta.verbose_name_plural)}: {action}"


def _own_rights(model: type[Model]) -> dict[str, Any]:
    """Return the rights that a list has beside Django's four, with their names."""
    return getattr(admin.site.get_model_admin(model), "own_rights", {})


def rights() -> QuerySet[Permission]:
    """Return the rights over what the admin shows; any other would open nothing.

    They stand in the menu's order, and of each list as `ACTIONS` has them.
    """
    models = [model for model in apps.get_models() if admin.site.is_registered(model)]
    names = [
        f"{action}_{model._meta.model_name}"
        for model in models
        for action in getattr(
            admin.site.get_model_admin(model), "offered_rights", ACTIONS
        )
    ]
    names += [name for model in models for name in _own_rights(model)]
    types = ContentType.objects.get_for_models(*models)
    found = Permission.objects.filter(
        content_type__in=types.values(), codename__in=names
    )
    return found.select_related("content_type").order_by(
        _first([Q(content_type=types[model]) for model in _menu() if model in types]),
        _first([Q(codename__startswith=f"{action}_") for action in ACTIONS]),
        "codename",
    )


def _menu() -> list[type[Model]]:
    """Return the models in the order in which the menu has their lists."""
    groups = settings.UNFOLD["SIDEBAR"]["navigation"]
    links = [str(item["link"]) for group in groups for item in group["items"]]
    lists = {_list_of(model): model for model in admin.site._registry}
    return [lists[link] for link in links if link in lists]


def _list_of(model: type[Model]) -> str:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    return reverse(f"admin:{name}_changelist")


def _first(conditions: Sequence[Q]) -> Case:
    """Return the number of the condition that holds, for an order; or the last."""
    places = [When(each, then=number) for number, each in enumerate(conditions)]
    return Case(*places, default=len(places))


def is_above(request: HttpRequest, user: PbxUser | None) -> bool:
    """Must the requester, who has some rights, not take this administrator over?"""
    assert isinstance(request.user, PbxUser)
    if user is None or request.user.is_superuser or user.pk == request.user.pk:
        return False
    return user.is_staff or user.is_superuser


def gained_and_lost(
    name: str, before: Iterable[Group | Permission], after: Iterable[Group | Permission]
) -> str:
    """Say for the audit log which groups or rights came and went; "" if none did."""
    old, new = set(map(_key, before)), set(map(_key, after))
    told = [f"+{each}" for each in sorted(new - old)]
    told += [f"-{each}" for each in sorted(old - new)]
    return f"{name}: {' '.join(told)}" if told else ""


def _key(each: Group | Permission) -> str:
    """Return a name that no language changes."""
    if isinstance(each, Group):
        return each.name
    return f"{each.content_type.app_label}.{each.codename}"


class RightsMixin(ModelAdmin):
    """Shows groups and rights as boxes to tick."""

    def formfield_for_manytomany(
        self,
        db_field: ManyToManyField[Any, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> Any:
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        if db_field.related_model is Permission:
            kwargs |= {"queryset": rights(), "form_class": RightsField}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

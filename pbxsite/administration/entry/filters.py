"""Filters by what the policy answers, each choice with its count."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Obstacle
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import UserFacts
from authconfig.users.models import PbxUser
from pbxsite.administration.entry.answers import Answer, Census, Choice
from pbxsite.administration.entry.facts import FACTS

YES, NO = "yes", "no"
Choices = dict[str, tuple[str | Promise, Choice]]


def census_of(request: HttpRequest) -> Census:
    """Count once for each page: all filters of the list need the same."""
    if not hasattr(request, "census"):
        request.census = Census(current_rules())  # type: ignore[attr-defined]
    census: Census = request.census  # type: ignore[attr-defined]
    return census


class CensusFilter(admin.SimpleListFilter):
    options: ClassVar[Choices] = {}

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.census = census_of(request)
        super().__init__(request, *args)

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        counts = {
            key: self.census.count(choose) for key, (_, choose) in self.options.items()
        }
        return [
            (key, f"{text} ({counts[key]})")
            for key, (text, _choose) in self.options.items()
            if counts[key] or key == self.value()
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> QuerySet[PbxUser]:
        if self.value() not in self.options:
            return queryset
        _text, choose = self.options[str(self.value())]
        return queryset.filter(**{f"{FACTS}__in": self.census.chosen(choose)})


def _can(kind: Kind) -> Choices:
    return {
        YES: (_("yes"), lambda _user, found: not found.of(kind)),
        NO: (_("no"), lambda _user, found: bool(found.of(kind))),
    }


def _has(fact: str) -> Choices:
    return {
        YES: (_("yes"), lambda user, _found: getattr(user, fact)),
        NO: (_("no"), lambda user, _found: not getattr(user, fact)),
    }


def _because(obstacle: Obstacle) -> Choice:
    def choose(_user: UserFacts, found: Answer) -> bool:
        return obstacle in (*found.myapps, *found.mypbx)

    return choose


class MyAppsFilter(CensusFilter):
    title = _("can log in to myApps")
    parameter_name = Kind.MYAPPS.value
    options = _can(Kind.MYAPPS)


class MyPbxFilter(CensusFilter):
    title = _("can log in to myPBX")
    parameter_name = Kind.MYPBX.value
    options = _can(Kind.MYPBX)


class ReasonFilter(CensusFilter):
    title = _("why not")
    parameter_name = "reason"
    options = {each.value: (each.label, _because(each)) for each in Obstacle}


class PasswordFilter(CensusFilter):
    title = _("PBX password")
    parameter_name = "password"
    options = _has("has_password")


class AccountFilter(CensusFilter):
    title = _("OAuth2 account")
    parameter_name = "oauth2"
    options = _has("has_account")


class EmailFilter(CensusFilter):
    title = _("e-mail address")
    parameter_name = "email"
    options = _has("has_email")


class FactorFilter(CensusFilter):
    title = _("second factor")
    parameter_name = "factor"
    options = _has("has_factor")

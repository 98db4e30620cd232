"""The pages that make and revoke the key with which a machine writes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise

from authconfig.choices import Origin
from authconfig.models import AuthenticationSettings
from authconfig.users.audit import origin_of
from authconfig.users.bearer_keys import BearerKey
from authconfig.users.models import PbxUser

ASK = "admin/bearer_key_ask.html"
# The question names its key: a form that is sent twice does nothing the second time.
PRESENT = "present"


class Keys(Protocol):
    def make(self, *, actor: PbxUser, origin: Origin) -> str: ...
    def revoke(self, *, actor: PbxUser, origin: Origin) -> bool: ...


@dataclass(frozen=True)
class Words:
    """The titles of the pages and their warnings, and what is told afterwards."""

    make: str | Promise
    make_new: str | Promise
    revoke: str | Promise
    made: str | Promise
    first: str | Promise
    ends: str | Promise
    without: str | Promise
    revoked: str | Promise
    changed_meanwhile: str | Promise


@dataclass(frozen=True)
class BearerKeyPages:
    """`shown` is the template of the one page that shows a new key."""

    keys: Keys
    current: Callable[[], BearerKey | None]
    words: Words
    back: str
    shown: str
    address: Callable[[], str]

    def make(self, request: HttpRequest) -> HttpResponse:
        """Ask, then show the new key: on this one page, and never again."""
        key, words = self.current(), self.words
        if request.method != "POST":
            title = words.make_new if key else words.make
            return self._ask(request, title, words.ends if key else words.first)
        if not self._is_about_the_present_key(request):
            return self._changed_meanwhile(request)
        made = self.keys.make(**_by(request))
        facts = {"title": words.made, "key": made, "address": self.address()}
        return self._page(request, self.shown, facts)

    def revoke(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            words = self.words
            return self._ask(request, words.revoke, words.without, revokes=True)
        if not self._is_about_the_present_key(request):
            return self._changed_meanwhile(request)
        self.keys.revoke(**_by(request))
        messages.success(request, str(self.words.revoked))
        return redirect(self.back)

    def _ask(
        self,
        request: HttpRequest,
        title: str | Promise,
        warning: str | Promise,
        *,
        revokes: bool = False,
    ) -> HttpResponse:
        facts = {
            "title": title,
            "warning": warning,
            "revokes": revokes,
            "key": self.current(),
            "present": self._present(),
        }
        return self._page(request, ASK, facts)

    def _page(
        self, request: HttpRequest, template: str, facts: dict[str, Any]
    ) -> HttpResponse:
        shared = admin.site.each_context(request)
        shared |= {"opts": AuthenticationSettings._meta, "back": reverse(self.back)}
        return TemplateResponse(request, template, shared | facts)

    def _present(self) -> str:
        key = self.current()
        return key.made_at.isoformat() if key else ""

    def _is_about_the_present_key(self, request: HttpRequest) -> bool:
        return request.POST.get(PRESENT) == self._present()

    def _changed_meanwhile(self, request: HttpRequest) -> HttpResponse:
        messages.warning(request, str(self.words.changed_meanwhile))
        return redirect(self.back)


def _by(request: HttpRequest) -> dict[str, Any]:
    assert isinstance(request.user, PbxUser)
    return {"actor": request.user, "origin": origin_of(request)}

"""Everything that is wrong, each with the way to where it is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authconfig.sections import SETTINGS_PAGE
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import Census
from pbxsite.administration.findings import AlarmKind, Finding
from pbxsite.gateway.openid.clients import lacking_pkce

CLIENTS = "admin:clients_clientapplication_changelist"
TO_QUEUE = gettext_lazy("Open the e-mail queue")
TO_SETTINGS = gettext_lazy("Open these settings")
LINK_WORDS: dict[str, str | Promise] = {
    AlarmKind.PAUSED: gettext_lazy("Go on sending"),
    AlarmKind.REJECTED: gettext_lazy("Show these logins"),
    AlarmKind.NO_ENTRY: gettext_lazy("Show these users"),
    AlarmKind.DIRECTORY: gettext_lazy("Open the runs"),
    AlarmKind.SCIM: gettext_lazy("Open the users by SCIM"),
    AlarmKind.CLIENT: gettext_lazy("Open the client applications"),
}


@dataclass(frozen=True)
class ShownAlarm:
    """Without a link where its reader lacks the right."""

    kind: AlarmKind
    sentence: str
    link: str
    link_words: str


def shown(
    findings: Iterable[Finding], may: Callable[[str], bool], *, operates: bool
) -> list[ShownAlarm]:
    settings = may("authconfig.change_authenticationsettings")
    return [_shown(each, settings=settings, operates=operates) for each in findings]


def _shown(found: Finding, *, settings: bool, operates: bool) -> ShownAlarm:
    link, queue = found.link, reverse("queue")
    if link.startswith(reverse(SETTINGS_PAGE)):
        link = link if settings else queue
    if link == queue and not operates:
        return ShownAlarm(found.kind, found.sentence, "", "")
    usual = TO_QUEUE if link == queue else TO_SETTINGS
    link_words = str(LINK_WORDS.get(found.kind, usual))
    return ShownAlarm(found.kind, found.sentence, link, link_words)


def closed(census: Census) -> Iterator[Finding]:
    for each in words.all_closed(census):
        yield Finding(AlarmKind.NO_ENTRY, each.text, each.link)


def refused_clients() -> Iterator[Finding]:
    """Tell of clients that the site refuses, while there are any."""
    refused = lacking_pkce().order_by("application__name").select_related("application")
    names = [openid.application.name for openid in refused[:5]]
    if names:
        text = _(
            "Client applications are refused because they ask without PKCE: %(names)s."
            " Their pages say which switch helps."
        )
        sentence = text % {"names": ", ".join(names)}
        yield Finding(AlarmKind.CLIENT, sentence, reverse(CLIENTS))

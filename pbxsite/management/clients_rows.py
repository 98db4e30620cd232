"""What `manage.py clients` adds, and what it lists."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify

from authconfig.choices import Event
from authconfig.clients.choices import AsksBy
from authconfig.clients.models import ClientApplication
from authconfig.users import audit
from pbxsite.gateway.openid.clients import keep_in_step, new_secret
from pbxsite.gateway.openid.models import OpenIdClient
from pbxsite.management.clients_actions import (
    ADDRESSES,
    OPENID_ADDRESSES,
    OPENID_SWITCHES,
    SWITCHES,
)

OPENID = (*OPENID_ADDRESSES, "back-channel-uri", *OPENID_SWITCHES)
TOLD = ("name", "slug", "kind", "asks_by", "start_url", "is_own", "tells_groups")


@transaction.atomic
def added(options: dict[str, Any]) -> dict[str, str]:
    _check_openid(options)
    application = ClientApplication(
        name=options["name"],
        slug=options["short_name"] or slugify(options["name"]),
        kind=options["kind"],
        start_url=options["start_url"],
        asks_by=AsksBy.OPENID if options["openid"] else AsksBy.FORWARD_AUTH,
        **_addresses(options, ADDRESSES),
        **{name: options[name] for name, _help in SWITCHES.values()},
    )
    application.full_clean()
    application.save()
    detail = f"client {application.slug}: added"
    audit.record(Event.SETTING_CHANGED, user=None, detail=detail)
    return _with_openid(application, options) if options["openid"] else {}


def _check_openid(options: dict[str, Any]) -> None:
    names = {word: word.replace("-", "_") for word in OPENID}
    names |= {word: name for word, (name, _help) in OPENID_SWITCHES.items()}
    given = [word for word, name in names.items() if options[name]]
    if given and not options["openid"]:
        raise ValidationError({given[0]: "Only with --openid."})


def _with_openid(
    application: ClientApplication, options: dict[str, Any]
) -> dict[str, str]:
    openid = OpenIdClient(
        application=application,
        back_channel_uri=options["back_channel_uri"],
        **_addresses(options, OPENID_ADDRESSES),
        **{name: options[name] for name, _help in OPENID_SWITCHES.values()},
    )
    openid.full_clean(exclude=["client"])
    keep_in_step(openid)
    made = {"client_id": openid.client_id}
    return made if openid.is_public else made | {"client_secret": new_secret(openid)}


def _addresses(options: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
    return {
        field: "\n".join(options[word.replace("-", "_")])
        for word, field in names.items()
    }


def told(application: ClientApplication) -> dict[str, Any]:
    facts = {name: getattr(application, name) for name in TOLD}
    facts["return_urls"] = application.return_urls.splitlines()
    openid = OpenIdClient.objects.filter(application=application).first()
    return facts | {"openid": _openid_told(openid) if openid else None}


def _openid_told(openid: OpenIdClient) -> dict[str, Any]:
    switches = {name: getattr(openid, name) for name, _help in OPENID_SWITCHES.values()}
    return switches | {
        "client_id": openid.client_id,
        "redirect_uris": openid.redirect_uris.splitlines(),
        "logout_uris": openid.logout_uris.splitlines(),
        "back_channel_uri": openid.back_channel_uri,
        "has_secret": openid.secret_made_at is not None,
    }

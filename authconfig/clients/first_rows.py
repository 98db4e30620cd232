"""The client applications that every site begins with: one for each kind."""

from __future__ import annotations

from typing import Any

from authconfig.clients.choices import Icon, Kind

FIRST_CLIENTS = ((Kind.MYAPPS, Icon.APPS), (Kind.MYPBX, Icon.PHONE))


def make_first_clients(client_applications: Any) -> None:
    """Make the missing rows; takes the model, so that a migration can pass its own."""
    for kind, icon in FIRST_CLIENTS:
        facts = {"name": kind.label, "kind": kind.value, "icon": icon.value}
        client_applications.objects.get_or_create(
            slug=kind.value, defaults=facts | {"is_own": True}
        )

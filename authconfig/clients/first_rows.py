"""The client applications that every site begins with: the two clients themselves."""

from __future__ import annotations

from typing import Any

from authconfig.clients.choices import Icon, Kind

FIRST_CLIENTS = ((Kind.MYAPPS, Icon.APPS), (Kind.MYPBX, Icon.PHONE))


def make_first_clients(client_applications: Any) -> None:
    """Make the rows that are missing; takes the model, also a migration's own."""
    for kind, icon in FIRST_CLIENTS:
        facts = {"name": kind.label, "kind": kind.value, "icon": icon.value}
        client_applications.objects.get_or_create(
            slug=kind.value, defaults=facts | {"is_own": True}
        )

"""A provider that writes users by SCIM, as a test's client."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client as Browser
from django.utils import timezone

from authconfig.sync.choices import Source
from authconfig.sync.models import SyncPlace
from authconfig.sync.scim import keys
from tests.support.scim_provider import CORE as CORE
from tests.support.scim_provider import PATCH as PATCH
from tests.support.scim_provider import USERS as USERS

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


class ScimClient:
    def __init__(self, key: str | None = None) -> None:
        self.key = keys.make(actor=None) if key is None else key
        self.browser = Browser()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        return self.browser.generic(
            method,
            path,
            content,
            "application/scim+json",
            headers={"Authorization": f"Bearer {self.key}", **headers},
        )

    def add(self, name: str, external_id: str = "", **more: Any) -> Any:
        body = {"schemas": [CORE], "userName": name, "active": True, **more}
        if external_id:
            body["externalId"] = external_id
        return self.ask("POST", USERS, body)

    def patch(self, public_id: str, *operations: dict[str, Any], **headers: str) -> Any:
        body = {"schemas": [PATCH], "Operations": list(operations)}
        return self.ask("PATCH", f"{USERS}/{public_id}", body, **headers)

    def deactivate(self, public_id: str) -> Any:
        operation = {"op": "Replace", "path": "active", "value": "False"}
        return self.patch(public_id, operation)

    def find(self, filter_: str, **more: Any) -> Any:
        return self.browser.get(
            USERS,
            {"filter": filter_, **more},
            headers={"Authorization": f"Bearer {self.key}"},
        ).json()


def confirm() -> None:
    """As if an administrator had confirmed the first run."""
    SyncPlace.objects.update_or_create(
        source=Source.SCIM, defaults={"read_all_at": timezone.now()}
    )

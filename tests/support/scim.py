"""A provider that writes users by SCIM, as a test's client."""

from __future__ import annotations

import json
from typing import Any

import requests
from django.test import Client as Browser
from django.utils import timezone

from authconfig.sync.choices import Source
from authconfig.sync.models import SyncPlace
from authconfig.sync.scim import keys

USERS = "/scim/v2/Users"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


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


class Provider:
    """A provider that writes users of a running site."""

    def __init__(self, url: str, key: str) -> None:
        self.address = f"{url}{USERS}"
        self.headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/scim+json",
        }

    def ask(self, method: str, path: str = "", **body: Any) -> requests.Response:
        address = f"{self.address}{path}"
        return requests.request(
            method, address, json=body, headers=self.headers, timeout=60
        )

    def add(self, name: str) -> str:
        """Return the id that the site gives."""
        answer = self.ask(
            "POST",
            schemas=[CORE],
            userName=name,
            externalId=f"id-{name}",
            displayName=f"{name.title()} Müller",
            emails=[{"value": f"{name}@example.com", "type": "work"}],
        )
        assert answer.ok, answer.text
        return str(answer.json()["id"])

    def let_go(self, public_id: str) -> None:
        operation = {"op": "Replace", "path": "active", "value": "False"}
        body = {"schemas": [PATCH], "Operations": [operation]}
        answer = self.ask("PATCH", f"/{public_id}", **body)
        assert answer.ok, answer.text


def confirm() -> None:
    """As if an administrator had confirmed the first run."""
    SyncPlace.objects.update_or_create(
        source=Source.SCIM, defaults={"read_all_at": timezone.now()}
    )

"""A provider that writes users of a running site by SCIM."""

from __future__ import annotations

from typing import Any

import requests

USERS = "/scim/v2/Users"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


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

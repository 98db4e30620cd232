"""What the tests of attacks share: links, codes, and all that the database holds."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from django.apps import apps
from django.http import HttpResponse
from django.test import Client as Browser

from tests.support.smtp_servers import Mail
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token

CONTINUE = "/login/waiting/continue/"


def link_of(login: LoginSession) -> str:
    return f"/PBX0/session.xml?{urlencode({'id': link_token(login)})}"


def decide_by_link(login: LoginSession, decision: str, code: str = "") -> HttpResponse:
    return Browser().post(link_of(login), {"decision": decision, "code": code})  # type: ignore[return-value]


def last_page(followed: HttpResponse) -> str:
    """Return where the redirects of an answer end."""
    chain: list[tuple[str, int]] = followed.redirect_chain  # type: ignore[attr-defined]
    return chain[-1][0]


def accept_by_link(login: LoginSession) -> None:
    assert decide_by_link(login, "accept", approval_code(login)).status_code == 200


def wrong_code(login: LoginSession) -> str:
    return f"{(int(approval_code(login)) + 1) % 10_000:04d}"


def everything() -> str:
    """Every value of every row in the database."""
    rows = [
        str(row)
        for model in apps.get_models()
        for row in model._base_manager.all().values()
    ]
    return "\n".join(rows)


def link_in(mail: Mail) -> str:
    text = mail.message.get_body(("plain",))
    assert text
    found = re.search(r"https://\S+", text.get_content())
    assert found
    return found[0]

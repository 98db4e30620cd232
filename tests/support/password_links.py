"""Asking for links, and taking them out of the mails."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client as Browser

from tests.support.smtp_servers import Mail, Server
from verification.mail import sending
from verification.password_links import making

NEW = "another long password"


def forget(name: str = "anna", browser: Browser | None = None, **extra: str) -> None:
    asked = (browser or Browser()).post("/login/forgot/", {"login": name}, **extra)
    assert asked.status_code == 302, asked.content


def deliver() -> None:
    """Let a worker write and send whatever waits."""
    making.make_all()
    sending.deliver_due()


def link_of(mail: Mail) -> str:
    """Return the link of a mail, without its host."""
    text = mail.message.get_body(("plain",))
    assert text
    found = re.search(r"https?://\S+id=\S+", text.get_content())
    assert found, text.get_content()
    whole = urlsplit(found[0])
    return f"{whole.path}?{whole.query}"


def links(server: Server) -> list[str]:
    return [
        link_of(mail)
        for mail in server.mails
        if b"/account/password/set/" in mail.content
    ]


def set_password(
    link: str, new: str = NEW, browser: Browser | None = None
) -> HttpResponse:
    words = {"new_password1": new, "new_password2": new}
    return (browser or Browser()).post(link, words)  # type: ignore[return-value]

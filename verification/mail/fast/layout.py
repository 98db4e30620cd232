"""From a mail's texts to the e-mail that has both, as the standard library lays it out.

The library takes as long for a body as a server for the mail. What all mails of a kind
have in common it lays out once, and the values are put in afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import Policy
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from django.utils import translation
from django.utils.translation import get_language

from verification.mail.fast import merge
from verification.mail.smtp.headers import POLICY, wire_policy

# The library would look for a new one in each mail, which costs as much as sending it.
BOUNDARY = f"=_{secrets.token_hex(12)}"
MIME = {
    "MIME-Version": "1.0",
    "Content-Type": f'multipart/alternative; boundary="{BOUNDARY}"',
}
ENDINGS = ("txt", "html")
LONGEST_LINE = 998  # bytes, without CR LF (RFC 5322, 2.1.1)
Headers = list[tuple[str, Any]]


@dataclass(frozen=True)
class Attachment:
    name: str
    content_type: str
    content: bytes


class LaidOutEmail(EmailMessage):
    """Has the headers of its own; its parts are there only in `whole()`."""

    def __init__(self, template: str, context: Mapping[str, Any]) -> None:
        """Take the texts of a template in the active language."""
        super().__init__(POLICY)
        self._body = _merged_body(template, context)
        self._texts = partial(_texts, template, context, get_language())
        if self._body is None:
            # What is no plain string may look otherwise in another time zone.
            self._texts = partial(tuple[str, str], self._texts())
        self.attachment: Attachment | None = None

    def as_bytes(
        self,
        unixfrom: bool = False,  # noqa: FBT001, FBT002  # the library's own signature
        policy: Policy | None = None,
    ) -> bytes:
        """Return what `whole()` is as bytes."""
        policy = policy or self.policy
        if self._body is None or self.attachment or policy.cte_type == "7bit":
            return self.whole().as_bytes(unixfrom, policy)
        early, late = self._headers_around_body()
        lines = [policy.fold_binary(*one) for one in chain(early, MIME.items(), late)]
        return b"".join([*lines, b"\r\n", self._body])

    def whole(self) -> EmailMessage:
        """Return the message with its parts."""
        message = EmailMessage(POLICY)
        early, late = self._headers_around_body()
        for name, value in early:
            message[name] = value
        _lay_out(message, *self._texts())
        if self.attachment:
            _attach(message, self.attachment)
        for name, value in late:
            message[name] = value
        return message

    def _headers_around_body(self) -> tuple[Headers, Headers]:
        """Of the content's own the library would make headers of the first part."""
        early, late = Headers(), Headers()
        for name, value in self.raw_items():
            (late if name.startswith("Content-") else early).append((name, value))
        return early, late


def _texts(
    template: str, context: Mapping[str, Any], language: str | None
) -> tuple[str, str]:
    with translation.override(language):
        text, html = (
            merge.render(f"{template}.{ending}", context) for ending in ENDINGS
        )
    return text, html


def _lay_out(message: EmailMessage, text: str, html: str) -> None:
    message.set_content(text.strip() + "\n", cte=_encoding(text))
    if BOUNDARY not in text + html:
        message.make_alternative(boundary=BOUNDARY)
    message.add_alternative(html, subtype="html", cte=_encoding(html))


def _encoding(text: str) -> str | None:
    """Letters go as they are, unless a line is longer than SMTP allows."""
    return "8bit" if _longest_line(text.encode()) <= LONGEST_LINE else None


def _longest_line(content: bytes) -> int:
    return max(map(len, content.splitlines()))


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    kind, _slash, subtype = attachment.content_type.partition("/")
    message.add_attachment(attachment.content, kind, subtype, filename=attachment.name)


def _merged_body(template: str, context: Mapping[str, Any]) -> bytes | None:
    """Return the body as it travels; None if only the library can make it."""
    if not merge.is_plain(context) or not _is_harmless(context.values()):
        return None
    pieces = _body_of(template, tuple(context), get_language())
    body = merge.merged(pieces, context).encode()
    return body if _longest_line(body) <= LONGEST_LINE else None


def _is_harmless(values: Iterable[str]) -> bool:
    """Such values neither end a line nor a part, and ask for no other value."""
    joined = "".join(values)
    return joined.isprintable() and BOUNDARY not in joined


@lru_cache(maxsize=64)
def _body_of(
    template: str, names: tuple[str, ...], language: str | None
) -> merge.Pieces:
    text, html = (
        merge.joined(merge.pieces_of(f"{template}.{ending}", names, language))
        for ending in ENDINGS
    )
    message = EmailMessage(POLICY)
    _lay_out(message, text, html)
    policy = wire_policy(smtputf8=False, eight_bit=True)
    _headers, _line, body = message.as_bytes(policy=policy).partition(b"\r\n\r\n")
    return merge.split(body.decode())

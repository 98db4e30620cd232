"""Mail merge: a template is rendered and laid out once, then only values are put in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from email.policy import Policy
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape
from django.utils.translation import get_language

from verification.mail.kinds import Attachment
from verification.mail.smtp.wire_format import POLICY, wire_policy

# Private code points: no language uses them, and no escaping changes them.
BEGIN, END = "\ue000", "\ue001"
# The name of a value that is wanted as HTML shows it ends with this.
ESCAPED = "\ue002"
MARK = re.compile(f"{BEGIN}([a-z_]+{ESCAPED}?){END}")
# The library would search each mail for a new boundary, which costs as much as sending.
BOUNDARY = f"=_{secrets.token_hex(12)}"
MIME = {
    "MIME-Version": "1.0",
    "Content-Type": f'multipart/alternative; boundary="{BOUNDARY}"',
}
ENDINGS = ("txt", "html")
LONGEST_LINE = 998  # bytes, without CR LF (RFC 5322, 2.1.1)
# Text at even places, names of values at odd ones.
Pieces = tuple[str, ...]
Headers = list[tuple[str, Any]]


def render(template: str, context: Mapping[str, Any]) -> str:
    if not is_plain(context):
        return render_to_string(template, dict(context))
    return _filled(_pieces_of(template, tuple(context), get_language()), context)


def is_plain(context: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) for value in context.values())


@lru_cache(maxsize=64)
def _pieces_of(template: str, names: tuple[str, ...], language: str | None) -> Pieces:
    """Render with marks instead of values; `language` is the active one."""
    ending = ESCAPED if template.endswith(".html") else ""
    marks = {name: f"{BEGIN}{name}{ending}{END}" for name in names}
    return _split(render_to_string(template, marks))


def _split(text: str) -> Pieces:
    return tuple(MARK.split(text))


def _joined(pieces: Iterable[str]) -> str:
    return "".join(f"{BEGIN}{p}{END}" if n % 2 else p for n, p in enumerate(pieces))


def _filled(pieces: Pieces, context: Mapping[str, str]) -> str:
    filled = list(pieces)
    filled[1::2] = [_value(name, context) for name in pieces[1::2]]
    return "".join(filled)


def _value(name: str, context: Mapping[str, str]) -> str:
    if name.endswith(ESCAPED):
        return escape(context[name.removesuffix(ESCAPED)])
    return context[name]


class MergedMessage(EmailMessage):
    """Holds headers and the finished body; `whole()` makes the parts of the body."""

    def __init__(self, template: str, context: Mapping[str, Any]) -> None:
        super().__init__(POLICY)
        self._body = _filled_body(template, context)
        self._texts = partial(_texts, template, context, get_language())
        if self._body is None:
            # Dates in the context depend on the time zone that is active now.
            self._texts = partial(tuple[str, str], self._texts())
        self.attachment: Attachment | None = None

    def as_bytes(
        self,
        unixfrom: bool = False,  # noqa: FBT001, FBT002  # the library's own signature
        policy: Policy | None = None,
    ) -> bytes:
        """Return the bytes of `whole()`, from the finished body if there is one."""
        policy = policy or self.policy
        if self._body is None or self.attachment or policy.cte_type == "7bit":
            return self.whole().as_bytes(unixfrom, policy)
        early, late = self._headers_around_body()
        lines = [policy.fold_binary(*one) for one in chain(early, MIME.items(), late)]
        return b"".join([*lines, b"\r\n", self._body])

    def whole(self) -> EmailMessage:
        """Return the message with its parts, as the standard library makes it."""
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
        """The library would move early Content- headers into the first part."""
        early, late = Headers(), Headers()
        for name, value in self.raw_items():
            (late if name.startswith("Content-") else early).append((name, value))
        return early, late


def _texts(
    template: str, context: Mapping[str, Any], language: str | None
) -> tuple[str, str]:
    with translation.override(language):
        text, html = (render(f"{template}.{ending}", context) for ending in ENDINGS)
    return text, html


def _lay_out(message: EmailMessage, text: str, html: str) -> None:
    message.set_content(text.strip() + "\n", cte=_encoding(text))
    if BOUNDARY not in text + html:
        message.make_alternative(boundary=BOUNDARY)
    message.add_alternative(html, subtype="html", cte=_encoding(html))


def _encoding(text: str) -> str | None:
    """Text travels as it is, unless a line is longer than SMTP allows."""
    return "8bit" if _longest_line(text.encode()) <= LONGEST_LINE else None


def _longest_line(content: bytes) -> int:
    return max(map(len, content.splitlines()))


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    kind, _slash, subtype = attachment.content_type.partition("/")
    message.add_attachment(attachment.content, kind, subtype, filename=attachment.name)


def _filled_body(template: str, context: Mapping[str, Any]) -> bytes | None:
    """Return the body as it travels; None if only the library can make it."""
    if not is_plain(context) or not _are_harmless(context.values()):
        return None
    pieces = _body_of(template, tuple(context), get_language())
    body = _filled(pieces, context).encode()
    return body if _longest_line(body) <= LONGEST_LINE else None


def _are_harmless(values: Iterable[str]) -> bool:
    """Such values end neither a line nor a part, and hold no mark of another value."""
    joined = "".join(values)
    return joined.isprintable() and BOUNDARY not in joined


@lru_cache(maxsize=64)
def _body_of(template: str, names: tuple[str, ...], language: str | None) -> Pieces:
    text, html = (
        _joined(_pieces_of(f"{template}.{ending}", names, language))
        for ending in ENDINGS
    )
    message = EmailMessage(POLICY)
    _lay_out(message, text, html)
    policy = wire_policy(smtputf8=False, eight_bit=True)
    _headers, _line, body = message.as_bytes(policy=policy).partition(b"\r\n\r\n")
    return _split(body.decode())

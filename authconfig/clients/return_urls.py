"""Which addresses a login may lead back to: one pure matching function.

It refuses whatever two programs could read in two ways; a refused login leads to the
start page instead.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authconfig.validators import validate_secure_url

MOST_CHARACTERS = 2000
# RFC 1035, 2.3.4: no name in DNS is longer.
LONGEST_HOST = 253
PORTS = {"https": 443, "http": 80}
# RFC 3986 without user names and fragments; browsers leave [ ] | unencoded, too.
ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/(?:[a-z0-9._~!$&'()*+,;=:@/\[\]|-]|%[0-9a-f]{2})*)?"
    r"(?:\?(?P<query>[!$-;=?-\[\]-~]*))?",
    re.ASCII | re.IGNORECASE,
)


class Address(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        usual = self.port == PORTS[self.scheme]
        port = "" if usual else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def url(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.origin}{self.path}{query}"


def parse(url: str) -> Address | None:
    """Read an absolute http(s) address that all programs read alike, or return None."""
    found = ADDRESS.fullmatch(url) if len(url) <= MOST_CHARACTERS else None
    if found is None:
        return None
    scheme, path = found["scheme"].lower(), found["path"] or "/"
    port = int(found["port"] or PORTS[scheme])
    if port > 65535 or not _is_host(found["host"]) or not _is_plain(path):
        return None
    return Address(scheme, found["host"].lower(), port, path, found["query"] or "")


def _is_host(host: str) -> bool:
    return len(host) <= LONGEST_HOST and ".." not in host


def _is_plain(path: str) -> bool:
    """Refuse a way up, an encoded slash or a control character, however encoded."""
    decoded = _decoded(path)
    segments = [segment.partition(";")[0].strip() for segment in decoded.split("/")]
    return (
        not path.startswith("//")
        and decoded.count("/") == path.count("/")
        and not {".", ".."} & set(segments)
        and not any(char == "\\" or _is_unreadable(char) for char in decoded)
    )


def _decoded(path: str) -> str:
    while (shorter := unquote(path)) != path:
        path = shorter
    # Some servers read a full-width slash or dot as the plain one.
    return unicodedata.normalize("NFKC", path)


def _is_unreadable(char: str) -> bool:
    # U+FFFD replaces bytes that were no UTF-8.
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") or char == "\ufffd"


def is_allowed(url: str, allowed: Iterable[str]) -> bool:
    """Does the URL begin with one of the allowed origins and paths?

    A path ends where a segment ends: `/app` allows `/app` and `/app/x`, not `/apple`.
    """
    wanted = parse(url)
    if wanted is None:
        return False
    return any(_covers(prefix, wanted) for prefix in map(parse, allowed) if prefix)


def _covers(prefix: Address, wanted: Address) -> bool:
    if prefix.origin != wanted.origin:
        return False
    below = prefix.path if prefix.path.endswith("/") else f"{prefix.path}/"
    return wanted.path == prefix.path or wanted.path.startswith(below)


def validate_return_urls(value: str) -> None:
    faults = [
        ValidationError(
            _("Line %(number)d, “%(line)s”: %(fault)s"),
            code="return_url",
            params={"number": number, "line": line[:100], "fault": fault},
        )
        for number, line in enumerate(value.splitlines(), 1)
        if (fault := _return_url_fault(line.strip()))
    ]
    if faults:
        raise ValidationError(faults)


def _return_url_fault(line: str) -> str:
    if not line:
        return ""
    try:
        validate_secure_url(line)
    except ValidationError as error:
        return str(error.messages[0])
    address = parse(line)
    if address is None:
        return gettext(
            "Write the host name in ASCII (xn--…) and the path without “..”, “//”,"
            " encoded slashes and spaces."
        )
    if "?" in line:
        return gettext("Remove the part from “?” on: only the path counts.")
    return ""

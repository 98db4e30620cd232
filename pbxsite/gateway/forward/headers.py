"""The headers that tell a client application who its visitor is."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from authconfig.users.models import PbxUser

# A header holds visible ASCII and the space as they are; "%" begins an encoded byte.
AS_THEY_ARE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
Headers = list[tuple[bytes, bytes]]


def encoded(text: str) -> str:
    """Return the text with every byte of UTF-8 beyond ASCII as %XX, as in addresses.

    A space at either end would be lost on the way. `unquote` (`decodeURIComponent`,
    `rawurldecode`) gives the text back.
    """
    value = quote(text, safe=AS_THEY_ARE, errors="replace")
    kept = value.strip(" ")
    before = len(value) - len(value.lstrip(" "))
    after = len(value) - len(kept) - before if kept else 0
    return "%20" * before + kept + "%20" * after


def remote_headers(user: PbxUser, groups: Iterable[str] = ()) -> Headers:
    """Return every header, an empty one for what is not told.

    Caddy (2.6) would write its own placeholder's name for one that is not there.
    """
    told = {
        b"remote-user": user.name,
        b"remote-name": user.get_full_name(),
        b"remote-email": user.email,
        b"remote-number": user.number,
    }
    headers = {name: encoded(text) for name, text in told.items()}
    headers[b"remote-groups"] = _listed(groups)
    return [(name, value.encode("ascii")) for name, value in headers.items()]


def _listed(names: Iterable[str]) -> str:
    """Part them by commas; one within a name is written as %2C."""
    return ",".join(encoded(name).replace(",", "%2C") for name in sorted(names))

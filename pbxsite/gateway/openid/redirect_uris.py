"""The redirect URIs that an administrator may enter; they are compared exactly.

Only the port of a program on the user's own device is free (RFC 8252, 7.3): it listens
on whichever the system gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authconfig.clients.return_urls import parse
from authconfig.validators import validate_secure_url

# RFC 8252, 7.1: an app's own scheme is a domain name of its maker, turned round.
APP_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
APP_ADDRESS = re.compile(r"[!-~]{1,500}")
# Addresses alone: "localhost" may be another machine's (RFC 8252, 8.3).
LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]))(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>/.*)?"
)
LAST_PORT = 65_535


def is_registered(uri: str, registered: Iterable[str], *, on_any_port: bool) -> bool:
    known = set(registered)
    if uri in known:
        return True
    return on_any_port and _without_port(uri) in set(map(_without_port, known)) - {""}


def reaches(origin: str, registered: Iterable[str]) -> bool:
    """Say whether pages of the origin are a public client's, by its redirect URIs."""
    return any(
        origin == _origin(uri) or _is_same_device(origin, uri) for uri in registered
    )


def _origin(uri: str) -> str:
    address = parse(uri)
    return address.origin if address else ""


def _is_same_device(origin: str, uri: str) -> bool:
    here, there = LOOPBACK.fullmatch(origin), LOOPBACK.fullmatch(uri)
    return bool(here and there and here["host"] == there["host"])


def _without_port(uri: str) -> str:
    found = LOOPBACK.fullmatch(uri)
    if found is None or int(found["port"] or 0) > LAST_PORT:
        return ""
    return found["host"] + (found["rest"] or "")


def validate_redirect_uris(value: str) -> None:
    faults = [
        ValidationError(
            _("Line %(number)d, “%(line)s”: %(fault)s"),
            code="redirect_uri",
            params={"number": number, "line": line[:100], "fault": fault},
        )
        for number, line in enumerate(value.splitlines(), 1)
        if (fault := _fault(line))
    ]
    if faults:
        raise ValidationError(faults)


def _fault(line: str) -> str:
    if "#" in line or "*" in line:
        return gettext("Remove “#” and “*”: the address is compared as it is.")
    if _is_of_an_app(line):
        return ""
    try:
        validate_secure_url(line)
    except ValidationError as error:
        return str(error.messages[0])
    if parse(line) is None:
        return gettext(
            "Write the host name in ASCII (xn--…) and the path without “..”, “//”,"
            " encoded slashes and spaces."
        )
    return ""


def _is_of_an_app(line: str) -> bool:
    scheme = line.partition(":")[0]
    return bool(APP_SCHEME.fullmatch(scheme) and APP_ADDRESS.fullmatch(line))

"""The redirect URIs that an administrator may enter; they are compared exactly."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authconfig.clients.return_urls import parse
from authconfig.validators import validate_secure_url

# RFC 8252, 7.1: an app's own scheme is a domain name of its maker, turned round.
APP_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
APP_ADDRESS = re.compile(r"[!-~]{1,500}")


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

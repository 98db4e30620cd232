"""One check of input each; every message names the fault and its remedy."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import idna
import ldap
import ldap.dn
from cryptography import x509
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from authconfig.names import domain_key

if TYPE_CHECKING:  # the stubs are not there in production
    from django_stubs_ext import StrPromise

# These characters reverse the text after them (embeddings, overrides, isolates).
DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LDAP_PLACEHOLDER = "%(user)s"
# Active Directory names an entry so, too, wherever it is moved to.
WINDOWS_DN = re.compile(r"<(GUID|SID|WKGUID)=[^<>]+>", re.IGNORECASE)
# What Windows allows in no NetBIOS name of a domain.
NO_NETBIOS = re.compile(r"[\s.\\/:*?\"<>|]")
NO_FILTER = _(
    "This is no LDAP filter. A condition is (attribute=value); several are joined as"
    " (&(…)(…)), or as (|(…)(…)) where one is enough."
)
# Where libldap finds nobody, should it ever try to connect.
NOWHERE = "ldapi://%2Fdev%2Fnull%2Fnowhere"


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split_port(server: str, default: int) -> tuple[str, int]:
    """Split `host:port`, `[IPv6]:port`, `host` or a bare IPv6 address.

    Raises ValueError when the port is no number from 1 to 65535.
    """
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        return server.strip("[]"), default
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(port)
    return host.strip("[]"), int(port)


def between(
    lowest: int, highest: int, message: StrPromise
) -> list[MinValueValidator | MaxValueValidator]:
    return [MinValueValidator(lowest, message), MaxValueValidator(highest, message)]


def validate_one_line(value: str) -> None:
    """CR, LF and NUL could forge the headers of a mail, or lines of a log."""
    if any(unicodedata.category(char) == "Cc" for char in value):
        raise ValidationError(
            _("Remove the line break or control character."), code="control"
        )
    _refuse_invisible(char for char in value if char in DIRECTIONS)


def _refuse_invisible(chars: Iterable[str]) -> None:
    char = next(iter(chars), "")
    if char:
        raise ValidationError(
            _("Remove the invisible character %(code)s: enter the text anew by hand."),
            code="invisible",
            params={"code": f"U+{ord(char):04X}"},
        )


def validate_login_name(value: str) -> None:
    """A name with invisible characters would look like another user's.

    Where somebody types one, `PbxUser.normalize_username` has taken them away.
    """
    validate_one_line(value)
    _refuse_invisible(char for char in value if unicodedata.category(char) == "Cf")
    if value != value.strip():
        raise ValidationError(_("Remove the space at the start or end."), code="space")
    if "\\" in value:
        raise ValidationError(
            _("Remove the backslash: DOMAIN\\user is how users may log in."),
            code="backslash",
        )


def validate_extension_number(value: str) -> None:
    """A spreadsheet shows a long number so, and writes what it shows."""
    validate_one_line(value)
    if re.fullmatch(r"\s*[+-]?\d+([.,]\d+)?E[+-]\d+\s*", value, re.IGNORECASE):
        raise ValidationError(
            _(
                "Enter the digits themselves. In the spreadsheet, make the column"
                " “text” first, and enter the number anew: some digits are lost."
            ),
            code="scientific",
        )


def validate_domain(value: str) -> None:
    if not domain_key(value):
        raise ValidationError(
            _("“%(value)s” is not a domain. Enter one like example.com."),
            code="domain",
            params={"value": value},
        )


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        idna.encode(host, uts46=True)
    except idna.IDNAError:
        # Host names in a local network may contain characters that IDNA refuses.
        label = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
        return re.fullmatch(rf"({label}\.)*{label}", host) is not None
    return True


def validate_host(value: str) -> None:
    try:
        host, _port = split_port(value, default=1)
    except ValueError as error:
        raise ValidationError(
            _("The port %(port)s is not a number from 1 to 65535."),
            code="port",
            params={"port": error},
        ) from error
    if not _is_host(host):
        raise ValidationError(
            _("“%(value)s” is neither an IP address nor a DNS name."),
            code="host",
            params={"value": value},
        )


def validate_servers(value: str) -> None:
    for server in value.split(","):
        validate_host(server.strip())


def validate_secure_url(value: str) -> None:
    validate_one_line(value)
    try:
        url = urlsplit(value)
        host, _port = url.hostname or "", url.port
    except ValueError:
        host, url = "", urlsplit("")
    if url.scheme not in ("http", "https") or not host or not _is_host(host):
        raise ValidationError(
            _("Enter the whole address, starting with https://"), code="absolute"
        )
    if url.scheme == "http" and not is_loopback(host):
        raise ValidationError(
            _("Begin the address with https: http is not safe."), code="https"
        )
    if url.username or url.password or url.fragment or " " in value:
        raise ValidationError(
            _("Remove the user name, the # part or the space from the address."),
            code="extra",
        )


def validate_verification_link(value: str) -> None:
    """Mails append the login's token as the query; this site answers below a path."""
    validate_secure_url(value)
    if "?" in value:
        raise ValidationError(
            _("Remove the ? and what follows it: each e-mail adds its own there."),
            code="query",
        )
    if not urlsplit(value).path.strip("/"):
        raise ValidationError(
            _(
                "Enter the address with its path, as in"
                " https://PBX-IP-or-DNS-name/PBX0/session.xml"
            ),
            code="path",
        )


def validate_claim(value: str) -> None:
    """A claim of one's own has a name like an address, which may have dots."""
    validate_one_line(value)
    if re.search(r"\s", value):
        raise ValidationError(
            _("Remove the space: no claim has one in its name."), code="space"
        )
    if "." in value and ":" not in value:
        raise ValidationError(
            _(
                "“%(value)s” reads like a claim inside another one, which cannot be"
                " read. Have the provider send it as a claim of its own, and enter its"
                " name without a dot."
            ),
            code="dot",
            params={"value": value},
        )


def validate_netbios_name(value: str) -> None:
    validate_one_line(value)
    found = NO_NETBIOS.search(value)
    if not found:
        return
    if found[0] == ".":
        text = _(
            "Enter the short name, as AD in AD\\user: “%(value)s” with its dots is a"
            " DNS name."
        )
    elif found[0].isspace():
        text = _("Remove the space: no NetBIOS name has one.")
    else:
        text = _("Remove the %(char)s: no NetBIOS name has one.")
    raise ValidationError(
        text, code="netbios", params={"value": value, "char": found[0]}
    )


def validate_authorize_query(value: str) -> None:
    validate_one_line(value)
    if not value.startswith("&") or re.search(r"[\s#]", value):
        raise ValidationError(
            _("Begin with & and use no space: &prompt=login"), code="query"
        )
    if "response_mode" in parse_qs(value, keep_blank_values=True):
        raise ValidationError(
            _(
                "Remove response_mode: the provider has to send its answer in the"
                " address, as it does by itself."
            ),
            code="response_mode",
        )


def validate_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(value)s” is not a time zone. Enter one like Europe/Berlin."),
            code="time_zone",
            params={"value": value},
        )


def validate_dn(value: str) -> None:
    validate_one_line(value)
    if not (ldap.dn.is_dn(value) or WINDOWS_DN.fullmatch(value)):
        raise ValidationError(
            _(
                "“%(value)s” is no DN. Enter one like OU=Staff,DC=ad,DC=example,DC=com;"
                " a comma in a name is written as \\,"
            ),
            code="dn",
            params={"value": value},
        )


def validate_service_account(value: str) -> None:
    """Active Directory takes other names than a DN, too; an = is in DNs alone."""
    validate_one_line(value)
    if "=" in value and "@" not in value:
        validate_dn(value)


def validate_user_filter(value: str) -> None:
    validate_one_line(value)
    if LDAP_PLACEHOLDER not in value or not re.fullmatch(r"\(.+\)", value):
        raise ValidationError(
            _("Enter a filter in parentheses with %(user)s for the login name."),
            code="filter",
            params={"user": LDAP_PLACEHOLDER},
        )
    if f"%{LDAP_PLACEHOLDER}" in value:
        raise ValidationError(
            _("Write %(user)s with one %% sign: two find nobody."),
            code="percent",
            params={"user": LDAP_PLACEHOLDER},
        )
    _require_balance(value.replace(LDAP_PLACEHOLDER, "user"))
    # A login name may stand in a value alone, and only a value may hold a \\75.
    for name in ("user", r"\75ser"):
        if not _is_filter(value.replace(LDAP_PLACEHOLDER, name)):
            raise ValidationError(NO_FILTER, code="syntax")


def validate_ldap_filter(value: str) -> None:
    """Of many users, so it has no place for a name."""
    validate_one_line(value)
    if "%(" in value:
        raise ValidationError(
            _("Remove %(user)s: this filter is not about one user."),
            code="placeholder",
            params={"user": LDAP_PLACEHOLDER},
        )
    _require_balance(value)
    if not (re.fullmatch(r"\(.+\)", value) and _is_filter(value)):
        raise ValidationError(NO_FILTER, code="syntax")


def _require_balance(filter_: str) -> None:
    """Count parentheses; an escaped one belongs to a value."""
    opened, closed = (len(re.findall(rf"(?<!\\)\{sign}", filter_)) for sign in "()")
    if opened != closed:
        raise ValidationError(
            _(
                "Pair the parentheses of the filter: it opens %(opened)d of them and"
                " closes %(closed)d."
            ),
            code="parentheses",
            params={"opened": opened, "closed": closed},
        )


def _is_filter(text: str) -> bool:
    """Ask the parser that a login uses; it reads the filter before it connects."""
    try:
        ldap.initialize(NOWHERE).search_ext("", ldap.SCOPE_BASE, text)
    except ldap.FILTER_ERROR:
        return False
    except ldap.SERVER_DOWN:
        pass
    return True


def certificates_expire_at(pem: str) -> datetime:
    """Return when the first certificate ends; ValueError if it is no PEM."""
    certificates = x509.load_pem_x509_certificates(pem.encode())
    return min(certificate.not_valid_after_utc for certificate in certificates)


def validate_certificates(value: str) -> None:
    if "PRIVATE KEY" in value:
        raise ValidationError(
            _("Remove the private key: only the certificate belongs here."),
            code="private",
        )
    try:
        expires_at = certificates_expire_at(value)
    except ValueError as error:
        raise ValidationError(
            _("Paste the certificate as PEM text: -----BEGIN CERTIFICATE----- …"),
            code="pem",
        ) from error
    if expires_at <= timezone.now():
        raise ValidationError(
            _("The certificate expired on %(date)s. Paste the present one."),
            code="expired",
            params={"date": date_format(expires_at, "SHORT_DATE_FORMAT")},
        )

"""A digest of the rules of one method, kept with each login or trial that succeeded."""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from authconfig.choices import Method
from authconfig.models import AuthenticationSettings
from authconfig.sections import SECTIONS

# These fields only stop wrong passwords, so a change of them makes no proof void.
HARMLESS = ("netlogon_max_failures",)


def _section(key: str) -> tuple[str, ...]:
    fields = next(s.all_fields for s in SECTIONS if s.key == key)
    return tuple(name for name in fields if name not in HARMLESS)


# The fields that decide whether a login by the method succeeds.
FIELDS_OF: dict[Method, tuple[str, ...]] = {
    Method.NETLOGON: ("pbx_domain", *_section("netlogon")),
    Method.OAUTH2: ("oauth2_domain", "pbx_domain", *_section("oauth2")),
}


def proof_of(rules: AuthenticationSettings, method: Method) -> str:
    """Return a keyed digest of the method's rules; "" for the PBX password.

    An audit event keeps it, and so proves something of these very rules and no others.
    """
    if method not in FIELDS_OF:
        return ""
    values = [str(getattr(rules, name)) for name in FIELDS_OF[method]]
    return salted_hmac("authconfig.proofs", repr(values)).hexdigest()[:16]

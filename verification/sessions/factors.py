"""Second factors that users have: passkeys and one-time codes, kept by allauth.mfa."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import is_myapps
from authconfig.models import current_rules
from authconfig.policy import requires_factor
from authconfig.users import audit
from authconfig.users.changes import without_factor
from authconfig.users.models import PbxUser

Type = Authenticator.Type


@dataclass(frozen=True)
class Factors:
    """A user's factors; `recovery_codes_left` is None where no codes were made."""

    passkeys: tuple[Authenticator, ...]
    app: Authenticator | None
    recovery_codes_left: int | None

    @property
    def any(self) -> bool:
        return bool(self.passkeys or self.app)


def factors_of(user: PbxUser) -> Factors:
    kept: list[Authenticator] = list(Authenticator.objects.filter(user=user))
    codes = _only(kept, Type.RECOVERY_CODES)
    return Factors(
        passkeys=tuple(factor for factor in kept if factor.type == Type.WEBAUTHN),
        app=_only(kept, Type.TOTP),
        recovery_codes_left=_unused(codes) if codes else None,
    )


def _only(kept: list[Authenticator], type_: str) -> Authenticator | None:
    return next((factor for factor in kept if factor.type == type_), None)


def _unused(codes: Authenticator) -> int:
    """Count the bits that allauth sets for used codes: nothing has to be decrypted."""
    used: int = codes.data["used_mask"]
    every: int = app_settings.RECOVERY_CODE_COUNT
    return every - used.bit_count()


def is_missing(request: HttpRequest) -> bool:
    """Has this session's user yet to set up the factor that is required?

    Until then the session opens nothing else: it was approved by e-mail alone.
    """
    return is_myapps(request) and is_missing_for(request.user.pk or 0, Kind.MYAPPS)


def is_missing_for(user_pk: int, kind: Kind) -> bool:
    if not requires_factor(current_rules(), kind):
        return False
    return without_factor(PbxUser.objects.filter(pk=user_pk)).exists()


def passkey_fault() -> str:
    """Say why browsers would make no passkey for this site's address; "" if they do.

    A passkey belongs to a host name, and to https (WebAuthn Level 3, 5.1.3).
    """
    site = urlsplit(settings.SITE_URL)
    host = site.hostname or ""
    if _is_address(host):
        return _(
            "This site is reached by an IP address, and a passkey belongs to a host"
            " name. It can be offered once the administrator gives the site a name."
        )
    if site.scheme != "https" and host != "localhost":
        return _("This site is reached without https, which passkeys need.")
    return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def remove_all(user: PbxUser, *, actor: PbxUser) -> int:
    """Take all factors from a user who lost them; the next login asks for e-mail."""
    removed: int = Authenticator.objects.filter(user=user).delete()[0]
    if removed:
        audit.record(Event.FACTOR_REMOVED, user=user, actor=actor, detail="all")
    return removed

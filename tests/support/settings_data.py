"""What a browser posts from the page "Authentication"."""

from __future__ import annotations

from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, SECRETS

OAUTH2 = {
    "oauth2_provider_name": "Windows",
    "oauth2_well_known_url": "https://login.example.com/.well-known/openid-configuration",
    "oauth2_client_id": "pbx",
}
NETLOGON = {"netlogon_domain": "ad.example.com"}
ACCOUNT = {
    "smtp_server": "mail.example.com",
    "smtp_email_address": "pbx@example.com",
    "verification_link": "https://pbx.example/PBX0/session.xml",
}
WEBHOOK_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
WEBHOOK = {
    "alarm_webhook_url": "https://alarms.example.com/pbx",
    "alarm_webhook_secret": WEBHOOK_SECRET,
}
# For each authentication type, what it cannot be without.
NEEDS: dict[str, dict[str, str]] = {
    "pbx_only": {},
    "netlogon_only": NETLOGON,
    "pbx_and_netlogon": NETLOGON,
    "oauth2_only": OAUTH2,
    "pbx_and_oauth2": OAUTH2,
}


def posted(**changes: str) -> dict[str, str]:
    """Return the stored values as the page shows them, with changes typed in."""
    row = AuthenticationSettings.load()
    values = {name: getattr(row, name) for name in FIELDS}
    # Secrets are never shown, and an empty box is not posted at all.
    shown = {
        n: "" if n in SECRETS or v is None else str(v)
        for n, v in values.items()
        if v is not False
    }
    if row.two_factor:
        shown["two_factor"] = "on"
    return shown | changes

"""The sections of the page "Authentication", in the original's order of fields.

The original is the page of that name in the innovaphone PBX. The fields that this
site adds follow in each section, folded away as "More".
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.choices import AuthenticationType
from authconfig.clients.choices import Kind

SETTINGS_PAGE = "admin:authconfig_authenticationsettings_changelist"


@dataclass(frozen=True)
class Section:
    key: str
    title: str | Promise
    fields: tuple[str, ...]
    more: tuple[str, ...] = ()
    # What stands in the same card and decides nothing about a login.
    part: Section | None = None

    @property
    def all_fields(self) -> tuple[str, ...]:
        return self.fields + self.more

    @property
    def every_field(self) -> tuple[str, ...]:
        return self.all_fields + (self.part.all_fields if self.part else ())


SECTIONS = (
    Section(
        "authentication",
        _("Authentication"),
        (
            "two_factor",
            "authentication_type",
            "oauth2_provider_name",
            "oauth2_domain",
        ),
        (
            "pbx_domain",
            "factor_required",
            "password_min_length",
            "password_changes_forbidden",
            "forgotten_password",
            "forgotten_password_same_mailbox",
            "forgotten_password_minutes",
            "invitation_hours",
            "myapps_digest_logins",
            "myapps_approve_by_comparing",
        ),
    ),
    Section(
        "email",
        _("Email verification"),
        (
            "smtp_server",
            "smtp_client_host_name",
            "smtp_sender_name",
            "smtp_email_address",
            "smtp_username",
            "smtp_password",
            "smtp_login",
            "smtp_oauth2_grant",
            "smtp_oauth2_tenant",
            "smtp_oauth2_client_id",
            "smtp_oauth2_client_secret",
            "smtp_oauth2_client_secret_expires",
            "smtp_oauth2_client_auth",
            "smtp_oauth2_resource_owner",
            "smtp_oauth2_resource_owner_password",
            "smtp_oauth2_issuer",
            "smtp_oauth2_key_id",
            "smtp_oauth2_private_key",
            "smtp_oauth2_certificate",
            "smtp_oauth2_algorithm",
            "smtp_oauth2_subject",
            "smtp_oauth2_shared_mailbox",
            "smtp_oauth2_token_url",
            "smtp_oauth2_authorize_url",
            "smtp_oauth2_scope",
            "smtp_oauth2_parameters",
            "verification_link",
        ),
        (
            "smtp_port",
            "smtp_security",
            "smtp_ca_certificate",
            "smtp_connections",
            "smtp_mails_per_connection",
            "voicemail_oversized",
        ),
    ),
    Section(
        "netlogon",
        _("Netlogon"),
        (
            "netlogon_domain",
            "netlogon_servers",
            "netlogon_security",
            "netlogon_ca_certificate",
            "netlogon_base_dn",
            "netlogon_bind_dn",
            "netlogon_bind_password",
            "netlogon_user_filter",
            "netlogon_group",
        ),
        ("netlogon_netbios_name", "netlogon_max_failures"),
        Section(
            "directory_sync",
            _("Users from the directory"),
            (
                "directory_sync",
                "directory_sync_filter",
                "directory_sync_base",
                "directory_sync_group",
                "directory_sync_admin_group",
                "directory_sync_attributes",
                "directory_sync_minutes",
                "directory_sync_most_removals_percent",
            ),
        ),
    ),
    Section(
        "oauth2",
        _("OAuth2"),
        (
            "oauth2_well_known_url",
            "oauth2_client_id",
            "oauth2_client_secret",
            "oauth2_scope",
            "oauth2_authorize_query",
            "oauth2_upn_claim",
        ),
        ("oauth2_session_hours",),
        Section(
            "scim",
            _("Users by SCIM"),
            ("scim_attributes", "scim_most_removals_percent"),
        ),
    ),
    Section(
        "alarms",
        _("Alarms"),
        ("alarm_recipients", "alarm_webhook_url", "alarm_webhook_secret"),
    ),
)
FIELDS = tuple(field for section in SECTIONS for field in section.every_field)

# A change of any of these fields clears the secret: it was entered for the old
# server, and a new one must never receive it.
# The tokens that OAuth2's secrets bring go to the SMTP server, too.
SMTP_SERVER = ("smtp_server", "smtp_port", "smtp_security", "smtp_ca_certificate")
ENDPOINTS = ("smtp_oauth2_token_url", "smtp_oauth2_authorize_url")
SMTP_PROVIDER = (
    *ENDPOINTS,
    *("smtp_oauth2_tenant", "smtp_oauth2_client_id"),
)
SECRETS = {
    "smtp_password": (*SMTP_SERVER, "smtp_username"),
    "smtp_oauth2_client_secret": (*SMTP_SERVER, *SMTP_PROVIDER),
    "smtp_oauth2_resource_owner_password": (
        *SMTP_SERVER,
        *SMTP_PROVIDER,
        "smtp_oauth2_resource_owner",
    ),
    "smtp_oauth2_private_key": (
        *SMTP_SERVER,
        *SMTP_PROVIDER,
        "smtp_oauth2_issuer",
    ),
    "netlogon_bind_password": (
        "netlogon_domain",
        "netlogon_servers",
        "netlogon_security",
        "netlogon_ca_certificate",
        "netlogon_bind_dn",
    ),
    "oauth2_client_secret": ("oauth2_well_known_url", "oauth2_client_id"),
    "alarm_webhook_secret": ("alarm_webhook_url",),
}
LOST_SECRET: dict[str, str | Promise] = {
    **dict.fromkeys(
        (
            "smtp_oauth2_client_secret",
            "smtp_oauth2_resource_owner_password",
            "smtp_oauth2_private_key",
        ),
        _(
            "What is stored was given for another mail server, tenant, endpoint or"
            " client: it is removed. Enter it again."
        ),
    ),
    "smtp_password": _(
        "The stored password was given for another server, security or user name: it"
        " is removed. Enter the password again."
    ),
    "netlogon_bind_password": _(
        "The stored password of the service account was given for another domain,"
        " controller or account: it is removed. Enter it again."
    ),
    "oauth2_client_secret": _(
        "The stored client secret was given for another provider or client: it is"
        " removed. Enter the secret again."
    ),
    "alarm_webhook_secret": _(
        "The stored webhook secret was given for another address: it is removed. Enter"
        " the secret again."
    ),
}

# The kinds that the original names at a field: "(myApps only)", or both.
KINDS_OF_FIELD = {
    "two_factor": (Kind.MYAPPS,),
    "factor_required": (Kind.MYAPPS,),
    "authentication_type": (Kind.MYAPPS, Kind.MYPBX),
    "oauth2_provider_name": (Kind.MYAPPS,),
}
MYAPPS_ONLY_TYPES = (
    AuthenticationType.OAUTH2_ONLY,
    AuthenticationType.PBX_AND_OAUTH2,
)
HELP_OF_TYPE = {
    AuthenticationType.PBX_ONLY: _("Users log in with their PBX password only."),
    AuthenticationType.NETLOGON_ONLY: _(
        "Users log in with their Windows password only."
    ),
    AuthenticationType.PBX_AND_NETLOGON: _(
        "Users log in with their PBX password or with their Windows password."
    ),
    AuthenticationType.OAUTH2_ONLY: _("Users log in with OpenID/OAuth2 only."),
    AuthenticationType.PBX_AND_OAUTH2: _(
        "Users log in with their PBX password or with OpenID/OAuth2."
    ),
}

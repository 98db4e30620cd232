"""Every table that has rows of users, and which columns an export of them shows.

A test holds this list, and docs/personal-data.md, against the models: a new table or
column fails it until somebody has decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model, Q, QuerySet

from authconfig.users.models import PbxUser


@dataclass(frozen=True)
class Held:
    """A table with rows of users.

    `of`: the lookups that lead from a row to its user; a row of any of them is theirs.
    `by_name`: the column that holds the user's name, where no key leads to the user.
    `hidden`: what an export leaves out, since it opens something, says nothing, or is
    another one's.
    """

    model: str
    of: tuple[str, ...]
    shown: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    by_name: str = ""

    @property
    def table(self) -> type[Model]:
        return apps.get_model(self.model)

    def rows(self, user: PbxUser) -> QuerySet[Model]:
        theirs = Q(**{self.by_name: user.name}) if self.by_name else Q()
        for lookup in self.of:
            theirs |= Q(**{lookup: user.pk})
        return self.table._default_manager.filter(theirs).order_by("pk")


CALL = ("caller_number", "caller_name", "recorded_at", "duration", "content_type")
HELD = (
    Held(
        "users.PbxUser",
        ("pk",),
        (
            *("id", "name", "long_name", "email", "number", "language", "time_zone"),
            *("is_active", "is_staff", "is_superuser", "is_from_mailbox"),
            *("created_at", "last_login"),
        ),
        ("password", "first_hash", "name_key"),
    ),
    Held("users.KeptPassword", ("user",), (), ("user", "password", "bound_to")),
    Held("users.PbxUser_groups", ("pbxuser",), ("group",), ("id", "pbxuser")),
    Held(
        "users.PbxUser_user_permissions",
        ("pbxuser",),
        ("permission",),
        ("id", "pbxuser"),
    ),
    Held(
        "users.AuditEvent",
        ("user", "actor"),
        (
            *("id", "at", "event", "user_name", "kind", "method", "address"),
            *("user_agent", "detail"),
        ),
        ("user", "actor", "actor_name", "proof"),
    ),
    Held(
        "users.SettingChange",
        (),
        ("at", "field"),
        ("id", "before", "after", "is_secret", "actor_name"),
        by_name="actor_name",
    ),
    Held(
        "admin.LogEntry",
        ("user",),
        ("action_time", "action_flag"),
        ("id", "user", "content_type", "object_id", "object_repr", "change_message"),
    ),
    Held(
        "usersessions.UserSession",
        ("user",),
        ("created_at", "ip", "last_seen_at", "user_agent", "data"),
        ("id", "user", "session_key"),
    ),
    Held(
        "myapps.ClientSession",
        ("session__user",),
        (),
        ("session", "public_id", "password", "auth_hash"),
    ),
    Held(
        "myapps.BrowserLogin",
        ("user",),
        ("user_agent", "address", "created_at", "issuer", "subject", "factor"),
        (
            *("id", "public_id", "state", "expires_at", "user", "is_used_up"),
            *("source", "auth_hash", "provider_login"),
        ),
    ),
    Held(
        "signed_in_sessions.ProviderLogin",
        ("session__user",),
        ("issuer", "subject", "began_at", "proved_at"),
        ("id", "public_id", "session", "sid", "refresh_token", "next_check_at"),
    ),
    Held(
        "signed_in_sessions.KnownAddress",
        ("user",),
        ("kind", "address", "is_approved", "last_success_at"),
        ("id", "user"),
    ),
    Held(
        "signed_in_sessions.FailureCount",
        ("user",),
        ("guessed", "source", "in_row", "last_at"),
        ("id", "user"),
    ),
    Held(
        "mfa.Authenticator",
        ("user",),
        ("id", "type", "created_at", "last_used_at"),
        ("user", "data"),
    ),
    Held(
        "signed_in_sessions.FactorBinding",
        ("factor__user",),
        ("factor", "approver", "approved_at"),
    ),
    Held(
        "approval.LoginSession",
        ("user",),
        (
            *("id", "kind", "method", "state", "ending", "approver", "address"),
            *("user_agent", "language", "factor", "created_at", "decided_at"),
        ),
        ("public_id", "user", "auth_hash", "code_tries", "link_number", "expires_at"),
    ),
    Held("approval.LoginMail", ("mail__user",), ("mail", "login"), ("link_number",)),
    Held("login.RescueLink", ("user",), ("made_at", "over_at"), ("id", "user")),
    Held(
        "oauth2.ProviderIdentity",
        ("user",),
        ("issuer", "subject", "created_at", "last_used_at"),
        ("id", "user"),
    ),
    Held(
        "sync.SyncedUser",
        ("user",),
        ("source", "identity", "removed_at"),
        ("user", "look_again_at", "has_rights_of_group"),
    ),
    Held(
        "sync.ScimUser",
        ("user",),
        ("external_id", "user_name", "is_active", "resource", "made_at", "changed_at"),
        (
            *("id", "public_id", "user", "user_key", "version", "deleted_at"),
            *("reason", "detail"),
        ),
    ),
    Held(
        "sync.SyncItem",
        (),
        ("run", "change", "name", "reason", "detail", "identity"),
        ("id", "is_linked", "is_kept"),
        by_name="name",
    ),
    Held(
        "sync.SyncRun",
        ("actor",),
        ("id", "source", "state", "made_at", "is_preview"),
        (
            *("public_id", "trigger", "actor", "allowed_removals", "preview"),
            *(
                "allows_fields",
                "started_at",
                "ended_at",
                "lease_until",
                "phase",
                "progress",
                "total",
            ),
            *("found", "added", "changed", "renamed", "deactivated", "reactivated"),
            *("refused", "stop", "kept", "active", "stage", "fault", "words"),
        ),
    ),
    Held(
        "mail.OutgoingEmail",
        ("user",),
        (
            *("id", "kind", "recipient", "language", "state", "attempts"),
            *("created_at", "ended_at", "code", "words"),
        ),
        (
            *("public_id", "priority", "user", "due_at", "expires_at"),
            *("lease_expires_at", "data_began_at", "request_id", "doubts"),
            *("stage", "fault"),
        ),
    ),
    Held(
        "signed_in_sessions.FactorMail",
        ("mail__user",),
        ("mail", "change", "type", "address", "user_agent"),
    ),
    Held("password_links.LinkMail", ("mail__user",), ("mail", "link")),
    Held(
        "password_links.PasswordLink",
        ("user",),
        ("id", "purpose", "address", "made_at", "expires_at", "over_at", "ending"),
        ("user", "run", "auth_hash"),
    ),
    Held(
        "password_links.InvitationRun",
        ("actor",),
        ("started_at", "address", "user_agent", "language"),
        ("id", "public_id", "actor"),
    ),
    Held("password_links.Uninvited", ("user",), ("run", "obstacle"), ("id", "user")),
    Held(
        "password_links.ForgottenRequest",
        ("user",),
        ("language", "asked_at"),
        ("id", "user"),
    ),
    Held(
        "voicemail.Voicemail",
        ("mail__user",),
        ("mail", *CALL, "oversized_at"),
        (
            *("id", "recording", "smaller", "kept", "idempotency_key"),
            "request_digest",
        ),
    ),
    Held(
        "voicemail.KeptRecording",
        ("user",),
        (*CALL, "size", "kept_until"),
        ("id", "public_id", "user", "file", "key"),
    ),
    Held(
        "mail.AccountTrial",
        ("requested_by",),
        ("id", "recipient", "server", "port", "state", "created_at", "ended_at"),
        (
            *("public_id", "requested_by", "language", "security"),
            *("client_host_name", "sender_name", "email_address", "username"),
            *("password", "oauth2", "ca_certificate", "fingerprint", "remedy"),
        ),
    ),
    Held(
        "mail.AccountTrialStep",
        ("test__requested_by",),
        ("test", "stage", "state", "words"),
        ("id", "elapsed_ms"),
    ),
    Held("mail.SendingPause", ("actor",), ("since",), ("id", "actor")),
    Held("openid.Subject", ("user",), ("value",), ("user",)),
    Held(
        "openid.Grant",
        ("user",),
        ("client", "created_at", "authenticated_at", "authentication_methods"),
        ("id", "session", "user", "code_hash", "spent_at", "has_challenge"),
    ),
    Held("openid.GrantedToken", ("grant__user",), ("grant",), ("id", "hash")),
    Held(
        "openid.Visit",
        ("session__user",),
        ("client", "subject", "ended_at"),
        ("id", "session", "sid", "due_at", "tries", "fault"),
    ),
    Held(
        "allauth_idp_oidc.Token",
        ("user",),
        ("type", "client", "created_at", "expires_at", "scopes"),
        ("id", "hash", "user", "data"),
    ),
)


def columns_of(model: type[Model]) -> list[str]:
    return [field.name for field in model._meta.concrete_fields]


def every_table() -> Iterator[type[Model]]:
    yield from apps.get_models(include_auto_created=True)

"""Choices and small values that several packages share."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Method(TextChoices):
    PASSWORD = "pbx", _("PBX password")
    NETLOGON = "netlogon", _("Windows password")
    OAUTH2 = "oauth2", _("OAuth2")
    RESCUE = "rescue", _("Rescue link")


class AuthenticationType(TextChoices):
    PBX_ONLY = "pbx_only", _("PBX only")
    NETLOGON_ONLY = "netlogon_only", _("Netlogon only")
    PBX_AND_NETLOGON = "pbx_and_netlogon", _("PBX and Netlogon")
    OAUTH2_ONLY = "oauth2_only", _("OAuth2 only")
    PBX_AND_OAUTH2 = "pbx_and_oauth2", _("PBX and OAuth2")


class Obstacle(TextChoices):
    """Why a user cannot log in; the labels say it after “no:”."""

    INACTIVE = "inactive", _("the user is inactive")
    NO_METHOD = "no_method", _("the authentication type lets nobody in")
    NO_PASSWORD = "no_password", _("the PBX password is not set")
    NO_ACCOUNT = "no_account", _("an administrator's OAuth2 account is not connected")
    MISNAMED = "misnamed", _("the login form takes the name for another one")
    NO_APPROVAL = "no_approval", _("nothing can approve a login: no e-mail address")
    ONE_MAILBOX = "one_mailbox", _("the password came by e-mail: invite the user")
    USED_UP = "used_up", _("too many logins in a row failed: unlock the user")


class SmtpSecurity(TextChoices):
    STARTTLS = "starttls", _("STARTTLS, required (port 587)")
    TLS = "tls", _("TLS from the start (port 465)")
    NONE = "none", _("None, unsafe (port 25)")


class SmtpLogin(TextChoices):
    """How the site logs in at the SMTP server: the original's words, and one more."""

    PASSWORD = "password", _("Password")
    EXCHANGE = "exchange", _("OAuth2: Exchange")
    MICROSOFT_365 = "microsoft_365", _("OAuth2: Microsoft 365")
    MICROSOFT_365_APPLICATION = (
        "microsoft_365_application",
        _("OAuth2: Microsoft 365, application"),
    )
    GMAIL = "gmail", _("OAuth2: Gmail")
    GOOGLE_SERVICE_ACCOUNT = (
        "google_service_account",
        _("OAuth2: Google Service Account"),
    )
    CLIENT_SECRET = "client_secret", _("OAuth2: Client secret")
    PRIVATE_KEY_JWT = "private_key_jwt", _("OAuth2: Private key JWT")


class OAuth2Grant(TextChoices):
    """What a token for the SMTP server is asked for with."""

    AUTHORIZATION_CODE = "authorization_code", _("Authorization code, interactive")
    PASSWORD = "password", _("Resource owner password")
    CLIENT_CREDENTIALS = "client_credentials", _("Client credentials")
    JWT_BEARER = "jwt_bearer", _("JWT bearer (RFC 7523)")


class ClientAuth(TextChoices):
    """How the client secret is shown at the token endpoint (RFC 6749, 2.3.1)."""

    POST = "post", _("In the request (post)")
    BASIC = "basic", _("In the header (basic)")


class JwtAlgorithm(TextChoices):
    """What a JWT of this site is signed with (RFC 7518, 3.1)."""

    RS256 = "RS256", "RS256"
    PS256 = "PS256", "PS256"
    ES256 = "ES256", "ES256"
    RS384 = "RS384", "RS384"
    PS384 = "PS384", "PS384"
    ES384 = "ES384", "ES384"
    RS512 = "RS512", "RS512"
    PS512 = "PS512", "PS512"
    ES512 = "ES512", "ES512"


class OversizedVoicemail(TextChoices):
    """What becomes of a recording that is larger than the mail server takes."""

    LINK = "link", _("A link to hear it here, after a login")
    OPUS = "opus", _("A smaller recording (Opus), else the link")


class NetlogonSecurity(TextChoices):
    TLS = "tls", _("TLS from the start (LDAPS)")
    STARTTLS = "starttls", _("STARTTLS, required")
    NONE = "none", _("None, only on this machine")


class Dependency(TextChoices):
    """A kind of server that this site needs and does not run itself."""

    SMTP = "smtp", _("SMTP server")
    CONTROLLER = "controller", _("Domain controller")
    PROVIDER = "provider", _("OpenID provider")


class StepState(TextChoices):
    STARTED = "started", _("running")
    DONE = "done", _("done")
    SKIPPED = "skipped", _("not needed")
    FAILED = "failed", _("failed")


class Event(TextChoices):
    LOGIN = "login", _("Logged in")
    LOGIN_FAILED = "login_failed", _("Login failed")
    LOGIN_HELD = "login_held", _("Login waits for approval")
    FACTOR_ASKED = "factor_asked", _("Login waits for the second factor")
    LOGIN_REFUSED = "login_refused", _("Login refused")
    LOGIN_ACCEPTED = "login_accepted", _("Login accepted")
    LOGIN_REJECTED = "login_rejected", _("Login rejected")
    LOGIN_ENDED = "login_ended", _("Waiting login ended")
    CODE_WRONG = "code_wrong", _("Wrong code entered")
    LOGOUT = "logout", _("Logged out")
    SESSION_ENDED = "session_ended", _("Session ended")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    PASSWORD_FORGOTTEN = "password_forgotten", _("Password forgotten")
    INVITED = "invited", _("Invited to set a password")
    USER_CHANGED = "user_changed", _("User changed")
    DATA_EXPORTED = "data_exported", _("Data of a user exported")
    DATA_ERASED = "data_erased", _("Data of a user erased")
    SETTING_CHANGED = "setting_changed", _("Setting changed")
    MAIL_SENT = "mail_sent", _("E-mail sent")
    MAIL_FAILED = "mail_failed", _("E-mail failed")
    MAIL_DELAYED = "mail_delayed", _("E-mail delayed")
    MAIL_RETRIED = "mail_retried", _("E-mail queued again")
    MAIL_CANCELLED = "mail_cancelled", _("E-mail cancelled")
    SENDING_PAUSED = "sending_paused", _("Sending paused")
    SENDING_RESUMED = "sending_resumed", _("Sending resumed")
    MAIL_TESTED = "mail_tested", _("E-mail account tested")
    MAIL_AUTHORIZED = "mail_authorized", _("E-mail account authorized")
    VOICEMAIL_REFUSED = "voicemail_refused", _("Voicemail refused")
    VOICEMAIL_KEY_MADE = "voicemail_key_made", _("Voicemail key made")
    VOICEMAIL_KEY_REVOKED = "voicemail_key_revoked", _("Voicemail key revoked")
    VOICEMAIL_KEY_WRONG = "voicemail_key_wrong", _("Wrong voicemail key used")
    OAUTH2_TESTED = "oauth2_tested", _("OAuth2 tested")
    IDENTITY_BOUND = "identity_bound", _("OAuth2 account connected")
    IDENTITY_UNBOUND = "identity_unbound", _("OAuth2 account disconnected")
    DIRECTORY_SYNCED = "directory_synced", _("Users read from the directory")
    SCIM_KEY_MADE = "scim_key_made", _("SCIM key made")
    SCIM_KEY_REVOKED = "scim_key_revoked", _("SCIM key revoked")
    SCIM_KEY_WRONG = "scim_key_wrong", _("Wrong SCIM key used")
    SCIM_SYNCED = "scim_synced", _("Users taken from SCIM")
    PROVIDER_LOGOUT = "provider_logout", _("Logged out at the OpenID provider")
    PROVIDER_LOGOUT_REFUSED = (
        "provider_logout_refused",
        _("Log-out by the OpenID provider refused"),
    )
    NETLOGON_TESTED = "netlogon_tested", _("Netlogon tested")
    FACTOR_ADDED = "factor_added", _("Second factor added")
    FACTOR_REMOVED = "factor_removed", _("Second factor removed")
    FACTOR_APPROVED = "factor_approved", _("Second factor approved")
    AUDIT_EXPORTED = "audit_exported", _("Audit log exported")
    RESCUED = "rescued", _("Rescue link made")
    CLIENT_OPENED = "client_opened", _("Client application opened")
    CLIENT_REFUSED = "client_refused", _("Client application refused")
    CLIENT_UNTOLD = "client_untold", _("Client not told of a log-out")
    CODE_REPLAYED = "code_replayed", _("Code of a client used twice")


@dataclass(frozen=True)
class Origin:
    """Where a request came from, as far as the site can know."""

    address: str = ""
    user_agent: str = ""

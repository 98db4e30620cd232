"""Who may log in, and with what."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.choices import AuthenticationType


class AuthenticationFields(models.Model):
    two_factor = models.BooleanField(
        _("Two-factor authentication"),
        default=False,
        help_text=_(
            "Each login has to be approved as well: in a session that exists already,"
            " or by the link in an e-mail."
        ),
    )
    authentication_type = models.CharField(
        _("Authentication type"),
        max_length=20,
        choices=AuthenticationType.choices,
        default=AuthenticationType.PBX_ONLY,
    )
    oauth2_provider_name = models.CharField(
        _("OAuth2 provider name"),
        max_length=60,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_(
            "The name that users know the OAuth2 provider by. It stands on the button"
            " of the login form, for example “Windows” or “Active Directory”."
        ),
    )
    oauth2_domain = models.CharField(
        _("OAuth2 domain"),
        max_length=253,
        blank=True,
        validators=[validators.validate_domain],
        help_text=_(
            "Needed if the users' domain at the provider is not the PBX's domain:"
            " users of this domain count as members of the PBX's."
        ),
    )
    pbx_domain = models.CharField(
        _("PBX domain"),
        max_length=253,
        blank=True,
        validators=[validators.validate_domain],
        help_text=_("The PBX's own domain: its members log in with or without it."),
    )
    factor_required = models.BooleanField(
        _("Require a passkey or authenticator app"),
        default=False,
        help_text=_(
            "E-mail no longer suffices. Users who have neither approve one more login"
            " as before, and set one up before they can do anything else."
        ),
    )
    password_min_length = models.PositiveSmallIntegerField(
        _("Minimum password length"),
        default=8,
        validators=validators.between(8, 64, _("Enter a number from 8 to 64.")),
        help_text=_(
            "Of new PBX passwords. NIST SP 800-63B-4 asks for 15 where the password is"
            " the only factor, and for 8 beside a second one."
        ),
    )
    password_changes_forbidden = models.BooleanField(
        _("Forbid password changes"),
        default=False,
        help_text=_(
            "Users cannot change their PBX passwords themselves; administrators can."
        ),
    )
    forgotten_password = models.BooleanField(
        _("Offer “Forgot your password?”"),
        default=True,
        db_default=True,
        help_text=_(
            "Users have a link sent to their e-mail address and set a new PBX password"
            " by it. While two-factor authentication is on, the login after that is"
            " not confirmed by e-mail, but in an existing session or with a passkey or"
            " code."
        ),
    )
    forgotten_password_same_mailbox = models.BooleanField(
        _("Let the same mailbox confirm the login as well"),
        default=False,
        db_default=False,
        help_text=_(
            "After a forgotten password. Whoever reads the mailbox can then log in,"
            " without the password and without anything else."
        ),
    )
    forgotten_password_minutes = models.PositiveSmallIntegerField(
        _("Link for a forgotten password, minutes"),
        default=30,
        db_default=30,
        validators=validators.between(5, 1440, _("Enter a number from 5 to 1440.")),
        help_text=_("How long the link in the e-mail works."),
    )
    invitation_hours = models.PositiveSmallIntegerField(
        _("Link of an invitation, hours"),
        default=72,
        db_default=72,
        validators=validators.between(1, 720, _("Enter a number from 1 to 720.")),
        help_text=_(
            "How long the link works by which an invited user sets a PBX password."
        ),
    )
    myapps_digest_logins = models.BooleanField(
        _("Digest logins of myApps clients"),
        default=False,
        db_default=False,
        help_text=_(
            "Clients without OAuth2 log in with the PBX password. For that the site"
            " keeps PBX passwords encrypted beside their hashes: whoever has the"
            " database and its key can read them."
        ),
    )
    myapps_approve_by_comparing = models.BooleanField(
        _("Approve in myApps clients by comparing"),
        default=False,
        db_default=False,
        help_text=_(
            "A myApps client in which a user is signed in shows the code of a login"
            " that waits, and one click accepts it. Without this the code is typed."
        ),
    )

    class Meta:
        abstract = True

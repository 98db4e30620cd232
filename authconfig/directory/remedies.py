"""The words for each fault of a directory: what it is, and what to do about it."""

from __future__ import annotations

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.directory.faults import DirectoryError, Fault

WORDS: dict[Fault, Promise] = {
    Fault.NO_DOMAIN: _("no Windows domain is set"),
    Fault.NO_CONTROLLERS: _("the DNS names no domain controller"),
    Fault.DNS_FAILED: _("the DNS does not answer"),
    Fault.NAME_UNKNOWN: _("the DNS does not know the controller's name"),
    Fault.REFUSED: _("the controller takes no connection at this port"),
    Fault.UNREACHABLE: _("the controller cannot be reached"),
    Fault.TIMEOUT: _("the controller does not answer in time"),
    Fault.CLOSED: _("the controller closed the connection"),
    Fault.BUSY: _("the directory is too busy"),
    Fault.RESTING: _("every controller failed within the last 30 seconds"),
    Fault.NOT_LDAP: _("what answers is no LDAP server"),
    Fault.NO_STARTTLS: _("the controller refuses STARTTLS"),
    Fault.NOT_TLS: _("the controller does not speak TLS at this port"),
    Fault.TLS_FAILED: _("no encryption could be agreed on"),
    Fault.UNTRUSTED: _("the certificate is of an authority that is not trusted"),
    Fault.CERTIFICATE_EXPIRED: _("the certificate has expired"),
    Fault.CERTIFICATE_NOT_YET_VALID: _("the certificate is not valid yet"),
    Fault.WRONG_NAME: _("the certificate is for another name"),
    Fault.CA_UNREADABLE: _("the CA certificate cannot be read"),
    Fault.CLEAR_TEXT: _("the connection would be unencrypted"),
    Fault.NO_SERVICE_PASSWORD: _("the service account has no password"),
    Fault.SERVICE_REJECTED: _("the directory refuses the service account"),
    Fault.SERVICE_RESTING: _(
        "the directory has just refused the service account, and is not asked again"
        " with the same password for ten minutes"
    ),
    Fault.SIGNING_REQUIRED: _("the directory demands encryption"),
    Fault.NO_DIRECT_LOGIN: _("the directory takes no login as user@domain"),
    Fault.BAD_FILTER: _("the user filter is no LDAP filter"),
    Fault.NO_BASE: _("the base DN does not exist"),
    Fault.NO_RIGHTS: _("the search is not permitted"),
    Fault.REFERRAL: _("the controller refers to another server"),
    Fault.NO_GROUP: _("the required group does not exist"),
    Fault.OTHER: _("the directory refuses"),
    Fault.NO_USER: _("no such account in the directory"),
    Fault.SEVERAL_USERS: _("several accounts match"),
    Fault.WRONG_PASSWORD: _("wrong password"),
    Fault.WRONG_TIME: _("the account may not log in at this time"),
    Fault.WRONG_WORKSTATION: _("the account may not log in from this computer"),
    Fault.PASSWORD_EXPIRED: _("the Windows password has expired"),
    Fault.DISABLED: _("the account is disabled"),
    Fault.ACCOUNT_EXPIRED: _("the account has expired"),
    Fault.MUST_CHANGE: _("the Windows password must be changed first"),
    Fault.LOCKED: _("the account is locked"),
    Fault.REFUSED_LOGIN: _("the directory refuses this account"),
    Fault.NOT_IN_GROUP: _("not a member of the required group"),
}

REMEDIES: dict[Fault, Promise] = {
    Fault.NO_DOMAIN: _("Enter the Windows domain first."),
    Fault.NO_CONTROLLERS: _(
        "Check the spelling of the Windows domain, or enter the domain controllers."
    ),
    Fault.DNS_FAILED: _(
        "Check this server's DNS: it has to be the domain's own, or enter the domain"
        " controllers."
    ),
    Fault.NAME_UNKNOWN: _(
        "Check the spelling of the domain controllers, and that this server uses the"
        " domain's DNS."
    ),
    Fault.REFUSED: _(
        "Check the port and the firewall: usual are 636 with TLS and 389 with STARTTLS."
    ),
    Fault.UNREACHABLE: _("Check the network and the firewall."),
    Fault.TIMEOUT: _(
        "Check the firewall and the port: usual are 636 with TLS and 389 with STARTTLS."
    ),
    Fault.CLOSED: _(
        "Check “Security” and the port: a controller without a certificate of its own"
        " closes encrypted connections."
    ),
    Fault.BUSY: _("Try again later, or add another domain controller."),
    Fault.RESTING: _("Wait half a minute, then try again."),
    Fault.NOT_LDAP: _("Check the port: usual are 636 with TLS and 389 with STARTTLS."),
    Fault.NO_STARTTLS: _(
        "Give the controller a certificate, or choose “TLS from the start” if it"
        " answers at port 636."
    ),
    Fault.NOT_TLS: _("Choose STARTTLS, or enter the controller's port for TLS, 636."),
    Fault.TLS_FAILED: _("Let the controller accept TLS 1.2 or newer."),
    Fault.UNTRUSTED: _(
        "Paste the certificate of the CA that made the controller's certificate into"
        " “CA certificate”."
    ),
    Fault.CERTIFICATE_EXPIRED: _("Renew the certificate on the controller."),
    Fault.CERTIFICATE_NOT_YET_VALID: _(
        "Check the clocks of this server and of the controller."
    ),
    Fault.WRONG_NAME: _(
        "Enter the domain controllers by the names that are in their certificates."
    ),
    Fault.CA_UNREADABLE: _("Paste the CA certificate again, as PEM text."),
    Fault.CLEAR_TEXT: _(
        "Choose TLS or STARTTLS: only controllers on this machine may do without."
    ),
    Fault.NO_SERVICE_PASSWORD: _("Enter the service account's password."),
    Fault.SERVICE_REJECTED: _(
        "Enter the service account and its password again, as a DN or as user@domain."
    ),
    Fault.SERVICE_RESTING: _("Enter the service account's password again."),
    Fault.SIGNING_REQUIRED: _("Choose TLS or STARTTLS."),
    Fault.NO_DIRECT_LOGIN: _(
        "Enter a service account: only Active Directory takes logins as user@domain."
    ),
    Fault.BAD_FILTER: _(
        "Correct the user filter, for example (sAMAccountName=%(user)s)"
    ),
    Fault.NO_BASE: _("Correct the base DN, or leave it empty."),
    Fault.NO_RIGHTS: _(
        "Let the service account read the users and groups below the base DN."
    ),
    Fault.REFERRAL: _(
        "Enter the base DN of this domain, or the controllers of the domain that the"
        " users are in."
    ),
    Fault.NO_GROUP: _("Enter the required group by its full DN."),
    Fault.OTHER: _("Ask the directory's administrator what the answer means."),
    Fault.NO_USER: _(
        "Check the user name, the base DN and the user filter; the name has to be the"
        " PBX user's."
    ),
    Fault.SEVERAL_USERS: _("Make the user filter match one account only."),
    Fault.WRONG_PASSWORD: _("Enter the password again."),
    Fault.WRONG_TIME: _("Change the account's logon hours, or wait."),
    Fault.WRONG_WORKSTATION: _(
        "Let the account log on to this server: “Log On To” in the account."
    ),
    Fault.PASSWORD_EXPIRED: _("The user sets a new password in Windows."),
    Fault.DISABLED: _("Enable the account in the directory if the user may log in."),
    Fault.ACCOUNT_EXPIRED: _("Extend the account in the directory."),
    Fault.MUST_CHANGE: _("The user sets a new password in Windows."),
    Fault.LOCKED: _("Unlock the account in the directory, or wait until it unlocks."),
    Fault.REFUSED_LOGIN: _("Look into the account's restrictions in the directory."),
    Fault.NOT_IN_GROUP: _(
        "Add the user to the required group; a primary group does not count."
    ),
}

# Active Directory says so only after the password was right.
SENTENCES: dict[Fault, Promise] = {
    Fault.PASSWORD_EXPIRED: _(
        "Your Windows password has expired. Please set a new one in Windows, then log"
        " in with it."
    ),
    Fault.MUST_CHANGE: _(
        "You have to change your Windows password first. Please do so in Windows, then"
        " log in with the new one."
    ),
}
NO_ANSWER = _(
    "Windows passwords cannot be checked at present. Please try again later, or ask the"
    " administrator of your telephone system."
)


def summary(error: DirectoryError) -> str:
    """Return what happened and the directory's own words, in the active language."""
    words = str(WORDS[error.fault])
    return f"{words} ({error.words})" if error.words else words


def audit_detail(error: DirectoryError) -> str:
    """Return the same in English, whatever the visitor's language."""
    with translation.override("en"):
        return f"{error.stage.value}: {summary(error)}"


def remedy(error: DirectoryError) -> str:
    return str(REMEDIES[error.fault])

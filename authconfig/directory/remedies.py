"""The words for each fault of a directory, and what to do about it."""

from __future__ import annotations

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.directory.faults import DirectoryError, DirectoryFault

WORDS: dict[DirectoryFault, Promise] = {
    DirectoryFault.NO_DOMAIN: _("no Windows domain is set"),
    DirectoryFault.NO_CONTROLLERS: _("the DNS names no domain controller"),
    DirectoryFault.DNS_FAILED: _("the DNS does not answer"),
    DirectoryFault.NAME_UNKNOWN: _("the DNS does not know the controller's name"),
    DirectoryFault.REFUSED: _("the controller takes no connection at this port"),
    DirectoryFault.UNREACHABLE: _("the controller cannot be reached"),
    DirectoryFault.TIMEOUT: _("the controller does not answer in time"),
    DirectoryFault.CLOSED: _("the controller closed the connection"),
    DirectoryFault.BUSY: _("the directory is too busy"),
    DirectoryFault.RESTING: _("every controller failed within the last 30 seconds"),
    DirectoryFault.NOT_LDAP: _("what answers is no LDAP server"),
    DirectoryFault.NO_STARTTLS: _("the controller refuses STARTTLS"),
    DirectoryFault.NOT_TLS: _("the controller does not speak TLS at this port"),
    DirectoryFault.TLS_FAILED: _("no encryption could be agreed on"),
    DirectoryFault.UNTRUSTED: _(
        "the certificate is of an authority that is not trusted"
    ),
    DirectoryFault.CERTIFICATE_EXPIRED: _("the certificate has expired"),
    DirectoryFault.CERTIFICATE_NOT_YET_VALID: _("the certificate is not valid yet"),
    DirectoryFault.WRONG_NAME: _("the certificate is for another name"),
    DirectoryFault.CA_UNREADABLE: _("the CA certificate cannot be read"),
    DirectoryFault.CLEAR_TEXT: _("the connection would be unencrypted"),
    DirectoryFault.NO_SERVICE_PASSWORD: _("the service account has no password"),
    DirectoryFault.SERVICE_REJECTED: _("the directory refuses the service account"),
    DirectoryFault.SERVICE_RESTING: _(
        "the directory has just refused the service account, and is not asked again yet"
    ),
    DirectoryFault.SIGNING_REQUIRED: _("the directory demands encryption"),
    DirectoryFault.NO_DIRECT_LOGIN: _("the directory takes no login as user@domain"),
    DirectoryFault.BAD_FILTER: _("the user filter is no LDAP filter"),
    DirectoryFault.NO_BASE: _("the base DN does not exist"),
    DirectoryFault.NO_RIGHTS: _("the search is not permitted"),
    DirectoryFault.REFERRAL: _("the controller refers to another server"),
    DirectoryFault.NO_GROUP: _("the required group does not exist"),
    DirectoryFault.BAD_GROUP: _("the required group is no DN"),
    DirectoryFault.SIZE_LIMIT: _("the directory sends only a part of the entries"),
    DirectoryFault.NO_SERVICE: _("no service account is set"),
    DirectoryFault.OTHER: _("the directory refuses"),
    DirectoryFault.NO_USER: _("no such account in the directory"),
    DirectoryFault.SEVERAL_USERS: _("several accounts match"),
    DirectoryFault.WRONG_PASSWORD: _("wrong password"),
    DirectoryFault.WRONG_TIME: _("the account may not log in at this time"),
    DirectoryFault.WRONG_WORKSTATION: _(
        "the account may not log in from this computer"
    ),
    DirectoryFault.PASSWORD_EXPIRED: _("the Windows password has expired"),
    DirectoryFault.DISABLED: _("the account is disabled"),
    DirectoryFault.ACCOUNT_EXPIRED: _("the account has expired"),
    DirectoryFault.MUST_CHANGE: _("the Windows password must be changed first"),
    DirectoryFault.LOCKED: _("the account is locked"),
    DirectoryFault.REFUSED_LOGIN: _("the directory refuses this account"),
    DirectoryFault.NOT_IN_GROUP: _("not a member of the required group"),
}

# A domain controller compares “Log On To” with its own name, whoever has asked it.
ON_CONTROLLERS = _(
    "Add the NetBIOS names of the domain controllers to “Log On To” in the account:"
    " there they count, this server's name does not."
)
REMEDIES: dict[DirectoryFault, Promise] = {
    DirectoryFault.NO_DOMAIN: _("Enter the Windows domain first."),
    DirectoryFault.NO_CONTROLLERS: _(
        "Check the spelling of the Windows domain, or enter the domain controllers."
    ),
    DirectoryFault.DNS_FAILED: _(
        "Check this server's DNS: it has to be the domain's own, or enter the domain"
        " controllers."
    ),
    DirectoryFault.NAME_UNKNOWN: _(
        "Check the spelling of the domain controllers, and that this server uses the"
        " domain's DNS."
    ),
    DirectoryFault.REFUSED: _(
        "Check the port and the firewall: usual are 636 with TLS and 389 with STARTTLS."
    ),
    DirectoryFault.UNREACHABLE: _("Check the network and the firewall."),
    DirectoryFault.TIMEOUT: _(
        "Check the firewall and the port: usual are 636 with TLS and 389 with STARTTLS."
    ),
    DirectoryFault.CLOSED: _(
        "Check “Security” and the port: a controller without a certificate of its own"
        " closes encrypted connections."
    ),
    DirectoryFault.BUSY: _("Try again later, or add another domain controller."),
    DirectoryFault.RESTING: _("Wait half a minute, then try again."),
    DirectoryFault.NOT_LDAP: _(
        "Check the port: usual are 636 with TLS and 389 with STARTTLS."
    ),
    DirectoryFault.NO_STARTTLS: _(
        "Give the controller a certificate, or choose “TLS from the start” if it"
        " answers at port 636."
    ),
    DirectoryFault.NOT_TLS: _(
        "Choose STARTTLS, or enter the controller's port for TLS, 636."
    ),
    DirectoryFault.TLS_FAILED: _("Let the controller accept TLS 1.2 or newer."),
    DirectoryFault.UNTRUSTED: _(
        "Paste the certificate of the CA that made the controller's certificate into"
        " “CA certificate”."
    ),
    DirectoryFault.CERTIFICATE_EXPIRED: _("Renew the certificate on the controller."),
    DirectoryFault.CERTIFICATE_NOT_YET_VALID: _(
        "Check the clocks of this server and of the controller."
    ),
    DirectoryFault.WRONG_NAME: _(
        "Enter the domain controllers by the names that are in their certificates."
    ),
    DirectoryFault.CA_UNREADABLE: _("Paste the CA certificate again, as PEM text."),
    DirectoryFault.CLEAR_TEXT: _(
        "Choose TLS or STARTTLS: only controllers on this machine may do without."
    ),
    DirectoryFault.NO_SERVICE_PASSWORD: _("Enter the service account's password."),
    DirectoryFault.SERVICE_REJECTED: _(
        "Enter the service account and its password again, as a DN or as user@domain."
    ),
    DirectoryFault.SERVICE_RESTING: _(
        "Mend the service account in the directory or its password here, then save or"
        " press “Test Netlogon”: each asks at once."
    ),
    DirectoryFault.SIGNING_REQUIRED: _("Choose TLS or STARTTLS."),
    DirectoryFault.NO_DIRECT_LOGIN: _(
        "Enter a service account: only Active Directory takes logins as user@domain."
    ),
    DirectoryFault.BAD_FILTER: _(
        "Correct the user filter, for example (sAMAccountName=%(user)s)"
    ),
    DirectoryFault.NO_BASE: _("Correct the base DN, or leave it empty."),
    DirectoryFault.NO_RIGHTS: _(
        "Let the service account read the users and groups below the base DN."
    ),
    DirectoryFault.REFERRAL: _(
        "Enter the base DN of this domain, or the controllers of the domain that the"
        " users are in."
    ),
    DirectoryFault.NO_GROUP: _("Enter the required group by its full DN."),
    DirectoryFault.BAD_GROUP: _("Enter the required group by its full DN."),
    DirectoryFault.SIZE_LIMIT: _(
        "Raise the directory's limits of size and paged results for the service"
        " account, or let the filter match fewer entries."
    ),
    DirectoryFault.NO_SERVICE: _("Enter a service account and its password."),
    DirectoryFault.OTHER: _("Ask the directory's administrator what the answer means."),
    DirectoryFault.NO_USER: _(
        "Check the user name, the base DN and the user filter; the name has to be the"
        " PBX user's."
    ),
    DirectoryFault.SEVERAL_USERS: _("Make the user filter match one account only."),
    DirectoryFault.WRONG_PASSWORD: _("Enter the password again."),
    DirectoryFault.WRONG_TIME: _("Change the account's logon hours, or wait."),
    DirectoryFault.WRONG_WORKSTATION: ON_CONTROLLERS,
    DirectoryFault.PASSWORD_EXPIRED: _("The user sets a new password in Windows."),
    DirectoryFault.DISABLED: _(
        "Enable the account in the directory if the user may log in."
    ),
    DirectoryFault.ACCOUNT_EXPIRED: _("Extend the account in the directory."),
    DirectoryFault.MUST_CHANGE: _("The user sets a new password in Windows."),
    DirectoryFault.LOCKED: _(
        "Unlock the account in the directory, or wait until it unlocks."
    ),
    DirectoryFault.REFUSED_LOGIN: _(
        "Look into the account's restrictions in the directory."
    ),
    DirectoryFault.NOT_IN_GROUP: _(
        "Add the user to the required group; a primary group does not count."
    ),
}

# What to do about a service account, where the directory says why it refuses it.
SERVICE_REMEDIES: dict[DirectoryFault, Promise] = {
    DirectoryFault.NO_USER: _(
        "Check the name of the service account: the directory has none like this."
    ),
    DirectoryFault.WRONG_TIME: _("Let the service account log in at any hour."),
    DirectoryFault.WRONG_WORKSTATION: ON_CONTROLLERS,
    DirectoryFault.PASSWORD_EXPIRED: _(
        "Give the service account a password that does not expire, and enter it here."
    ),
    DirectoryFault.DISABLED: _("Enable the service account in the directory."),
    DirectoryFault.ACCOUNT_EXPIRED: _("Extend the service account in the directory."),
    DirectoryFault.MUST_CHANGE: _(
        "Let the service account keep its password: take the mark “must change the"
        " password” from it, or change the password as the account itself."
    ),
    DirectoryFault.LOCKED: _(
        "Unlock the service account in the directory, or wait until it unlocks."
    ),
}

# Visitors may read these: directories say so only after a right password.
SENTENCES: dict[DirectoryFault, Promise] = {
    DirectoryFault.PASSWORD_EXPIRED: _(
        "Your Windows password has expired. Please set a new one in Windows, then log"
        " in with it."
    ),
    DirectoryFault.MUST_CHANGE: _(
        "You have to change your Windows password first. Please do so in Windows, then"
        " log in with the new one."
    ),
}
NO_ANSWER = _(
    "Windows passwords cannot be checked at present. Please try again later, or ask the"
    " administrator of your telephone system."
)


def summary(error: DirectoryError) -> str:
    words = str(WORDS[error.fault])
    if error.reason:
        words = f"{words}: {WORDS[error.reason]}"
    return f"{words} ({error.words})" if error.words else words


def audit_detail(error: DirectoryError) -> str:
    """Return the stage and its summary in English, whatever the visitor's language."""
    with translation.override("en"):
        return f"{error.stage.value}: {summary(error)}"


def remedy(error: DirectoryError) -> str:
    of_service = SERVICE_REMEDIES.get(error.reason) if error.reason else None
    return str(of_service or REMEDIES[error.fault])

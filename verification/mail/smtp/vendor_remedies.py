"""What Microsoft and Google mean by their own refusals, by code and enhanced code.

Microsoft: "Fix issues with printers, scanners, and LOB applications that send email
using Microsoft 365", "NDR error codes in Exchange Online", and the announcement of the
end of passwords for client submission. Google: "Gmail SMTP errors and codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:  # the stubs are not there in production
    from django_stubs_ext import StrPromise

# The class of the enhanced code says no more than the reply code.
VENDOR_REMEDIES: dict[tuple[int, str], StrPromise] = {
    (535, "7.3"): _(
        "Microsoft does not accept this login. Check the user name, and that"
        " “Authenticated SMTP” is allowed for the mailbox. With OAuth2: the token must"
        " be of this mailbox and of the right SMTP.Send; an application needs the right"
        " SMTP.SendAsApp, the consent of an administrator, and a service principal in"
        " Exchange Online with full access to the mailbox."
    ),
    (535, "7.139"): _(
        "Microsoft has switched this login off: for the whole tenant, for this mailbox,"
        " or by security defaults or a conditional access policy. With a password,"
        " choose a login by OAuth2; and allow “Authenticated SMTP” for the mailbox in"
        " the admin center (Mail, Manage email apps), which OAuth2 needs as well."
    ),
    (550, "7.30"): _(
        "Microsoft takes no passwords for sending any more. Choose the login “OAuth2:"
        " Exchange” or “OAuth2: Microsoft 365, application”."
    ),
    (530, "7.57"): _(
        "Microsoft wants a login before it takes an e-mail. Enter user name and"
        " password or choose a login by OAuth2, and use smtp.office365.com with port"
        " 587 and STARTTLS."
    ),
    (554, "2.252"): _(
        "Microsoft says that this mailbox may not send as the sender's address. Enter"
        " the mailbox's own e-mail address, or give the account that logs in the right"
        " “Send as” for it in Exchange Online."
    ),
    (534, "7.9"): _(
        "Google does not take the account's own password. Choose the login “OAuth2:"
        " Gmail”; or, if the account has 2-Step Verification, create an app password"
        " there and enter it."
    ),
    (535, "7.8"): _(
        "The user name or the password is wrong. Enter both again. Google takes an app"
        " password or the login “OAuth2: Gmail” alone; with OAuth2, the token must be"
        " of this very user name and of the scope https://mail.google.com/."
    ),
}

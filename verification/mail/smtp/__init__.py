"""The one place that speaks SMTP, for mails and for trials of the account.

It offers open_connection() for one delivery, Pool and Line for many, and SmtpError.
"""

from authconfig.choices import StepState
from authconfig.trial import Progress, Step
from verification.mail.account import Account
from verification.mail.choices import Stage
from verification.mail.smtp.connection import Connection, Line, Pool, open_connection
from verification.mail.smtp.errors import SmtpError

__all__ = [
    "Account",
    "Connection",
    "Line",
    "Pool",
    "Progress",
    "SmtpError",
    "Stage",
    "Step",
    "StepState",
    "open_connection",
]

"""The one place that speaks SMTP: for real e-mails and for tests of the account."""

from authconfig.choices import StepState
from authconfig.trial import Progress, Step
from verification.mail.choices import Stage
from verification.mail.smtp.connection import Connection, open_connection
from verification.mail.smtp.errors import SmtpError
from verification.mail.smtp.pool import Line, Pool
from verification.mail.smtp.values import Account

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

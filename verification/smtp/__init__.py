"""The one place that speaks SMTP: for real e-mails and for tests of the account."""

from authconfig.choices import StepState
from authconfig.steps import Progress, Step
from verification.choices import Stage
from verification.smtp.connection import Connection, open_connection
from verification.smtp.errors import SmtpError
from verification.smtp.pool import Line, Pool
from verification.smtp.values import Account

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

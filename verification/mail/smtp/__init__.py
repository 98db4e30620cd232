"""The one place that speaks SMTP, for mails and for trials of an account.

It offers open_connection() for one delivery, Pool and Line for many, and SmtpError.
"""

from verification.mail.smtp.connection import Connection, Line, Pool, open_connection
from verification.mail.smtp.errors import SmtpError

__all__ = ["Connection", "Line", "Pool", "SmtpError", "open_connection"]

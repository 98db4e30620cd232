"""The site's own settings: its log is written as on a site, since that is work too."""

from pbxsite.settings import *

# The SMTP server of the trace runs in the same process.
LOGGING["loggers"] |= {"mail.log": {"level": "CRITICAL"}}

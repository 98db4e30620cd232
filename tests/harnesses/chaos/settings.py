"""The site's settings as in production; a small run waits less for dead workers."""

import os
from datetime import timedelta

from pbxsite.settings import *

MAIL_LEASE_TTL = timedelta(
    seconds=float(os.environ.get("CHAOS_LEASE", MAIL_LEASE_TTL.total_seconds()))
)
# All voicemails come from one PBX within minutes.
LIMIT_VOICEMAILS = (10_000, timedelta(hours=1))

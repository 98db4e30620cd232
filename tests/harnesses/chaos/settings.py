"""The site's settings as in production; a small run waits less for dead workers."""

import os
from datetime import UTC, datetime, timedelta

import time_machine

from pbxsite.settings import *

CLOCK_AHEAD = timedelta(seconds=float(os.environ.get("CHAOS_CLOCK_AHEAD", "0")))
if CLOCK_AHEAD:
    time_machine.travel(datetime.now(UTC) + CLOCK_AHEAD, tick=True).start()

MAIL_LEASE_TTL = timedelta(
    seconds=float(os.environ.get("CHAOS_LEASE", MAIL_LEASE_TTL.total_seconds()))
)
# All voicemails come from one PBX within minutes.
LIMIT_VOICEMAILS = (10_000, timedelta(hours=1))
# One user logs in again and again, to see what users see.
ACCOUNT_RATE_LIMITS |= {"login": "10000/m/ip"}
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}

"""Years of mails that were sent."""

from __future__ import annotations

import time
from datetime import datetime

from django.db import connection

from authconfig.users.models import PbxUser

DAYS = 29  # within what the site keeps
ADD = """
INSERT INTO mail_outgoingemail
  (public_id, kind, priority, user_id, recipient, language, state, attempts,
   created_at, due_at, expires_at, ended_at, stage, code, fault, words, doubts,
   request_id)
SELECT gen_random_uuid(), 'password', 0, %s, 'anna@example.com', 'en', 'sent', 1,
  at, at, at + interval '1 day', at, '', 250, '', '250 2.0.0 Ok: queued as 4XyzAB', 0,
  ''
FROM (SELECT now() - make_interval(secs => 86400.0 * %s * number / %s) AS at
      FROM generate_series(1, %s) AS number) AS moments
"""


# Autovacuum looks at each database once a minute, and takes its time with the table.
VACUUM_SECONDS = 600
TIDIED = """
SELECT count(*) FROM pg_stat_user_tables
WHERE relname = 'mail_outgoingemail'
  AND last_autovacuum > %s AND last_autoanalyze > %s
"""


def add_old_mails(user: PbxUser, count: int) -> None:
    """Add mails that were sent over the last month."""
    with connection.cursor() as cursor:
        cursor.execute(ADD, [user.pk, DAYS, count, count])


def await_vacuum(began: datetime) -> None:
    """Wait until the server has vacuumed and analyzed the table by itself."""
    limit = time.monotonic() + VACUUM_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < limit:
            cursor.execute(TIDIED, [began, began])
            if cursor.fetchone() == (1,):
                return
            time.sleep(1)
    raise TimeoutError("autovacuum did not come")

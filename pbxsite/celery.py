"""The Celery app. It only wakes workers: the database rows are the queue."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    setup_logging,
    worker_init,
    worker_shutting_down,
)
from django.conf import settings
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from pbxsite import worker
from pbxsite.conf.databases import checked

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
TRANSPORT_ALIASES["redis"] = "pbxsite.conf.redis_transport:Transport"
TRANSPORT_ALIASES["rediss"] = TRANSPORT_ALIASES["redis"]


class CheckingCelery(Celery):
    """Checks the certificate of a broker wherever its address comes from.

    Celery also takes one from its option -b and from variables of its own, and kombu
    checks no certificate unless the address says so.
    """

    def connection_for_read(self, url: str | None = None, **kwargs: Any) -> Connection:
        wanted = checked(url or self.conf.broker_read_url)
        return super().connection_for_read(wanted, **kwargs)

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Connection:
        wanted = checked(url or self.conf.broker_write_url)
        return super().connection_for_write(wanted, **kwargs)


app = CheckingCelery("pbxsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.update(
    # Whoever writes to the broker must run no code: nothing but JSON is read.
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # A dead or silent broker costs a login half a second, not for ever.
    broker_transport_options={
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
        "max_retries": 0,
    },
)
# A sweep expires when the next one is due: nobody needs both.
app.conf.beat_schedule = {
    "wake-due-mails": {
        "task": "verification.mail.tasks.wake_due_mails",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "make-links": {
        "task": "verification.password_links.tasks.make_waiting_links",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "forget-old-links": {
        "task": "verification.password_links.tasks.forget_old_links",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "end-overdue-mails": {
        "task": "verification.mail.tasks.end_overdue_mails",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "end-abandoned-trials": {
        "task": "verification.mail.tasks.end_abandoned_trials",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "keep-mail-tokens": {
        "task": "verification.mail.oauth2.tasks.keep_tokens",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "forget-old-mails": {
        "task": "verification.mail.tasks.forget_old_mails",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "forget-recordings": {
        "task": "verification.voicemail.tasks.forget_recordings",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "forget-old-events": {
        "task": "authconfig.users.tasks.forget_old_events",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "forget-old-logins": {
        "task": "verification.login.tasks.forget_old_logins",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "forget-old-grants": {
        "task": "pbxsite.gateway.openid.tasks.forget_old_grants",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "tell-clients-of-ends": {
        "task": "pbxsite.gateway.openid.tasks.tell_clients_of_ends",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "make-calls": {
        "task": "pbxsite.administration.alarms.calls.make_calls",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "forget-old-alarms": {
        "task": "pbxsite.administration.alarms.tasks.forget_old_alarms",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "sync-directory": {
        "task": "authconfig.sync.tasks.sync_directory",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "recheck-provider-logins": {
        "task": "verification.sessions.tasks.recheck_provider_logins",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "clear-expired-sessions": {
        "task": "verification.sessions.tasks.clear_expired_sessions",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
}


@app.on_after_finalize.connect
def recheck_windows_accounts(sender: Celery, **kwargs: Any) -> None:
    """Add it late: the settings import this module, so it cannot read them before."""
    seconds = settings.NETLOGON_RECHECK_MINUTES * 60.0
    if seconds:
        sender.conf.beat_schedule["recheck-windows-accounts"] = {
            "task": "verification.sessions.tasks.recheck_windows_accounts",
            "schedule": seconds,
            "options": {"expires": seconds},
        }


worker_init.connect(worker.look_at_the_database)
celeryd_after_setup.connect(worker.begin)
worker_shutting_down.connect(worker.end)


@setup_logging.connect
def keep_the_log(**kwargs: Any) -> None:
    """Do nothing: with a receiver Celery leaves the log as the settings made it."""


@celeryd_init.connect
def be_patient(conf: Any, **kwargs: Any) -> None:
    """Let a worker wait for a broker that restarts; only publishers must be quick."""
    conf.broker_transport_options = {"visibility_timeout": 600}
    conf.broker_connection_max_retries = None

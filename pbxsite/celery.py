"""The Celery app: it only wakes workers, the database rows are the queue."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")

app = Celery("pbxsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A sweep that no worker took up before the next one is needed no more.
app.conf.beat_schedule = {
    "wake-due-mails": {
        "task": "verification.tasks.wake_due_mails",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "end-overdue-mails": {
        "task": "verification.tasks.end_overdue_mails",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
}


@celeryd_init.connect
def be_patient(conf: Any, **kwargs: Any) -> None:
    """A worker waits for a broker that restarts; only publishers must be quick."""
    conf.broker_transport_options = {"visibility_timeout": 600}
    conf.broker_connection_max_retries = None

"""What the processes of the embedded mode import, each before the other.

It is imported once, before they are forked: so they start at once, and the memory of it
is there once. Nothing here may start a thread or open a connection.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module

from pbxsite.celery import app
from pbxsite.edge.warming import warm_up
from pbxsite.embedded.forks import fill_gaps

# Besides the models; what a library would import late, in each process anew.
MODULES = (
    "pbxsite.urls",
    "pbxsite.asgi",
    "pbxsite.embedded.scheduler_thread",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.serializers",
    "django.db.models.sql.compiler",
    "uvicorn.main",
    "uvicorn.lifespan.on",
    "uvicorn.loops.asyncio",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.app.routes",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.events.dispatcher",
    "celery.events.state",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "billiard.pool",
    "kombu.transport.redis",
    "pbxsite.conf.redis_transport",
    "dbm.dumb",
)


def import_shared() -> None:
    for name in MODULES:
        import_module(name)
    # Django's checks are for those who change the site; each start would repeat them.
    os.environ["CELERY_SKIP_CHECKS"] = "true"
    app.loader.init_worker()
    app.finalize()
    warm_up()
    # What is there now is garbage never: no collection shall touch, and so copy, it.
    gc.collect()
    gc.freeze()
    fill_gaps()

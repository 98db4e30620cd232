"""The start and end of a web process, of which systemd is told.

So processes can restart one after the other, and one of them always serves.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import socket
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from authconfig.models import current_rules
from pbxsite.edge.warming import warm_up
from pbxsite.tables.older import OlderDatabaseError

logger = logging.getLogger(__name__)
# Each browser that waits holds a file open; a site has thousands of them at times.
FEW_FILES = 8192


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Answer the server's two messages (ASGI, "Lifespan Protocol")."""
    await receive()
    try:
        await sync_to_async(_warm_up)()
    except OlderDatabaseError as error:
        # The server logs the words and ends.
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    _notify("READY=1")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    _notify("STOPPING=1")
    await send({"type": "lifespan.shutdown.complete"})


def _open_files() -> None:
    """Use as many open files as this process may, and say so if these are few."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FEW_FILES:
        logger.warning(
            "this process may open %d files, one for each browser that waits: "
            "raise LimitNOFILE of its unit, or ulimit -n",
            soft,
        )


def _warm_up() -> None:
    _open_files()
    warm_up()
    # A process that starts during an outage serves as soon as that is over.
    with contextlib.suppress(DatabaseError):
        current_rules()
    connection.close()


def _notify(state: str) -> None:
    """Tell the service manager, if one wants to know (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # "@" stands for the NUL that begins an address of the abstract namespace.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.sendto(state.encode(), path)

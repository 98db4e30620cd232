"""The local mailbox: an SMTP server that keeps every mail as a file."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from pbxsite.embedded.data_dir import MAIL_NAME_FORMAT

logger = logging.getLogger(__name__)


class KeepEveryMail:
    """Takes any recipient. A mail appears by a rename, so a reader sees it whole."""

    def __init__(self, into: Path) -> None:
        self.into = into

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        name = f"{datetime.now(UTC):{MAIL_NAME_FORMAT}}-{secrets.token_hex(4)}"
        try:
            await asyncio.to_thread(self._keep, name, envelope.content)
        except OSError:
            logger.exception("mailbox: a mail could not be kept")
            return "452 4.3.1 The mailbox cannot keep this mail now"
        return f"250 2.0.0 Kept as {name}.eml"

    def _keep(self, name: str, content: bytes) -> None:
        draft = self.into / f".{name}.part"
        try:
            draft.write_bytes(content)
            draft.rename(self.into / f"{name}.eml")
        except OSError:
            draft.unlink(missing_ok=True)
            raise


async def serve(into: Path, port: int) -> None:
    """Receive mails on the loopback address until SIGTERM or SIGINT."""
    # At INFO it tells of each command, recipients included.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    protocol = partial(
        SMTP, KeepEveryMail(into), hostname="localhost", enable_SMTPUTF8=True
    )
    server = await loop.create_server(protocol, "127.0.0.1", port)
    await stopped.wait()
    server.close()

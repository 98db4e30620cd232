"""Deliver e-mails over one connection to an SMTP server."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from authconfig.trial import Progress
from verification.mail.smtp.addresses import refuse_control_characters
from verification.mail.smtp.conversation import Conversation
from verification.mail.smtp.delivery import deliver
from verification.mail.smtp.opening import open_conversation
from verification.mail.smtp.values import Account

# Seconds for the small talk on which no e-mail depends.
SMALL_TALK_LIMIT = 5.0
QUIT_LIMIT = 2.0


def open_connection(account: Account, progress: Progress | None = None) -> Connection:
    """Connect, encrypt and log in; raise SmtpError where that ends."""
    refuse_control_characters(
        account.server, account.client_host_name, account.email_address
    )
    talk = Conversation(account, progress)
    try:
        open_conversation(talk)
    except BaseException:
        _hang_up(talk)
        raise
    return Connection(talk)


class Connection:
    """Belongs to one thread; made by `open_connection()`."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self.deliveries = 0
        self.used_at = time.monotonic()

    @property
    def account(self) -> Account:
        return self._talk.account

    @property
    def is_usable(self) -> bool:
        return self._talk.client.is_usable

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(
        self,
        message: EmailMessage,
        *,
        sender: str,
        recipient: str,
        progress: Progress | None = None,
        before_data: Callable[[], None] | None = None,
    ) -> str:
        """Deliver it and return the server's words.

        `before_data` runs when the server has asked for the content, right before
        its first byte; what it raises ends the delivery, and the connection as well.
        """
        refuse_control_characters(sender, recipient)
        talk = self._talk
        talk.progress = progress
        talk.data_begun = talk.handed_over = False
        self.deliveries += 1
        try:
            return deliver(talk, message, sender, recipient, before_data)
        except BaseException:
            _take_back(talk)
            raise
        finally:
            self.used_at = time.monotonic()

    def is_alive(self) -> bool:
        if not self.is_usable:
            return False
        with suppress(OSError), self._talk.limit(SMALL_TALK_LIMIT) as client:
            return client.noop()[0] == 250
        return False

    def close(self) -> None:
        _hang_up(self._talk)


def _hang_up(talk: Conversation) -> None:
    if not talk.is_open:
        return
    with suppress(OSError), talk.limit(QUIT_LIMIT) as client:
        if client.is_usable:
            client.docmd("QUIT")
    with suppress(OSError):
        talk.client.close()


def _take_back(talk: Conversation) -> None:
    """Make the connection ready for another e-mail, or close it for good."""
    client = talk.client
    with suppress(OSError), talk.limit(SMALL_TALK_LIMIT):
        client.settle()
        if client.is_usable:
            client.rset()
            return
    client.close()

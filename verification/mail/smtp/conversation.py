"""What every step of a delivery shares: reports, limits, and one kind of error."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from authconfig.choices import StepState
from authconfig.trial import Progress, Step
from verification.mail.choices import Stage
from verification.mail.smtp.addresses import wire_host
from verification.mail.smtp.client import Client
from verification.mail.smtp.errors import LONGEST_WORDS, SmtpError, readable
from verification.mail.smtp.faults import Fault, fault_of
from verification.mail.smtp.values import Account

Reply = tuple[int, bytes]


class Conversation:
    def __init__(self, account: Account, progress: Progress | None) -> None:
        self.account = account
        self.host = wire_host(account.server)
        self.progress = progress
        self.data_begun = False
        self.handed_over = False
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            raise RuntimeError("The connection is not open.")
        return self._client

    @client.setter
    def client(self, client: Client) -> None:
        self._client = client

    @property
    def is_open(self) -> bool:
        return self._client is not None

    def report(self, stage: Stage, state: StepState, words: str = "") -> None:
        self._report(stage, state, words, time.monotonic())

    def _report(
        self, stage: Stage, state: StepState, words: str, began_at: float
    ) -> None:
        if self.progress:
            elapsed_ms = round((time.monotonic() - began_at) * 1000)
            self.progress(Step(stage, state, elapsed_ms, words))

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[list[str]]:
        """Report how it goes; what is appended to the list is what was found."""
        began_at = time.monotonic()
        self._report(stage, StepState.STARTED, "", began_at)
        found: list[str] = []
        try:
            yield found
        except SmtpError as error:
            self._report(stage, StepState.FAILED, error.words, began_at)
            raise
        except OSError as cause:  # smtplib's exceptions are kinds of it
            fault = self.error(stage, str(cause), fault_of(cause))
            self._report(stage, StepState.FAILED, fault.words, began_at)
            raise fault from cause
        self._report(stage, StepState.DONE, " ".join(found), began_at)

    def expect(self, stage: Stage, reply: Reply, wanted: int) -> str:
        """Return the reply's words if its first digit is the wanted code's."""
        code, text = reply
        words = f"{code} {self._without_secrets(stage, readable(text))}".strip()
        if not 200 <= code < 600:
            raise self.error(stage, readable(text), Fault.NOT_SMTP)
        if code // 100 != wanted // 100:
            raise self.error(stage, words, code=code)
        return words[:LONGEST_WORDS]

    def error(
        self,
        stage: Stage,
        words: str,
        fault: Fault = Fault.REPLY,
        *,
        code: int | None = None,
        issuer: str = "",
    ) -> SmtpError:
        """Make an error that knows the server and how far the delivery came."""
        account = self.account
        error = SmtpError(
            stage,
            readable(words),
            fault=fault,
            code=code,
            details={"server": account.server, "port": account.port, "issuer": issuer},
        )
        error.data_begun = self.data_begun
        error.outcome_unknown = self.handed_over and code is None
        return error

    def _without_secrets(self, stage: Stage, words: str) -> str:
        """Some servers repeat the command that they refuse."""
        if stage != Stage.AUTH:
            return words
        username, password = self.account.username, self.account.password
        for secret in (f"\0{username}\0{password}", password):
            words = words.replace(b64encode(secret.encode()).decode(), "***")
        return words.replace(password, "***") if password else words

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Client]:
        """Wait that long at most, instead of the account's limit for replies."""
        client = self.client
        client.limit = seconds
        try:
            yield client
        finally:
            client.limit = self.account.reply_timeout

"""A conversation with an SMTP server: its stages, its limits and its one error."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db.models import TextChoices

from authconfig.choices import StepState
from authconfig.network import LONGEST_WORDS, readable
from authconfig.trial import Failure, Progress, report_step, run_stage
from verification.mail.account import Account
from verification.mail.choices import SmtpStage
from verification.mail.oauth2.keeping import AccessToken
from verification.mail.smtp.client import Client
from verification.mail.smtp.errors import SmtpError
from verification.mail.smtp.faults import SmtpFault, fault_of
from verification.mail.smtp.wire_format import wire_host

Reply = tuple[int, bytes]
BROKEN_TLS = (SmtpFault.PLAIN_SERVER, SmtpFault.OLD_TLS, SmtpFault.TLS_FAILED)
# A shorter password is told from an ordinary word by nothing.
LONG_ENOUGH = 6


class Conversation:
    def __init__(self, account: Account, progress: Progress | None) -> None:
        self.account = account
        self.host = wire_host(account.server)
        self.progress = progress
        # What logs in instead of the password, if the account has none.
        self.token: AccessToken | None = None
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

    def report(self, stage: SmtpStage, state: StepState, words: str = "") -> None:
        report_step(self.progress, stage, state, words)

    def stage(self, stage: SmtpStage) -> AbstractContextManager[list[str]]:
        return run_stage(stage, self.progress, self._meaning)

    def _meaning(self, stage: TextChoices, raised: Exception) -> Failure | None:
        if isinstance(raised, SmtpError):
            return Failure(raised, raised.words)
        if isinstance(raised, OSError):  # smtplib's exceptions derive from it
            fault = self._fault(SmtpStage(stage), raised)
            error = self.error(SmtpStage(stage), str(raised), fault)
            return Failure(error, error.words)
        return None

    def _fault(self, stage: SmtpStage, raised: Exception) -> SmtpFault:
        """Once TLS stands, clear text ends it: Exim says its last 421 so."""
        fault = fault_of(raised)
        is_standing = stage not in (SmtpStage.CONNECT, SmtpStage.TLS)
        return SmtpFault.CLOSED if is_standing and fault in BROKEN_TLS else fault

    def expect(self, stage: SmtpStage, reply: Reply, wanted: int) -> str:
        code, text = reply
        words = f"{code} {self._without_secrets(stage, readable(text))}".strip()
        if not 200 <= code < 600:
            raise self.error(stage, readable(text), SmtpFault.NOT_SMTP)
        if code // 100 != wanted // 100:
            raise self.error(stage, words, code=code)
        return words[:LONGEST_WORDS]

    def error(
        self,
        stage: SmtpStage,
        words: str,
        fault: SmtpFault = SmtpFault.REPLY,
        *,
        code: int | None = None,
        issuer: str = "",
    ) -> SmtpError:
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

    def _without_secrets(self, stage: SmtpStage, words: str) -> str:
        """Some servers repeat the command that they refuse."""
        if stage != SmtpStage.AUTH:
            return words
        username, password = self.account.username, self.account.password
        if self.token:
            return self._without_token(words, self.token.token)
        if not password:
            return words
        plain = [password] if len(password) >= LONG_ENOUGH else []
        secrets = (f"\0{username}\0{password}", password)
        encoded = [b64encode(secret.encode()).decode() for secret in secrets]
        hidden = "|".join(re.escape(each) for each in (*encoded, *plain))
        # Whole words alone: a short password may be a part of many.
        return re.sub(rf"(?<![\w=+/])({hidden})(?![\w=+/])", "***", words)

    def _without_token(self, words: str, token: str) -> str:
        """Whatever is as long as a token and looks like one may hold it, or a part."""
        return re.sub(r"[\w=+/.~-]{32,}", "***", words.replace(token, "***"))

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Client]:
        client = self.client
        client.limit = seconds
        try:
            yield client
        finally:
            client.limit = self.account.reply_timeout

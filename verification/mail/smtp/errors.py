"""The one exception by which a delivery fails."""

from __future__ import annotations

import re
from collections.abc import Mapping

from verification.mail.choices import SmtpStage
from verification.mail.smtp.faults import LASTING, SmtpFault
from verification.mail.smtp.refusals import OF_THE_ACCOUNT, Subject, subject_of
from verification.mail.smtp.remedies import (
    Refusal,
    remedy_for_fault,
    remedy_for_reply,
)

# Until the server has taken the login, nothing tells of a mail.
OPENING = (
    SmtpStage.TOKEN,
    SmtpStage.RESOLVE,
    SmtpStage.CONNECT,
    SmtpStage.TLS,
    SmtpStage.EHLO,
    SmtpStage.AUTH,
)
# A server that knows SIZE refuses at MAIL, others after the content.
OF_THE_MAIL = (SmtpStage.MAIL_FROM, SmtpStage.DATA)
# Where the words do not tell; 523 is Courier's.
SIZE_CODES, SIZE_DETAILS = (552, 523, 534), ("2.3", "3.4")
# Found here, before the server is told of the mail.
OF_RECIPIENTS = {SmtpFault.BAD_ADDRESS, SmtpFault.NO_SMTPUTF8, SmtpFault.TOO_LARGE}
ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class SmtpError(Exception):
    """`words` are the server's own, code included, or what was found instead.

    `data_begun`: the server had asked for the body. `outcome_unknown`: the whole
    body went out and no reply came, so the mail may have been accepted.
    """

    def __init__(
        self,
        stage: SmtpStage,
        words: str,
        *,
        fault: SmtpFault = SmtpFault.REPLY,
        code: int | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{stage.value}: {words}")
        self.stage = stage
        self.words = words
        self.fault = fault
        self.code = code
        self.details = details or {}
        self.data_begun = False
        self.outcome_unknown = False

    @property
    def enhanced(self) -> str:
        found = ENHANCED_CODE.match(self.words.partition(" ")[2])
        return found[0] if found and self.code else ""

    @property
    def permanent(self) -> bool:
        if self.code is None:
            return self.fault in LASTING
        if self.enhanced.startswith("4"):
            return False
        # RFC 5321 4.5.3.1.10: 552 for a recipient means 452, "too many for now".
        return self.code >= 500 and (self.code, self.stage) != (552, SmtpStage.RCPT_TO)

    @property
    def subject(self) -> Subject | None:
        """What the server's refusal of a mail is about, by its words and code."""
        if self.code is None:
            return None
        return subject_of(self.stage, self.code, self.enhanced, self.words)

    @property
    def is_while_opening(self) -> bool:
        return self.stage in OPENING

    @property
    def is_busy(self) -> bool:
        """Does the server, or the account at it, take nothing for the moment?

        All that MAIL names is the account; only RCPT and DATA tell of a mail.
        """
        if self.permanent or self.outcome_unknown:
            return False
        if self.is_while_opening:
            return True
        if self.code is None or self.subject is Subject.SIZE:
            return False
        return self.subject in OF_THE_ACCOUNT or self.stage == SmtpStage.MAIL_FROM

    @property
    def refuses_account(self) -> bool:
        """Is the account refused for good, where servers mostly refuse a mail?"""
        return self.permanent and self.subject in OF_THE_ACCOUNT

    @property
    def is_of_recipient(self) -> bool:
        """Does it tell of one recipient, and nothing of the server or the account?"""
        if self.code is None:
            return self.fault in OF_RECIPIENTS
        is_late = self.stage in (SmtpStage.RCPT_TO, SmtpStage.DATA)
        return is_late and self.subject not in OF_THE_ACCOUNT

    @property
    def is_too_large(self) -> bool:
        """Would the server take a smaller mail? It takes none for a full mailbox (2.2).

        What stands in the words counts for more than the code.
        """
        if self.code is None or self.stage not in OF_THE_MAIL:
            return self.fault is SmtpFault.TOO_LARGE
        detail = self.enhanced.partition(".")[2]
        if not self.permanent or detail == "2.2":
            return False
        by_code = self.code in SIZE_CODES or detail in SIZE_DETAILS
        return self.subject is Subject.SIZE or (by_code and self.subject is None)

    @property
    def remedy(self) -> str:
        if self.code is None:
            return str(remedy_for_fault(self.fault, self.stage)) % self.details
        refusal = Refusal(self.stage, self.code, self.enhanced, self.subject)
        return str(remedy_for_reply(refusal, permanent=self.permanent))

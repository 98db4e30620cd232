"""The one exception by which a delivery fails."""

from __future__ import annotations

import re
from collections.abc import Mapping

from verification.mail.choices import SmtpStage
from verification.mail.smtp.faults import LASTING, SmtpFault
from verification.mail.smtp.remedies import remedy_for_fault, remedy_for_reply

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
    def remedy(self) -> str:
        if self.code is None:
            return str(remedy_for_fault(self.fault, self.stage)) % self.details
        permanent = self.permanent
        return str(
            remedy_for_reply(self.stage, self.code, self.enhanced, permanent=permanent)
        )

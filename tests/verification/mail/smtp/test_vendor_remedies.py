"""The refusals of Microsoft's and Google's servers, in words that help."""

from __future__ import annotations

import pytest

from verification.mail.choices import SmtpStage
from verification.mail.smtp.errors import SmtpError

AUTH, DATA = SmtpStage.AUTH, SmtpStage.DATA


@pytest.mark.parametrize(
    ("stage", "words", "remedy"),
    [
        (AUTH, "535 5.7.3 Authentication unsuccessful", "SMTP.SendAsApp"),
        (
            AUTH,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is"
            " disabled for the Tenant.",
            "Microsoft has switched this login off",
        ),
        (
            AUTH,
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "takes no passwords for sending any more",
        ),
        (
            SmtpStage.MAIL_FROM,
            "530 5.7.57 Client not authenticated to send mail.",
            "Microsoft wants a login before it takes an e-mail",
        ),
        (
            DATA,
            "554 5.2.252 SendAsDenied; pbx@example.com not allowed to send as"
            " vm@example.com",
            "the right “Send as”",
        ),
        (
            AUTH,
            "534 5.7.9 Application-specific password required. gsmtp",
            "does not take the account's own password",
        ),
        (
            AUTH,
            "535 5.7.8 Username and Password not accepted. gsmtp",
            "https://mail.google.com/",
        ),
    ],
)
def test_a_vendors_refusal_has_its_remedy(
    stage: SmtpStage, words: str, remedy: str
) -> None:
    error = SmtpError(stage, words, code=int(words[:3]))

    assert remedy in error.remedy
    assert error.permanent


def test_a_sender_that_microsoft_denies_is_no_fault_of_the_recipient() -> None:
    words = "554 5.2.252 SendAsDenied; pbx@example.com not allowed to send as other"
    error = SmtpError(DATA, words, code=554)

    assert error.refuses_account
    assert not error.is_of_recipient

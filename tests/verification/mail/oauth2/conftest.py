"""Real servers, each started once: who gives tokens, and who takes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.certificates import make_authority
from tests.support.mail_provider import MailProvider, running_mail_provider
from tests.support.scripted_tokens import TokenEndpoint, token_endpoint
from tests.support.submission import IS_POSSIBLE, Submission, running_submission


@pytest.fixture(scope="package")
def mail_provider() -> Iterator[MailProvider]:
    with running_mail_provider() as running:
        yield running


@pytest.fixture(scope="package")
def submission(mail_provider: MailProvider) -> Iterator[Submission]:
    if not IS_POSSIBLE:
        pytest.skip("needs Dovecot and Postfix, and root to start them")
    with running_submission(mail_provider, make_authority()) as running:
        yield running


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as running:
        yield running

"""Two at once with one link, and two who ask or invite at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from authconfig.choices import Origin
from authconfig.users.models import PbxUser
from tests.support.password_links import deliver, forget, links
from tests.support.smtp_servers import Server
from verification.links import token_of
from verification.mail.models import OutgoingEmail
from verification.password_links import invitations, making, use
from verification.password_links.models import InvitationRun, PasswordLink

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def at_once(*works: object) -> list[object]:
    def run(work: object) -> object:
        try:
            return work()  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_of_two_uses_at_once_one_sets_the_password(
    server: Server, user: PbxUser
) -> None:
    forget()
    deliver()
    token = token_of(links(server)[0].partition("id=")[2])
    found = [use.find(token) for _ in range(2)]
    words = ["a first long password", "a second long password"]

    done = at_once(
        *(
            partial(use.set_password, link, new, origin=Origin())
            for link, new in zip(found, words, strict=True)
        )
    )

    assert sorted(map(bool, done)) == [False, True]
    user.refresh_from_db()
    assert user.check_password(words[done.index(True)])


def test_of_two_invitations_at_once_one_is_sent(server: Server, user: PbxUser) -> None:
    start = partial(invitations.start, invitations.choose([user]), actor=None)

    at_once(start, start)
    at_once(making.make_all, making.make_all)

    assert InvitationRun.objects.count() == 2
    assert PasswordLink.objects.unfinished().count() == 1
    assert OutgoingEmail.objects.count() == 1


def test_two_workers_write_each_mail_once(server: Server) -> None:
    PbxUser.objects.bulk_create(
        PbxUser(name=f"u{n}", name_key=f"u{n}", email=f"u{n}@example.com", password="!")
        for n in range(250)
    )
    invitations.start(invitations.choose(PbxUser.objects.all()), actor=None)

    at_once(*[making.make_all] * 3)

    assert OutgoingEmail.objects.count() == 250
    assert not PasswordLink.objects.waiting().exists()

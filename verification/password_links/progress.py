"""How far the invitations of a run are."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from verification.mail.choices import MailState
from verification.password_links.choices import LinkEnding
from verification.password_links.models import InvitationRun, LinkMail

GOING = (MailState.QUEUED, MailState.SENDING)
LOST = (MailState.FAILED, MailState.UNKNOWN)


@dataclass(frozen=True)
class Progress:
    invited: int
    used: int
    to_write: int
    going: int
    sent: int
    lost: int

    @property
    def still(self) -> int:
        return self.to_write + self.going

    @property
    def is_done(self) -> bool:
        return not self.still


def progress_of(run: InvitationRun) -> Progress:
    links = run.links.aggregate(
        invited=Count("pk"),
        used=Count("pk", filter=Q(ending=LinkEnding.USED)),
        to_write=Count("pk", filter=Q(expires_at=None, over_at=None)),
    )
    mails = LinkMail.objects.filter(link__run=run).aggregate(
        going=Count("pk", filter=Q(mail__state__in=GOING)),
        sent=Count("pk", filter=Q(mail__state=MailState.SENT)),
        lost=Count("pk", filter=Q(mail__state__in=LOST)),
    )
    return Progress(**links, **mails)

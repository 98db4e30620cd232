"""The state of the outgoing queue and of all that it needs, for every page alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from authconfig.choices import Dependency
from authconfig.models import current_rules
from authconfig.network import TOLD_SECONDS, database_now
from authconfig.sections import SETTINGS_PAGE
from pbxsite.administration.findings import AlarmKind, Finding
from pbxsite.administration.queue.servers import Server, servers
from pbxsite.broker import Broker, broker
from pbxsite.tables.writes import write_fault
from verification.mail.choices import MailState, Part
from verification.mail.models import Heartbeat, OutgoingEmail, SendingPause
from verification.mail.operation import actions, heartbeat
from verification.mail.operation.outcomes import remedy
from verification.mail.operation.overview import (
    FAILURES,
    Counts,
    Failures,
    MailTimes,
    Overview,
    failures,
    mail_times,
    overview,
    said,
)
from verification.mail.smtp.faults import SmtpFault
from verification.voicemail.oversized import Oversized, oversized_lately

# A worker takes a mail up at once; after this time no worker seems to run.
TAKEN_UP_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Bin:
    """The mails that ended in one stretch of a chart."""

    at: datetime
    sent: int
    failed: int


@dataclass(frozen=True)
class FailureGroup:
    key: str
    state: str
    stage: str
    code: int | None
    count: int
    words: str
    remedy: str
    last_at: datetime | None


@dataclass(frozen=True)
class Speaker:
    """A worker or the scheduler, as it last reported itself."""

    name: str
    kind: str
    version: str
    slots: int
    work: str
    started_at: datetime
    seen_seconds: float
    clock_ahead: float
    is_silent: bool
    is_late: bool


@dataclass(frozen=True)
class QueueReport:
    """Everything that operators need; durations are in seconds."""

    at: datetime
    findings: list[Finding]
    mails: dict[str, int]
    due: int
    oldest_due_seconds: float | None
    last_sent_at: datetime | None
    last_failure: str
    failed_lately: bool
    refused_addresses: int
    times: MailTimes
    paused_since: datetime | None
    paused_by: str
    hour: list[Bin]
    day: list[Bin]
    failures: list[FailureGroup]
    speakers: list[Speaker]
    broker: Broker
    servers: list[Server]
    oversized: Oversized

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def queue_report(measure: Callable[[], MailTimes] = mail_times) -> QueueReport:
    """`measure` finds how long mails take, by default those of the last hour."""
    rules, found, now = current_rules(), overview(), database_now()
    pause, speakers, asked = actions.current_pause(), _speakers(now), broker()
    needed, failed = servers(rules), failures()
    locked = list(_no_writes())
    # Nobody can report in a database that takes no writes.
    heard = None if locked else speakers
    told = _findings(found, pause, heard, asked, needed)
    findings = [*locked, *told, *_no_room(failed)]
    return QueueReport(
        at=now,
        findings=findings,
        mails=found.mails,
        due=found.due,
        oldest_due_seconds=found.oldest_due_seconds,
        last_sent_at=found.last_sent_at,
        last_failure=found.last_failure,
        failed_lately=found.trouble is not None,
        refused_addresses=found.refused_addresses,
        times=measure(),
        paused_since=pause.since if pause else None,
        paused_by=str(pause.actor or "") if pause else "",
        hour=bins(found.ended, now, count=60, minutes=1),
        day=bins(found.ended, now, count=97, minutes=15),
        failures=[_failure_group(each) for each in failed],
        speakers=speakers,
        broker=asked,
        servers=needed,
        oversized=oversized_lately(),
    )


def findings_of_mail() -> list[Finding]:
    """Return what is wrong now, without what only a page shows."""
    found, pause = overview(counts=False), actions.current_pause()
    needed = servers(current_rules())
    told = _findings(found, pause, _speakers(database_now()), broker(), needed)
    return [*told, *_no_room(failures())]


def bins(counts: Counts, now: datetime, *, count: int, minutes: int) -> list[Bin]:
    """Add the minutes up to `count` stretches; the last one is still under way."""
    length = minutes * 60
    first = int(now.timestamp()) // length - count + 1
    sent, failed = [0] * count, [0] * count
    for (minute, state), number in counts.items():
        place = int(minute.timestamp()) // length - first
        if 0 <= place < count:
            sent[place] += number if state == MailState.SENT else 0
            failed[place] += number if state in FAILURES else 0
    return [
        Bin(datetime.fromtimestamp((first + place) * length, UTC), *both)
        for place, both in enumerate(zip(sent, failed, strict=True))
    ]


def _failure_group(found: Failures) -> FailureGroup:
    group = found.group
    return FailureGroup(
        key=group.key,
        state=group.state,
        stage=group.stage,
        code=group.code,
        count=found.count,
        words=found.words,
        remedy=remedy(group.stage, group.code, group.fault, found.words),
        last_at=found.last_at,
    )


def _speakers(now: datetime) -> list[Speaker]:
    return [
        Speaker(
            name=row.name,
            kind=row.kind,
            version=row.version,
            slots=row.slots,
            work=row.work,
            started_at=row.started_at,
            seen_seconds=(now - row.seen_at).total_seconds(),
            clock_ahead=row.clock_ahead,
            is_silent=now - row.seen_at > heartbeat.SILENCE,
            is_late=now - row.seen_at > heartbeat.LATENESS,
        )
        for row in Heartbeat.objects.all()
    ]


def _findings(
    found: Overview,
    pause: SendingPause | None,
    speakers: list[Speaker] | None,
    asked: Broker,
    needed: Iterable[Server],
) -> Iterator[Finding]:
    if pause:
        yield Finding(AlarmKind.PAUSED, paused_words(), reverse("queue"))
    yield from _engine_findings(found, speakers, asked, is_paused=bool(pause))
    down = [server for server in needed if server.is_up is False]
    for server in down:
        yield _down(server)
    if found.trouble and Dependency.SMTP not in {each.kind for each in down}:
        words = _trouble_words(found.trouble)
        yield Finding(AlarmKind.FAILING, words, _settings("email"))


def _trouble_words(mail: OutgoingEmail) -> str:
    if not mail.stage:
        return _("E-mails fail: %(words)s") % {"words": mail.words}
    text = _("E-mails fail. The last step was “%(stage)s”: %(words)s")
    return text % {"stage": mail.get_stage_display(), "words": said(mail)}


def refused_words(count: int) -> str:
    """Tell of addresses that were refused; the empty text where none was."""
    if not count:
        return ""
    return ngettext(
        "The mail server refused %(count)d address in the last day.",
        "The mail server refused %(count)d addresses in the last day.",
        count,
    ) % {"count": count}


def _no_writes() -> Iterator[Finding]:
    if fault := write_fault():
        words = _(
            "The database takes no writes, so nobody can log in: %(words)s. Look at its"
            " disk, and at what else holds its tables."
        )
        words %= {"words": fault}
        yield Finding(AlarmKind.DATABASE, words, reverse("queue"))


def _no_room(failed: Iterable[Failures]) -> Iterator[Finding]:
    if any(each.group.fault == SmtpFault.NO_ROOM.name for each in failed):
        words = _(
            "Recordings that are too large for the mail server wait: what is kept for"
            " users has filled VOICEMAIL_KEPT_MB."
        )
        yield Finding(AlarmKind.NO_ROOM, words, reverse("queue"))


def oversized_words(found: Oversized) -> list[str]:
    """Say what became of recordings that were too large; nothing where none were."""
    words = []
    if found.count:
        words.append(
            ngettext(
                "In the last 14 days %(count)d recording was larger than the mail"
                " server takes. Its user got a link or a smaller one.",
                "In the last 14 days %(count)d recordings were larger than the mail"
                " server takes. Their users got links or smaller ones.",
                found.count,
            )
            % {"count": found.count}
        )
    if found.kept_bytes:
        sizes = {
            "kept": filesizeformat(found.kept_bytes),
            "most": filesizeformat(found.most_bytes),
        }
        text = _("Kept for users to hear: %(kept)s of %(most)s (VOICEMAIL_KEPT_MB).")
        words.append(text % sizes)
    return words


def _engine_findings(
    found: Overview, speakers: list[Speaker] | None, asked: Broker, *, is_paused: bool
) -> Iterator[Finding]:
    """Yield the causes first, then how long somebody has waited for their mail."""
    queue = reverse("queue")
    causes = [] if speakers is None else list(_silence(speakers))
    if not asked.is_up:
        causes.insert(0, (AlarmKind.BROKER, _broker_words(asked)))
    yield from (Finding(kind, sentence, queue) for kind, sentence in causes)
    yield from _wrong_clocks(speakers or [])
    waited = found.oldest_due_seconds
    if waited and waited > TAKEN_UP_WITHIN.total_seconds() and not is_paused:
        seconds = number_format(waited, 0)
        words = _waiting_words(found, is_explained=bool(causes) or speakers is None)
        yield Finding(AlarmKind.WAITING, words % {"seconds": seconds}, queue)


def _broker_words(asked: Broker) -> str:
    late = _(
        "Workers look for new e-mails by themselves, so that these come a few seconds"
        " later. No e-mail is lost."
    )
    return f"{asked.sentence} {late}"


def _wrong_clocks(speakers: Iterable[Speaker]) -> Iterator[Finding]:
    """What a scheduler reports is written by a worker, with that one's clock."""
    for each in speakers:
        if each.kind != Part.SCHEDULER and abs(each.clock_ahead) > TOLD_SECONDS:
            words = wrong_clock_words(each.name, each.clock_ahead)
            yield Finding(AlarmKind.CLOCK, words, reverse("queue"), each.name)


def wrong_clock_words(name: str, ahead: float) -> str:
    text = _(
        "The clock of “%(name)s” is %(seconds)s seconds slow by the database's clock."
        " Let a time server set both."
    )
    if ahead < 0:
        text = _(
            "The clock of “%(name)s” is %(seconds)s seconds fast by the database's"
            " clock. Let a time server set both."
        )
    return text % {"name": name, "seconds": number_format(abs(ahead), 0)}


def _waiting_words(found: Overview, *, is_explained: bool) -> str:
    if is_explained:
        return _("The oldest e-mail that is due has been waiting for %(seconds)s s.")
    sent = found.last_sent_at
    if sent and timezone.now() - sent < TAKEN_UP_WITHIN:
        return _(
            "More e-mails are due than workers send at a time; the oldest has been"
            " waiting for %(seconds)s seconds. More workers would send faster."
        )
    return _(
        "An e-mail has been waiting for %(seconds)s seconds, and nobody has taken it"
        " up. Look whether the Celery worker is running."
    )


def _silence(speakers: list[Speaker]) -> Iterator[tuple[AlarmKind, str]]:
    speaking = {each.kind for each in speakers if not each.is_silent}
    if Part.WORKER not in speaking:
        words = _(
            "No Celery worker has reported in the last minute, so e-mails wait. Look"
            " whether a worker is running."
        )
        yield AlarmKind.WORKER, words
    elif Part.SCHEDULER not in speaking and _have_settled(speakers):
        words = _(
            "The scheduler (beat) has not reported in the last minute, so tries that"
            " failed are not repeated. Look whether beat and Redis are running."
        )
        yield AlarmKind.SCHEDULER, words


def _have_settled(speakers: list[Speaker]) -> bool:
    """Tell whether the site runs for a minute: until then nobody misses its beat."""
    latest = database_now() - heartbeat.SILENCE
    workers = (each for each in speakers if each.kind == Part.WORKER)
    return any(each.started_at < latest for each in workers)


def paused_words() -> str:
    return _(
        "Sending is paused: no e-mail goes out, verification e-mails neither, so"
        " nobody who needs one can log in."
    )


DOWN = {
    Dependency.SMTP: (
        AlarmKind.SMTP,
        "email",
        gettext_lazy("The SMTP server %(name)s does not take e-mails: %(words)s"),
    ),
    Dependency.CONTROLLER: (
        AlarmKind.CONTROLLER,
        "netlogon",
        gettext_lazy("The domain controller %(name)s does not answer: %(words)s"),
    ),
    Dependency.PROVIDER: (
        AlarmKind.PROVIDER,
        "oauth2",
        gettext_lazy("The OpenID provider %(name)s does not answer: %(words)s"),
    ),
}


def _down(server: Server) -> Finding:
    kind, section, text = DOWN[server.kind]
    words = str(text) % {"name": server.name, "words": server.words}
    return Finding(kind, words, _settings(section), server.name)


def _settings(section: str) -> str:
    return f"{reverse(SETTINGS_PAGE)}#section-{section}"

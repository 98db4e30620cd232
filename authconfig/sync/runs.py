"""A run from its beginning to its report: read, plan, write."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from authconfig.choices import Event
from authconfig.directory.faults import DirectoryError
from authconfig.inserting import insert_alike
from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import FILLABLE
from authconfig.sync import leases, present
from authconfig.sync.applying import Writer, apply
from authconfig.sync.choices import Change, Phase, RunState, Source, Trigger
from authconfig.sync.directory.reading import Answer, Place, Question, read
from authconfig.sync.models import (
    SyncedUser,
    SyncFieldStop,
    SyncItem,
    SyncPlace,
    SyncRun,
)
from authconfig.sync.people import Consent, Mark, Person, Plan, Refusal, Step
from authconfig.sync.plan import make_plan
from authconfig.sync.scim import carrying
from authconfig.sync.words import trouble, words_of
from authconfig.users import audit
from authconfig.users.models import PbxUser

logger = logging.getLogger(__name__)
READ_ALL_EVERY = timedelta(days=1)
# On the command line a preview counts as seen for so long.
PREVIEW_TTL = timedelta(hours=1)
AT_ONCE = 1000
EVENTS = {Source.DIRECTORY: Event.DIRECTORY_SYNCED, Source.SCIM: Event.SCIM_SYNCED}


class Everybody:
    """A preview shows every link that a run could make."""

    def __contains__(self, _identity: object) -> bool:
        return True

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(())


@dataclass
class Report:
    """What a run did, or would do; `stopped` says what kept it from doing all."""

    is_preview: bool = False
    steps: list[Step] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    kept: list[Step] = field(default_factory=list)
    stopped: str = ""

    def names(self, change: Change) -> list[str]:
        if change is Change.REFUSED:
            return [refusal.name or refusal.identity for refusal in self.refused]
        return [step.name for step in self.steps if step.change is change]


def ask_for(
    trigger: Trigger,
    *,
    is_preview: bool = False,
    actor: PbxUser | None = None,
    allowed_removals: int | None = None,
    allows_fields: bool = False,
    preview: SyncRun | None = None,
    source: Source = Source.DIRECTORY,
) -> SyncRun:
    """Note that somebody wants a run; a worker, or the caller, does its work."""
    return SyncRun.objects.create(
        source=source,
        trigger=trigger,
        is_preview=is_preview,
        actor=actor,
        allowed_removals=allowed_removals,
        allows_fields=allows_fields,
        preview=preview,
    )


def last_preview() -> SyncRun | None:
    """Return the preview that whoever is on the command line has just seen."""
    seen = SyncRun.objects.filter(
        source=Source.DIRECTORY,
        is_preview=True,
        trigger=Trigger.COMMAND,
        state=RunState.DONE,
        ended_at__gt=timezone.now() - PREVIEW_TTL,
    )
    return seen.order_by("-ended_at").first()


def give_up(run: SyncRun) -> None:
    """Forget a run that could not begin, and that nobody waits for."""
    SyncRun.objects.filter(pk=run.pk, state=RunState.WAITING).delete()


def work(run: SyncRun) -> Report | None:
    """Do the run's work; None if another run goes on, or has taken this one."""
    if not leases.take(run):
        return None
    run.refresh_from_db()
    try:
        return Work(run).go()
    except DirectoryError as error:
        _fail(run, stage=error.stage, fault=error.fault.name, words=error.words)
    except leases.LeaseLostError:
        logger.warning("synchronisation %s: ended by somebody else", run.pk)
        run.refresh_from_db()
    except BaseException:
        # Somebody may also press Ctrl-C.
        _fail(run, fault=leases.BROKE)
        raise
    return Report(run.is_preview, stopped=trouble(run))


def _fail(run: SyncRun, **facts: str) -> None:
    if leases.end(run, RunState.FAILED, **facts):
        logger.warning("synchronisation failed: %s", facts)
        _tell(run)


@dataclass
class Work:
    run: SyncRun

    def go(self) -> Report:
        rules = AuthenticationSettings.load()
        source = Source(self.run.source)
        marks = present.marks(source)
        answer = self._answer(rules, marks)
        here = present.present_for(answer.found.people, marks, source)
        plan = make_plan(answer.found, here, self._consent(rules))
        report = Report(self.run.is_preview, plan.steps, plan.refused, plan.kept)
        if not self.run.is_preview:
            self._write(report)
        self._keep_items(report)
        self._end(report, plan, answer)
        report.stopped = trouble(self.run)
        return report

    def _answer(self, rules: AuthenticationSettings, marks: dict[str, Mark]) -> Answer:
        if self.run.source == Source.SCIM:
            return Answer(carrying.everybody(rules), Place(), has_read_all=True)
        return read(rules, self._question(marks))

    def _question(self, marks: dict[str, Mark]) -> Question:
        place = SyncPlace.objects.filter(source=self.run.source).first()
        is_due = (
            place is None
            or place.read_all_at is None
            or place.read_all_at <= timezone.now() - READ_ALL_EVERY
        )
        return Question(
            present.settled(marks),
            Place(place.server, place.mark) if place else Place(),
            reads_all=is_due or self.run.trigger != Trigger.SCHEDULE,
            note=lambda count: self._note(Phase.READING, count, total=None),
        )

    def _consent(self, rules: AuthenticationSettings) -> Consent:
        percents = {
            Source.DIRECTORY: rules.directory_sync_most_removals_percent,
            Source.SCIM: rules.scim_most_removals_percent,
        }
        return Consent(
            percents[Source(self.run.source)],
            self.run.allowed_removals,
            self._links(),
            self._losses(),
        )

    def _links(self) -> Collection[str]:
        if self.run.is_preview:
            return Everybody()
        shown = self.run.preview
        if shown is None or not shown.is_preview:
            return ()
        items = SyncItem.objects.filter(run=shown, is_linked=True)
        return set(items.values_list("identity", flat=True))

    def _losses(self) -> dict[str, int]:
        """On the command line one number confirms whatever a run stops at."""
        if self.run.trigger == Trigger.COMMAND:
            return dict.fromkeys(FILLABLE, self.run.allowed_removals or 0)
        if self.run.preview is None or not self.run.allows_fields:
            return {}
        return dict(self.run.preview.field_stops.values_list("field", "kept"))

    def _write(self, report: Report) -> None:
        total = len(report.steps)
        outcome = apply(
            report.steps,
            Writer.of(self.run),
            lambda count: self._note(Phase.WRITING, count, total=total),
        )
        report.steps = outcome.done
        report.refused = [*report.refused, *outcome.refused]

    def _note(self, phase: Phase, count: int, *, total: int | None) -> None:
        leases.renew(self.run, phase=phase, progress=count, total=total)

    def _keep_items(self, report: Report) -> None:
        run = self.run.pk
        for is_kept, steps in ((False, report.steps), (True, report.kept)):
            rows = (
                (str(s.change), s.name[:200], words_of(s), s.identity, s.is_linked)
                for s in steps
            )
            columns = ("change", "name", "detail", "identity", "is_linked")
            insert_alike(SyncItem, columns, rows, run_id=run, is_kept=is_kept)
        refused = (
            (r.name[:200], str(r.reason), r.detail, r.identity) for r in report.refused
        )
        reasons = ("name", "reason", "detail", "identity")
        insert_alike(SyncItem, reasons, refused, run_id=run, change=Change.REFUSED)

    @transaction.atomic
    def _end(self, report: Report, plan: Plan, answer: Answer) -> None:
        counted = Counter(step.change for step in report.steps)
        counts = {change.value: counted[change] for change in Change}
        counts["refused"] = len(report.refused)
        if not self.run.is_preview:
            self._follow(report, answer)
        SyncFieldStop.objects.bulk_create(
            SyncFieldStop(run=self.run, **stop._asdict()) for stop in plan.field_stops
        )
        kept = Counter(step.change for step in plan.kept)
        leases.end(
            self.run,
            RunState.STOPPED if plan.stop else RunState.DONE,
            found=len(answer.found.seen),
            stop=plan.stop or "",
            kept=kept[Change.DEACTIVATED],
            active=plan.active,
            **counts,
        )
        if not self.run.is_preview:
            _tell(self.run)

    def _follow(self, report: Report, answer: Answer) -> None:
        if self.run.source == Source.SCIM:
            assert self.run.started_at
            carrying.follow_run(answer.found.people, report.refused)
            carrying.confirm(since=self.run.started_at)
            return
        self._keep_place(answer)
        _look_again(report, answer.found.people)

    def _keep_place(self, answer: Answer) -> None:
        values: dict[str, object] = vars(answer.place)
        if answer.has_read_all:
            values = values | {"read_all_at": self.run.started_at}
        SyncPlace.objects.update_or_create(source=self.run.source, defaults=values)


def _look_again(report: Report, people: Collection[Person]) -> None:
    """Note whom the next run has to read though their entries do not change."""
    noted = SyncedUser.objects.filter(look_again_at__isnull=False)
    before = dict(noted.values_list("identity", "look_again_at"))
    wanted = {person.identity: _moment(person.look_again_at) for person in people}
    changed = {i: at for i, at in wanted.items() if at != before.get(i)}
    rows = list(SyncedUser.objects.filter(identity__in=list(changed)))
    for row in rows:
        row.look_again_at = changed[row.identity]
    SyncedUser.objects.bulk_update(rows, ["look_again_at"], AT_ONCE)
    refused = [refusal.pk for refusal in report.refused if refusal.pk]
    kept = [step.pk for step in report.kept if step.pk]
    _set_again([*refused, *kept], timezone.now())


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _set_again(pks: list[int], at: datetime | None) -> None:
    for start in range(0, len(pks), AT_ONCE):
        some = pks[start : start + AT_ONCE]
        SyncedUser.objects.filter(pk__in=some).update(look_again_at=at)


def _tell(run: SyncRun) -> None:
    counts = [
        f"{getattr(run, c.value)} {c.value}" for c in Change if getattr(run, c.value)
    ]
    words = [run.state, *counts, run.stop, run.fault, run.words]
    if run.trigger == Trigger.SCHEDULE and run.state == RunState.DONE and not counts:
        return
    audit.record(
        EVENTS[Source(run.source)],
        user=None,
        actor=run.actor,
        detail=", ".join(filter(None, words)),
    )

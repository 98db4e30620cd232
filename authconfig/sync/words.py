"""How a run ended, in words."""

from __future__ import annotations

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.directory.choices import NetlogonStage
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.directory.remedies import remedy, summary
from authconfig.sync.choices import Change, RunState, Source, Stop
from authconfig.sync.leases import DIED
from authconfig.sync.models import SyncFieldStop, SyncRun
from authconfig.sync.people import Step
from authconfig.users.models import PbxUser


def trouble(run: SyncRun) -> str:
    """Say what kept a run from doing all of its work, and what to do; "" if nothing."""
    if run.state == RunState.FAILED:
        return _failure(run)
    if not run.stop:
        return ""
    fields = (_too_many_fields(stop) for stop in run.field_stops.all())
    return " ".join(filter(None, [_nobody_deactivated(run), *fields]))


def _nobody_deactivated(run: SyncRun) -> str:
    if run.stop == Stop.NOBODY and run.source == Source.SCIM:
        return _("The provider tells of nobody any more, so nobody was deactivated.")
    if run.stop == Stop.NOBODY:
        return _(
            "No entry of the directory matches, so nobody was deactivated. Check the"
            " filter, the base DN and the group of the users."
        )
    return _too_many(run) if run.stop == Stop.TOO_MANY else ""


def _too_many_fields(stop: SyncFieldStop) -> str:
    counts = {"kept": intcomma(stop.kept), "had": intcomma(stop.had)}
    words = counts | {"field": label_of(stop)}
    if stop.is_emptied:
        return (
            _(
                "“%(field)s” would be empty for %(kept)s of %(had)s users at once, so"
                " it stays. Perhaps the service account may no longer read the"
                " attribute. If the directory is right, confirm it."
            )
            % words
        )
    return (
        _(
            "“%(field)s” would change for %(kept)s of %(had)s users at once, so it"
            " stays. If the directory is right, confirm it."
        )
        % words
    )


def label_of(stop: SyncFieldStop) -> str:
    return capfirst(str(PbxUser._meta.get_field(stop.field).verbose_name))  # type: ignore[union-attr]


def words_of(step: Step) -> str:
    """Return each changed field with both values, in the words of the audit log."""
    if step.change is Change.ADDED:
        return ", ".join(v for k, v in step.facts.items() if k != "name" and v)
    pairs = [
        f"{name}: {step.before.get(name) or 'empty'} → {value or 'empty'}"
        for name, value in step.facts.items()
    ]
    if step.rights is not None:
        pairs.append(f"all rights: {'on' if step.rights else 'off'}")
    return ", ".join(pairs)


def _too_many(run: SyncRun) -> str:
    counts = {"kept": intcomma(run.kept), "active": intcomma(run.active)}
    if run.source == Source.SCIM:
        return (
            _(
                "%(kept)s of %(active)s users would be deactivated at once, so none"
                " was. If the provider is right, confirm it."
            )
            % counts
        )
    return (
        ngettext(
            "%(kept)s of %(active)s users would be deactivated at once, so none was. If"
            " the directory is right, confirm it.",
            "%(kept)s of %(active)s users would be deactivated at once, so none was. If"
            " the directory is right, confirm it.",
            run.kept,
        )
        % counts
    )


def _failure(run: SyncRun) -> str:
    if run.fault in DirectoryFault.__members__:
        stage, fault = NetlogonStage(run.stage), DirectoryFault[run.fault]
        error = DirectoryError(stage, fault, run.words)
        facts = {"fault": summary(error), "remedy": remedy(error)}
        return _("Nothing was changed: %(fault)s. %(remedy)s") % facts
    if run.fault == DIED:
        return _("The worker ended in the middle. The next run does the rest.")
    return _("It broke off. The site's log says why; the next run does the rest.")

"""How a run ended, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.directory.choices import NetlogonStage
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.directory.remedies import remedy, summary
from authconfig.sync.choices import Change, RunState, Stop
from authconfig.sync.leases import DIED
from authconfig.sync.models import SyncRun
from authconfig.sync.people import Step


def trouble(run: SyncRun) -> str:
    """Say what kept a run from doing all of its work, and what to do; "" if nothing."""
    if run.state == RunState.FAILED:
        return _failure(run)
    if run.stop == Stop.NOBODY:
        return _(
            "No entry of the directory matches, so nobody was deactivated. Check the"
            " filter, the base DN and the group of the users."
        )
    return _too_many(run) if run.stop == Stop.TOO_MANY else ""


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
    return ngettext(
        "%(kept)d of %(active)d users would be deactivated at once, so none was. If"
        " the directory is right, confirm it.",
        "%(kept)d of %(active)d users would be deactivated at once, so none was. If"
        " the directory is right, confirm it.",
        run.kept,
    ) % {"kept": run.kept, "active": run.active}


def _failure(run: SyncRun) -> str:
    if run.fault in DirectoryFault.__members__:
        stage, fault = NetlogonStage(run.stage), DirectoryFault[run.fault]
        error = DirectoryError(stage, fault, run.words)
        facts = {"fault": summary(error), "remedy": remedy(error)}
        return _("Nothing was changed: %(fault)s. %(remedy)s") % facts
    if run.fault == DIED:
        return _("The worker ended in the middle. The next run does the rest.")
    return _("It broke off. The site's log says why; the next run does the rest.")

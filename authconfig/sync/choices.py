"""What a run of the synchronisation can do, and how it can end."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Source(TextChoices):
    """Where a user's facts come from."""

    DIRECTORY = "directory", _("Directory")
    SCIM = "scim", _("SCIM")


# What a form says at a field that the source fills.
CHANGED_THERE = {
    Source.DIRECTORY: _("From the directory: change it there."),
    Source.SCIM: _("From the OpenID provider, by SCIM: change it there."),
}


class Change(TextChoices):
    ADDED = "added", _("added")
    CHANGED = "changed", _("changed")
    RENAMED = "renamed", _("renamed")
    DEACTIVATED = "deactivated", _("deactivated")
    REACTIVATED = "reactivated", _("reactivated")
    REFUSED = "refused", _("refused")


class Reason(TextChoices):
    """Why an entry is refused, and what to do about it."""

    NO_NAME = (
        "no_name",
        _("The entry has no name. Fill the attribute, or leave the entry out."),
    )
    INVALID = "invalid", _("A value cannot be used. Correct it in the directory.")
    TWO_NAMES = (
        "two_names",
        _("Another entry has this name too. Rename one of the two."),
    )
    TWO_NUMBERS = (
        "two_numbers",
        _("Another entry has this extension number too. Correct one of the two."),
    )
    NAME_TAKEN = (
        "name_taken",
        _("Another user from the directory has this name and keeps it."),
    )
    LOCAL_USER = (
        "local_user",
        _(
            "A PBX user of this name exists already. They are one and the same after a"
            " preview that you confirm."
        ),
    )
    FORMER_USER = (
        "former_user",
        _(
            "The name is that of a user whose entry is gone. If this is the same"
            " person, take that user from the directory; if not, rename or delete that"
            " user."
        ),
    )
    NUMBER_TAKEN = (
        "number_taken",
        _("Another user has this extension number. Correct one of the two."),
    )
    LAST_ADMINISTRATOR = (
        "last_admin",
        _("No other administrator could log in. See to another one first."),
    )
    AT_THE_SAME_TIME = (
        "same_time",
        _("Somebody changed the user at the same time. The next run looks again."),
    )


class Stop(TextChoices):
    """Why nobody was deactivated, or else why a field stayed as it was."""

    TOO_MANY = "too_many", _("Too many users would be deactivated at once.")
    NOBODY = "nobody", _("No entry of the directory matches.")
    FIELDS = "fields", _("A value would change for too many users at once.")


class RunState(TextChoices):
    WAITING = "waiting", _("waits for a worker")
    RUNNING = "running", _("is running")
    DONE = "done", _("done")
    STOPPED = "stopped", _("stopped: not all was done")
    FAILED = "failed", _("failed: nothing was deactivated")


OVER = (RunState.DONE, RunState.STOPPED, RunState.FAILED)


class Trigger(TextChoices):
    SCHEDULE = "schedule", _("by the schedule")
    PAGE = "page", _("in the administration")
    COMMAND = "command", _("on the command line")


class Phase(TextChoices):
    READING = "reading", _("Reading the directory")
    WRITING = "writing", _("Changing the users")

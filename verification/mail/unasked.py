"""A worker that nobody wakes finds its work by itself: the broker may be away."""

from __future__ import annotations

import time

from verification.lookouts import Lookout
from verification.mail import account_trial, sending

LOOK_SECONDS = 2.5


def look() -> None:
    """Send what is due, unless this process has just been asked to."""
    if time.monotonic() - sending.Asked.at < LOOK_SECONDS:
        return
    sending.take_back_abandoned()
    sending.deliver_due(hand_on=lookout.over.is_set)


def look_for_trials() -> None:
    account_trial.run_waiting()


# A mail whose content is on its way has to be finished.
lookout = Lookout(look, LOOK_SECONDS, is_finished=True)
# A test of an account may take longer than mails may wait.
trial_lookout = Lookout(look_for_trials, LOOK_SECONDS)

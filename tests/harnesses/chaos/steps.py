"""The words between the server and the driver."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """Where a connection is; the server waits there for the driver's answer."""

    LISTENS = "listens"
    CONNECTED = "connected"  # before the greeting
    MAIL = "mail"
    RCPT = "rcpt"  # before DATA
    DATA = "data"  # the command came, nothing of the mail
    BODY = "body"  # all of the mail came, before the final reply
    REPLIED = "replied"  # after the final reply


class Action(StrEnum):
    GO = "go"
    REFUSE = "refuse"  # with a 4xx
    DROP = "drop"
    TAKE_AND_DROP = "take_and_drop"  # the mail is taken, the client hears nothing

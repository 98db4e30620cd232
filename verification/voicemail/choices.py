"""The words of the voicemail object."""

from __future__ import annotations

from enum import Enum


class VoicemailFault(Enum):
    """Why a voicemail is not taken. Scripts read this, so it is in English alone."""

    NOBODY = "No user has this name or extension number."
    TWO_USERS = (
        "Two users fit: one by name and one by extension number. Change one of them."
    )
    INACTIVE = "The user is not active."
    NO_EMAIL = "The user has no e-mail address. Enter one, then post it again."
    NO_ACCOUNT = (
        "No e-mail account is set up on the page “Authentication”, so nothing goes out."
    )
    NO_ROOM = "The recording could not be stored. The site's log says why."
    TOO_MANY = "Too many voicemails for this user of late. Post it again later."
    OTHER_REQUEST = "This Idempotency-Key was used for another voicemail."

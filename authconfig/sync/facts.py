"""What is made of a person's facts, and what is wrong with them."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db.models import CharField

from authconfig.sync.people import Facts
from authconfig.users.changes import check_key_length
from authconfig.users.models import PbxUser

COLUMNS: dict[str, CharField[str, str]] = {
    name: PbxUser._meta.get_field(name)  # type: ignore[misc]  # all of them are text
    for name in ("name", "email", "number", "long_name")
}
LANGUAGES = {code for code, _name in PbxUser._meta.get_field("language").choices or ()}
SHOWN_LENGTH = 60


def tidy(facts: Facts) -> None:
    facts["name"] = PbxUser.normalize_username(facts["name"]).strip()
    if "long_name" in facts:
        facts["long_name"] = facts["long_name"][: COLUMNS["long_name"].max_length]
    if "language" in facts:
        code = facts["language"][:2].lower()
        facts["language"] = code if code in LANGUAGES else ""


def fault_in(facts: Facts) -> str:
    """Say what is wrong with the first value that a PBX user cannot have."""
    for name, value in facts.items():
        if name not in COLUMNS or not value:
            continue
        try:
            COLUMNS[name].run_validators(value)
            if name == "name":
                check_key_length(value)
        except ValidationError as error:
            return f"{name} “{value[:SHOWN_LENGTH]}”: {' '.join(error.messages)}"
    return ""

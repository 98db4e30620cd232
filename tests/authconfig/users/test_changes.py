from __future__ import annotations

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError

from authconfig.users.changes import check_name, check_new, difference, end_sessions
from authconfig.users.models import PbxUser
from tests.conftest import Starter


@pytest.mark.database
@pytest.mark.parametrize("name", ["anna", "ANNA", " Anna ", "\uff21nna"])
def test_a_name_in_use_is_refused_in_any_spelling(user: PbxUser, name: str) -> None:
    with pytest.raises(ValidationError, match="exists already"):
        check_name(name)


@pytest.mark.parametrize("code", [0x200D, 0x200F, 0x202E, 0x2066, 0xFEFF, 0xAD])
def test_a_name_with_something_invisible_is_refused(db: None, code: int) -> None:
    with pytest.raises(ValidationError, match=f"U\\+{code:04X}: enter the text anew"):
        PbxUser.objects.create_user(f"an{chr(code)}na")


@pytest.mark.parametrize("code", [0x200B, 0xAD, 0x200F, 0x2068, 0xFE0F, 0x3164])
def test_a_new_user_is_named_by_what_can_be_seen(db: None, code: int) -> None:
    user = PbxUser(name=f"an{chr(code)}na")

    check_new(user, None)

    assert user.name == "anna"


def test_a_name_of_nothing_is_refused(db: None) -> None:
    with pytest.raises(ValidationError, match="cannot be blank"):
        check_new(PbxUser(name="\u200b\u00ad"), None)


def test_a_name_in_use_is_refused_with_something_invisible(user: PbxUser) -> None:
    with pytest.raises(ValidationError, match="exists already"):
        check_name("an\u200bna")


def test_a_long_name_that_turns_around_is_refused(db: None) -> None:
    with pytest.raises(ValidationError, match="U\\+202E"):
        PbxUser.objects.create_user("anna", long_name="Anna \u202egreB")


def test_a_long_name_may_join_its_letters(db: None) -> None:
    user = PbxUser.objects.create_user("anna", long_name="Anna\u200cBerg")

    assert user.pk


def test_a_user_keeps_the_own_name(user: PbxUser) -> None:
    check_name("ANNA", besides=user.pk)


@pytest.mark.database
@pytest.mark.django_db
def test_a_name_whose_key_is_too_long_for_the_column_is_refused() -> None:
    with pytest.raises(ValidationError, match="shorter"):
        check_name("ῷ" * 101)


def test_every_fault_of_a_new_user_is_told_at_once(user: PbxUser) -> None:
    new = PbxUser(name="ANNA", email="nonsense", number="1\n2")

    with pytest.raises(ValidationError) as caught:
        check_new(new, "short")

    assert set(caught.value.message_dict) == {"name", "email", "number", "password"}
    assert len(caught.value.messages) == 4


def test_a_difference_names_both_values_and_no_password(user: PbxUser) -> None:
    after = PbxUser.objects.get(pk=user.pk)
    after.email, after.is_active = "", False
    after.set_password("another password")

    told = difference(user, after)

    assert told == "email: anna@example.com → empty, is_active: on → off"


@pytest.mark.database
def test_ended_sessions_are_gone_from_the_store(
    user: PbxUser, start: Starter, browser: object
) -> None:
    start(browser)
    assert Session.objects.count() == UserSession.objects.count() == 1

    assert end_sessions([user]) == 1

    assert Session.objects.count() == UserSession.objects.count() == 0

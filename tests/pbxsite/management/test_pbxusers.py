from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from verification.password_links.models import PasswordLink
from verification.sessions import tries
from verification.sessions.choices import Guessed, Source

HEADER = "name,long_name,email,number,active\n"


def run(*words: str) -> str:
    output = io.StringIO()
    call_command("pbxusers", *words, stdout=output)
    return output.getvalue()


def failing(*words: str) -> list[str]:
    """Run a command that has to fail; return its lines on standard error."""
    errors = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("pbxusers", *words, stderr=errors)
    assert ended.value.code == 1
    return errors.getvalue().splitlines()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.csv"


def test_an_import_says_what_it_did(user: PbxUser, file: Path) -> None:
    file.write_text(f"{HEADER}anna,,anna@example.com,,1\nb,,,,1\nc,,,,0\n")

    assert run("import", str(file)) == "2 users added, 1 changed, 0 unchanged\n"
    assert run("import", str(file)) == "0 users added, 0 changed, 3 unchanged\n"


def test_an_import_says_who_could_not_log_in(user: PbxUser, file: Path) -> None:
    file.write_text(f"{HEADER}ben,,,,1\n")
    said = io.StringIO()

    call_command("pbxusers", "import", str(file), stdout=io.StringIO(), stderr=said)

    assert said.getvalue().splitlines() == [
        "1 user cannot log in. See: manage.py pbxusers access --closed"
    ]


@pytest.mark.database
@pytest.mark.django_db
def test_an_import_with_faults_saves_nothing_and_names_each(file: Path) -> None:
    file.write_text(f"{HEADER}a,,,,1\nb,,nonsense,,1\nA,,,,1\n")

    assert failing("import", str(file)) == [
        "Line 3, email “nonsense”: Enter a valid email address.",
        "Line 4, name “A”: Line 2 has this user already. Remove one of the two.",
    ]
    assert not PbxUser.objects.exists()


@pytest.mark.django_db
def test_a_file_of_another_shape_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\0")

    assert failing("import", str(file)) == [
        "Line 1 is not UTF-8. Save the file as “CSV UTF-8”."
    ]


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    assert failing("import", str(file)) == [f"{file}: No such file or directory"]


@pytest.mark.database
def test_an_export_is_what_an_import_reads(user: PbxUser, file: Path) -> None:
    PbxUser.objects.create_user("@b", long_name="Bäcker, Ö", is_active=False)

    text = run("export")
    file.write_text(text)

    assert text == f'{HEADER}\'@b,"Bäcker, Ö",,,0\nanna,Anna Berg,anna@example.com,,1\n'
    assert run("import", str(file)) == "0 users added, 0 changed, 2 unchanged\n"


@pytest.mark.django_db
def test_a_user_is_added_without_a_password() -> None:
    run("add", "b", "--email", "b@example.com", "--long-name", "B", "--number", "5")

    added = PbxUser.objects.get()
    assert (added.email, added.long_name, added.number) == ("b@example.com", "B", "5")
    assert not added.has_usable_password()
    assert not added.is_staff
    assert AuditEvent.objects.get().detail == "added"


@pytest.mark.django_db
def test_an_administrator_is_added_with_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\r\nnot this\n"))

    run("add", "b", "--admin", "--password-stdin")

    added = PbxUser.objects.get()
    assert added.check_password("correct horse")
    assert added.is_staff
    assert added.is_superuser


@pytest.mark.parametrize("entered", ["", "\n", "short\n", "password\n"])
@pytest.mark.django_db
def test_a_weak_password_is_refused(
    monkeypatch: pytest.MonkeyPatch, entered: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(entered))

    faults = failing("add", "b", "--password-stdin")

    assert all(fault.startswith("password: ") for fault in faults)
    assert not PbxUser.objects.exists()


def test_each_fault_of_a_new_user_has_a_line(user: PbxUser) -> None:
    PbxUser.objects.update(number="5")

    assert failing("add", "ANNA", "--email", "nonsense", "--number", "5") == [
        "name: A PBX user of this name exists already.",
        "email: Enter a valid email address.",
        "Another user has this extension number.",
    ]


def test_unlocking_forgets_failed_logins(user: PbxUser) -> None:
    tries.add_failure(user, Guessed.PASSWORD, Source.ELSEWHERE)

    assert run("unlock", "ANNA") == "anna unlocked: failed logins are forgotten\n"

    assert not user.failure_counts.exists()
    assert AuditEvent.objects.get().detail == "unlocked"


@pytest.mark.django_db
def test_nobody_is_unlocked_who_does_not_exist() -> None:
    assert failing("unlock", "bert") == [
        "bert is no PBX user. See: manage.py pbxusers export"
    ]


@pytest.fixture
def sending(two_factor: AuthenticationSettings) -> None:
    """A site that can send."""


@pytest.mark.usefixtures("sending")
def test_users_are_invited_by_name(user: PbxUser) -> None:
    PbxUser.objects.create_user("silent")

    assert run("invite", "ANNA", "silent").splitlines() == [
        "anna: invited (anna@example.com)",
        "silent: not invited, no e-mail address",
        "1 invited, 1 not",
    ]
    assert PasswordLink.objects.get().user == user


@pytest.mark.usefixtures("sending")
def test_all_without_a_password_are_invited(user: PbxUser) -> None:
    PbxUser.objects.create_user("fritz", email="fritz@example.com")
    PbxUser.objects.create_user("idle", email="i@example.com", is_active=False)

    tried = run("invite", "--without-password", "--dry-run")
    assert tried.splitlines()[-1] == "1 would be invited, 0 not"
    assert not PasswordLink.objects.exists()
    assert run("invite", "--without-password").splitlines()[-1] == "1 invited, 0 not"
    assert PasswordLink.objects.get().user.name == "fritz"


@pytest.mark.usefixtures("sending")
def test_an_unknown_name_invites_nobody(user: PbxUser) -> None:
    faults = failing("invite", "anna", "nobody")

    assert faults == ["nobody is no PBX user.", "Nobody was invited."]
    assert not PasswordLink.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "Name the users, or give --without-password."),
        (("anna", "--without-password"), "Name the users, or give --without-password."),
        (("anna",), "Nobody can be invited: the authentication type has no PBX"),
    ],
    ids=["nobody", "both", "no account"],
)
def test_an_invitation_that_cannot_be(words: tuple[str, ...], fault: str) -> None:
    assert failing("invite", *words)[0].startswith(fault)

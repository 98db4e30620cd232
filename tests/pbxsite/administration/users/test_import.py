from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils.translation import override

from authconfig.choices import Event
from authconfig.users.csv_file import as_csv, escape, parse, template, unescape
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.users.user_import import UserImport
from tests.conftest import Starter

HEADER = "name,long_name,email,number,active\n"


def run(rows: str, actor: PbxUser | None = None, *, save: bool = True) -> UserImport:
    done = UserImport(parse((HEADER + rows).encode()), actor)
    done.run(save=save)
    return done


def faults(rows: str, actor: PbxUser | None = None) -> list[str]:
    return [str(fault) for fault in run(rows, actor).faults]


@pytest.mark.django_db
def test_a_new_user_is_added_without_a_password() -> None:
    result = run("fritz,Fritz Lang,fritz@example.com,17,1\n")

    fritz = PbxUser.objects.get(name_key="fritz")
    assert result.summary == "1 user added, 0 changed, 0 unchanged"
    assert (fritz.long_name, fritz.email) == ("Fritz Lang", "fritz@example.com")
    assert (fritz.number, fritz.is_active) == ("17", True)
    assert not fritz.has_usable_password()
    assert not fritz.is_staff


@pytest.mark.database
def test_a_user_is_found_in_any_spelling_and_not_renamed(user: PbxUser) -> None:
    result = run("ANNA,Anna,anna@example.org,,1\n")

    user.refresh_from_db()
    assert result.summary == "0 users added, 1 changed, 0 unchanged"
    assert (user.name, user.email) == ("anna", "anna@example.org")
    assert user.has_usable_password()


def test_a_user_is_found_and_added_without_what_cannot_be_seen(user: PbxUser) -> None:
    result = run("an\u200bna,Anna,,,1\nfr\u00aditz\u200e,,,,1\n")

    assert result.summary == "1 user added, 1 changed, 0 unchanged"
    assert {user.name for user in PbxUser.objects.all()} == {"anna", "fritz"}


@pytest.mark.django_db
def test_a_row_whose_name_cannot_be_seen_is_refused() -> None:
    assert "name: This field cannot be blank." in faults("\u200b,,,,1\n")[0]


def test_an_unchanged_user_is_left_alone(user: PbxUser) -> None:
    result = run("ANNA,Anna Berg,anna@example.com,,1\n")

    assert result.summary == "0 users added, 0 changed, 1 unchanged"
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (",x,,,1", "Line 2, name: This field cannot be blank."),
        ("a\\b,,,,1", "Line 2, name “a\\b”: Remove the backslash"),
        ("b,,nonsense,,1", "Line 2, email “nonsense”: Enter a valid email address."),
        ('b,"x\ny",,,1', "Line 2, long_name “x y”: Remove the line break"),
        ("b,x\0,,,1", "Line 2, long_name “x”: Remove the line break"),
        ("b\0,,,,1", "Line 2, name “b”: Remove the line break"),
        (f"b,,,{'1' * 33},1", "Line 2, number “111"),
        ('b,,,"4,97112E+11",1', "Line 2, number “4,97112E+11”: Enter the digits"),
        ("b,,,4.97112e+011,1", "Line 2, number “4.97112e+011”: Enter the digits"),
        ("b,,,,maybe", "Line 2, active “maybe”: Enter 1 for active or 0 for inactive."),
        ("c,,,,1\nC,,,,1", "Line 3, name “C”: Line 2 has this user already."),
        ("c,,,5,1\nd,,,5,1", "Line 2, number “5”: d, line 3, has it too."),
        ("c,,,9,1", "Line 2, number “9”: anna has this number."),
        (f"{'ῷ' * 101},,,,1", "Line 2, name “ῷ"),
        ("b\u202ec,,,,1", "Line 2, name “bc”: Remove the invisible character U+202E"),
    ],
)
def test_a_fault_names_line_column_value_and_remedy(
    user: PbxUser, rows: str, fault: str
) -> None:
    PbxUser.objects.update(number="9")

    assert faults(rows)[0].startswith(fault)


@pytest.mark.django_db
def test_a_line_is_counted_as_editors_count_it() -> None:
    rows = '"a","long\nname",,,1\n\n,,,,\nb,,nonsense,,1\n'

    assert [fault.line for fault in run(rows).faults] == [2, 6]


@pytest.mark.database
def test_one_fault_keeps_every_row_out(user: PbxUser) -> None:
    run("anna,,,77,0\nfritz,,,,1\nbad,,nonsense,,1\n")

    user.refresh_from_db()
    assert (user.number, user.is_active) == ("", True)
    assert PbxUser.objects.count() == 1
    assert not AuditEvent.objects.exists()


@pytest.mark.database
def test_a_dry_run_saves_nothing(user: PbxUser, start: Starter, browser: Any) -> None:
    start(browser)

    result = run("anna,,,,0\nfritz,,,,1\n", save=False)

    assert result.summary == "1 user added, 1 changed, 0 unchanged"
    assert PbxUser.objects.get().is_active
    assert browser.get("/account/").status_code == 200
    assert not AuditEvent.objects.filter(event=Event.USER_CHANGED).exists()


@pytest.mark.database
@pytest.mark.django_db
def test_two_users_may_swap_their_numbers() -> None:
    run("a,,,1,1\nb,,,2,1\n")

    assert not faults("a,,,2,1\nb,,,1,1\n")

    assert dict(PbxUser.objects.values_list("name", "number")) == {"a": "2", "b": "1"}


def test_an_empty_active_cell_keeps_what_is(user: PbxUser) -> None:
    PbxUser.objects.update(is_active=False)

    run("anna,Anna Berg,anna@example.com,5,\nfritz,,,,\n")

    active = dict(PbxUser.objects.values_list("name", "is_active"))
    assert active == {"anna": False, "fritz": True}


def test_deactivating_by_a_file_ends_the_sessions(
    user: PbxUser, start: Starter, browser: Any
) -> None:
    start(browser)
    assert browser.get("/account/").status_code == 200

    run("anna,Anna Berg,anna@example.com,,0\n")
    PbxUser.objects.update(is_active=True)

    assert browser.get("/account/").status_code == 302


def test_every_imported_change_is_in_the_audit_log(
    user: PbxUser, administrator: PbxUser
) -> None:
    run("anna,Anna Berg,anna@example.org,,1\nfritz,,,,1\n", actor=administrator)

    told = AuditEvent.objects.filter(actor=administrator).order_by("user_name")
    assert [(event.user_name, event.detail) for event in told] == [
        ("anna", "import: email: anna@example.com → anna@example.org"),
        ("fritz", "import: added"),
    ]


def test_nobody_deactivates_himself_by_a_file(administrator: PbxUser) -> None:
    assert "You cannot deactivate yourself" in faults("admin,,,,0", administrator)[0]


@pytest.mark.parametrize("is_staff", [True, False], ids=["present", "former"])
def test_an_administrator_of_some_rights_changes_no_other(
    user: PbxUser, administrator: PbxUser, is_staff: bool
) -> None:
    PbxUser.objects.filter(pk=administrator.pk).update(is_staff=is_staff)
    user.is_staff = True

    found = faults("admin,,stolen@example.com,,1", user)

    assert "Only administrators with all rights" in found[0]


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+49 711", "-1", "@x", "\tx", "'", "'=x", "''", "x", "\uff1dx"),
        *(
            "x;=1+1",
            "x; =1+1;y",
            "x;'=1",
            "x;'y",
            "x;;=1",
            "x\t=1",
            "x\t\t-1",
            ";",
            "'",
        ),
    ],
)
def test_an_escaped_cell_comes_back_as_it_was(text: str) -> None:
    """Spreadsheets of many countries begin a new cell after each semicolon."""
    assert unescape(escape(text)) == text
    for cell in re.split("[;\t]", escape(text)):
        assert not cell.strip(" ").startswith(("=", "+", "-", "@", "\uff1d"))


@pytest.mark.django_db
def test_an_export_holds_no_formula_and_imports_unchanged() -> None:
    PbxUser.objects.create_user(
        "=cmd", long_name="@SUM(A1)", number="+49 711", email="a@example.com"
    )
    PbxUser.objects.create_user('q"u,o;t', long_name="'quoted'", is_active=False)

    text = as_csv(PbxUser.objects.all())

    assert text.splitlines() == [
        HEADER.strip(),
        "'=cmd,'@SUM(A1),a@example.com,'+49 711,1",
        '"q""u,o;t",\'\'quoted\',,,0',
    ]
    again = UserImport(parse(text))
    again.run(save=True)
    assert again.summary == "0 users added, 0 changed, 2 unchanged"


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffname,long_name,email,number,active\r\nb,B,,,1\r\n".encode(),
        b" Name ;LONG_NAME;email;number;active\nb;B;;;1\n",
        b"active\tnumber\temail\tlong_name\tname\n1\t\t\tB\tb",
        b"active;name;long_name;email;number\r\n1;b;B\r\n",
        b"name,long_name,email,number,active,,\r\nb,B,,,1,,\r\n",
        b"name,long_name,email,number,active,,\r\nb,B,,,1\r\n,,\r\n",
        b"name,long_name,email,number,active\r\nb,B,,,1, ,\r\n",
        "name\tlong_name\temail\tnumber\tactive\r\nb\tB\t\t\t1\r\n".encode("utf-16"),
        "name,long_name,email,number,active\nb,B,,,1\n".encode("utf-16-le"),
        "\ufeffname,long_name,email,number,active\nb,B,,,1\n".encode("utf-16-be"),
    ],
    ids=[
        *("UTF-8 with its mark", "semicolons", "tabs", "a row's end left out"),
        *("empty columns", "empty columns in the header", "empty cells at the end"),
        *("UTF-16", "UTF-16 without its mark", "UTF-16 of the other order"),
    ],
)
def test_spreadsheets_ways_to_write_a_file_are_read(content: bytes) -> None:
    [row] = parse(content)

    assert row.line == 2
    assert row.cells == {
        "name": "b",
        "long_name": "B",
        "email": "",
        "number": "",
        "active": "1",
    }


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the column “name” is missing"),
        (HEADER.encode(), "The file has no users below its first line."),
        (b"name,email\nb,\n", "Line 1: the column “active” is missing."),
        (b"password," + HEADER.encode(), "Line 1: remove the column “password”."),
        (b"name," + HEADER.encode(), "Line 1: remove the column “name”."),
        (b"line," + HEADER.encode(), "Line 1: remove the column “line”."),
        (HEADER.encode() + b"b,a,b,c,d,1", "Line 2 has 6 values instead of 5."),
        (b"name,long_name,email,number,active,\nb,,,,1,2", "Line 2 has 6 values"),
        (HEADER.encode("utf-16") + b"x", "is not UTF-"),
        (HEADER.encode() + b'b,"x" y,,,1', "Line 2 cannot be read as CSV"),
    ],
)
def test_a_file_of_another_shape_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(content)

    assert any(fault in message for message in caught.value.messages)


@pytest.mark.parametrize(
    "name", ["Jörg Müller-Groß", "Änne Öztürk", "Zoë François", "José García"]
)
def test_what_all_windows_encodings_read_alike_is_read(name: str) -> None:
    [row] = parse(f"{HEADER}b,{name},,,1\n".encode("cp1252"))

    assert row.cells["long_name"] == name


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Jörg", "cp850"),
        ("Jörg", "mac_roman"),
        ("Łukasz", "cp1250"),
        ("Kovač", "cp1250"),
        ("Irène", "cp1252"),
        ("Öğüt", "cp1254"),
        ("Иван", "cp1251"),
        ("ДЦЬЙ", "cp1251"),
        ("Γιώργος", "cp1253"),
        ("山田", "shift_jis"),
        ("Ö", "cp1252"),
        ("x÷y", "cp1252"),
    ],
)
def test_what_could_be_another_name_is_refused(name: str, encoding: str) -> None:
    with pytest.raises(ValidationError, match=r"Line 3 is not UTF-8\. Save the file"):
        parse(f"{HEADER}a,A,,,1\nb,{name},,,1\n".encode(encoding))


def test_damaged_utf_8_is_no_other_encoding() -> None:
    whole = f"{HEADER}a,Jörg,,,1\nb,".encode()

    with pytest.raises(ValidationError, match="Line 3 is not UTF-8"):
        parse(whole + "Jörg,,,1\n".encode("cp1252"))


@pytest.mark.parametrize(("language", "between"), [("en", ","), ("de", ";")])
def test_a_template_suits_the_spreadsheets_of_its_language(
    language: str, between: str
) -> None:
    with override(language):
        text = template()

    assert text == HEADER.strip().replace(",", between) + "\r\n"
    assert parse(f"{text}b{between}B\r\n")[0].cells["long_name"] == "B"


@pytest.mark.database
def test_rows_cost_no_query_each(
    user: PbxUser, django_assert_max_num_queries: Any
) -> None:
    rows = "".join(f"u{i},,u{i}@example.com,{i},1\n" for i in range(450))
    with django_assert_max_num_queries(40):
        run(rows)

    with django_assert_max_num_queries(40):
        run(rows.replace("example.com", "example.org"))

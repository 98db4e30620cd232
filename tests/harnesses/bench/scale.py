"""Pages with one list's worth of rows, and with years of a large site behind them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg import sql

from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.harnesses.bench.copies import copied_database
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.logins import PASSWORD
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail

# A day of a site, then 500 of them, of the same traffic: each list and each search
# shows as many rows both times, and each user has as many.
FEW_USERS, FEW_ROWS = 200, 2_000
MANY_USERS, MANY_ROWS = 100_000, 1_000_000
ROUNDS, WARM_UP_ROUNDS = 9, 2
# A page that takes longer than this with many rows is marked.
MOST_RATIO = 1.5
MODELS = (PbxUser, LoginSession, OutgoingEmail, Session, UserSession, AuditEvent)


@dataclass
class Page:
    """`times` are milliseconds; `ask` shows the page and returns its status."""

    name: str
    ask: Callable[[int], int]
    wanted: int = 200
    times: dict[str, list[float]] = field(default_factory=dict)
    queries: dict[str, int] = field(default_factory=dict)


def figures() -> Iterator[Figure]:
    pages = list(_pages())
    grow(FEW_USERS, FEW_ROWS)
    vacuum()
    with copied_database() as copy:
        with _in_use(copy):
            grow(MANY_USERS, MANY_ROWS)
            vacuum()
        _measure(pages, {"few": connections[DEFAULT_DB_ALIAS], "many": copy})
    for page in pages:
        # The shortest: what else runs on the machine only ever adds to it.
        few, many = (min(page.times[size]) for size in ("few", "many"))
        name = f"{page.name}, {page.queries['many']} queries"
        if many / few > MOST_RATIO:
            name += f", slower by more than {MOST_RATIO:g} times"
        yield Figure(
            name, round(many, 2), "ms", f"a day's rows ({few:.1f} ms)", many / few
        )


@contextmanager
def _in_use(chosen: BaseDatabaseWrapper) -> Iterator[None]:
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = chosen
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


def _measure(pages: list[Page], databases: dict[str, BaseDatabaseWrapper]) -> None:
    for page in pages:
        page.times = {size: [] for size in databases}
        for number in range(WARM_UP_ROUNDS + ROUNDS):
            for size, database in databases.items():
                with _in_use(database):
                    taken = _ask(page, size, number)
                if number >= WARM_UP_ROUNDS:
                    page.times[size].append(taken)


def _ask(page: Page, size: str, number: int) -> float:
    """Return the milliseconds that the page took."""
    with CaptureQueriesContext(connection) as queries:
        began = time.perf_counter()
        status = page.ask(number)
        taken = (time.perf_counter() - began) * 1000
    assert status == page.wanted, (page.name, status)
    page.queries[size] = len(queries)
    return taken


def _pages() -> Iterator[Page]:
    _set_up()
    administrator, user = _signed_in("administrator"), _signed_in("worker")
    yield Page("login page", lambda _n: Browser().get("/login/").status_code)
    yield Page("login, held for approval", _log_in, wanted=302)
    yield Page("account", lambda _n: user.get("/account/").status_code)
    for name, path in ADMIN_PAGES.items():
        address = f"/admin/{path.format(name=name_of(77))}"
        yield Page(name, _asking(administrator, address))


ADMIN_PAGES = {
    "front page": "",
    "settings": "authconfig/authenticationsettings/",
    "users": "users/pbxuser/",
    "users, one searched": "users/pbxuser/?q={name}",
    "users, many searched": "users/pbxuser/?q=.pbx",
    "users, without e-mail address": "users/pbxuser/?email_address=no-email",
    "users, second page": "users/pbxuser/?p=2",
    "login sessions": "approval/loginsession/",
    "login sessions, one searched": "approval/loginsession/?q={name}",
    "login sessions, many searched": "approval/loginsession/?q=.pbx",
    "login sessions, pending": "approval/loginsession/?state=pending",
    "login sessions, expired": "approval/loginsession/?state=expired",
    "login sessions, of myPBX": "approval/loginsession/?client__exact=mypbx",
    "outgoing e-mails": "mail/outgoingemail/",
    "outgoing e-mails, one searched": "mail/outgoingemail/?q={name}",
    "outgoing e-mails, many searched": "mail/outgoingemail/?q=.pbx",
    "outgoing e-mails, failed": "mail/outgoingemail/?state__exact=failed",
    "signed-in sessions": "usersessions/usersession/",
    "signed-in sessions, one searched": "usersessions/usersession/?q={name}",
    "signed-in sessions, many searched": "usersessions/usersession/?q=.pbx",
    "signed-in sessions, of myPBX": "usersessions/usersession/?client=mypbx",
    "second factors": "mfa/authenticator/",
    "audit log": "users/auditevent/",
    "audit log, one searched": "users/auditevent/?q={name}",
    "audit log, many searched": "users/auditevent/?q=.pbx",
    "audit log, of an address": "users/auditevent/?q=10.0.0.7",
    "audit log, of an unused method": "users/auditevent/?method__exact=oauth2",
    "audit log, rejected": "users/auditevent/?event__exact=login_rejected",
    "audit log, second page": "users/auditevent/?p=2",
    "groups": "auth/group/",
    "queue page": "queue/",
}


def _asking(browser: Browser, path: str) -> Callable[[int], int]:
    return lambda _number: browser.get(path).status_code


def _log_in(number: int) -> int:
    values = {"login": name_of(number * 2 + 11), "password": PASSWORD}
    return Browser().post("/login/", values).status_code


def _set_up() -> None:
    AuthenticationSettings.load()
    AuthenticationSettings.objects.update(
        two_factor=True,
        verification_link="https://pbx.example/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_email_address="pbx@example.com",
    )
    PbxUser.objects.create_superuser("administrator", PASSWORD, email="a@example.com")
    PbxUser.objects.create_user("worker", PASSWORD, email="w@example.com")


def _signed_in(name: str) -> Browser:
    browser = Browser()
    browser.force_login(PbxUser.objects.get(name=name))
    session = browser.session
    session.update({"kind": "myapps", "began_at": time.time()})
    session.save()
    browser.get("/account/")
    return browser


# The indexes for parts of words.
TIDY_GIN = """
SELECT gin_clean_pending_list(pg_class.oid)
FROM pg_class JOIN pg_am ON pg_am.oid = relam WHERE relkind = 'i' AND amname = 'gin'
"""


def grow(users: int, rows: int) -> None:
    """Have that many of each: copies of one row that differ where rows do."""
    _copy(_first_user(), users, NEW_USER)
    user = PbxUser.objects.get(name="user000000")
    first, last = user.pk, PbxUser.objects.order_by("pk").last()
    assert last
    of_user = {"user_id": f"{first} + (n::bigint * 7919) % {last.pk - first + 1}"}
    for model, values in ROWS.items():
        own = of_user if hasattr(model, "user") else {}
        numbered = {k: v.replace("{users}", str(users)) for k, v in values.items()}
        _copy(_first_of(model, user), rows, numbered | own)
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        # Each would read what is new from its list, and look dear to the planner.
        cursor.execute(TIDY_GIN)


def vacuum() -> None:
    """Tidy as the server does by itself in the background; not in a transaction."""
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")


# Letters without order, as names have them; every second name has the same ending.
LETTERS = str.maketrans("0123456789abcdef", "abdegiklmnorstuz")
NAME = (
    "translate(substr(md5({n}::text), 1, 9), '0123456789abcdef', 'abdegiklmnorstuz')"
    " || CASE WHEN {n} % 2 = 0 THEN '.pbx' ELSE '' END"
)


def name_of(number: int) -> str:
    """Return what NAME makes of the number."""
    digest = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return digest[:9].translate(LETTERS) + ("" if number % 2 else ".pbx")


NEW_USER = {
    "name": NAME.format(n="n"),
    "name_key": NAME.format(n="n"),
    "email": "CASE WHEN n % 2 = 0 THEN '' ELSE 'mail' || n || '@example.com' END",
    "number": "(100000 + n)::text",
}
# As many each day.
AGE = "now() - n * interval '43 seconds'"
ROWS: dict[type[Model], dict[str, str]] = {
    LoginSession: {
        "public_id": "gen_random_uuid()",
        "created_at": AGE,
        "expires_at": f"{AGE} + interval '10 minutes'",
        "decided_at": f"{AGE} + interval '1 minute'",
        "kind": "CASE WHEN n % 10 = 0 THEN 'mypbx' ELSE 'myapps' END",
        "ending": "CASE WHEN n % 10 = 1 THEN 'rejected' ELSE '' END",
        "state": "CASE WHEN n % 10 = 1 THEN 'rejected' ELSE 'completed' END",
    },
    OutgoingEmail: {
        "public_id": "gen_random_uuid()",
        "created_at": AGE,
        "due_at": AGE,
        "expires_at": f"{AGE} + interval '10 minutes'",
        "ended_at": f"{AGE} + interval '1 second'",
        "recipient": "'user' || n || '@example.com'",
        "state": "CASE WHEN n % 10 = 9 THEN 'failed' ELSE 'sent' END",
    },
    Session: {
        "session_key": "'session' || n",
        "expire_date": "now() + (n % 2592000) * interval '1 second'",
    },
    UserSession: {
        "session_key": "'session' || n",
        "created_at": AGE,
        "last_seen_at": AGE,
        "data": 'CASE WHEN n % 10 = 0 THEN \'{"kind": "mypbx"}\'::jsonb'
        ' ELSE \'{"kind": "myapps"}\'::jsonb END',
    },
    AuditEvent: {
        "at": AGE,
        "user_name": NAME.format(n="(n % {users})"),
        "event": "CASE WHEN n % 10 = 1 THEN 'login_rejected' ELSE 'login' END",
        "address": "('10.0.' || n / 250 % 250 || '.' || n % 250)::inet",
    },
}


def _first_user() -> PbxUser:
    if found := PbxUser.objects.filter(name="user000000").first():
        return found
    return PbxUser.objects.create_user(
        "user000000", PASSWORD, email="user0@example.com"
    )


def _first_of(model: type[Model], user: PbxUser) -> Model:
    """Return the row that the others are copies of."""
    if found := model._default_manager.order_by("pk").first():
        return found
    now = timezone.now()
    made: dict[type[Model], dict[str, Any]] = {
        LoginSession: {
            "kind": "myapps",
            "method": "password",
            "state": "completed",
            "address": "192.0.2.1",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
            "expires_at": now,
            "decided_at": now,
        },
        OutgoingEmail: {
            "kind": "password",
            "state": "sent",
            "recipient": user.email,
            "expires_at": now,
            "ended_at": now,
        },
        UserSession: {
            "session_key": "first",
            "ip": "192.0.2.1",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
            "data": {"kind": "myapps"},
        },
        AuditEvent: {"event": "login", "user_name": "user000000", "kind": "myapps"},
    }
    return model._default_manager.create(user=user, **made[model])


def _copy(row: Model, wanted: int, values: dict[str, str]) -> None:
    """Insert copies of the row until there are as many; `n` numbers them."""
    options = row._meta
    fields = [f for f in options.concrete_fields if not (f.auto_created or f.generated)]
    names = ", ".join(f'"{f.column}"' for f in fields)
    copied = ", ".join(values.get(f.column or "", f'"{f.column}"') for f in fields)
    kept = type(row)._default_manager.count()
    literal = sql.Literal(row.pk).as_string(None)
    with connection.cursor() as cursor:
        # Of a million rows the keys' checks take longest, and these keys are right.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"INSERT INTO {options.db_table} ({names}) SELECT {copied}"  # noqa: S608
            f" FROM {options.db_table}, generate_series({kept}, {wanted - 1}) AS n"
            f" WHERE {options.pk.column} = {literal}"
        )
        cursor.execute("RESET session_replication_role")

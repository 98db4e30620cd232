"""What a PBX password costs, what its time tells, and how its hash is renewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings as site
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.hashers import Argon2PasswordHasher, get_hasher
from django.test import Client as Browser
from pytest_django import Settings

from authconfig.users import passwords
from authconfig.users.models import PbxUser
from pbxsite.conf.passwords import HASHERS
from tests.conftest import PASSWORD, Starter
from verification.sessions import tries
from verification.sessions.choices import Guessed, Source

pytestmark = pytest.mark.django_db
OWN, OLD = (f"argon2$argon2id$v=19$m={m}$" for m in ("19456,t=2,p=1", "102400,t=2,p=8"))
PBKDF2 = "pbkdf2_sha256$1000000$"
SALT = "s" * 22
COOKIE = site.SESSION_COOKIE_NAME


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each password that is hashed: nothing else takes as long."""
    found: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def note(self: object, word: str, *args: object) -> str:
        found.append(word)
        encoded: str = encode(self, word, *args)
        return encoded

    monkeypatch.setattr(hasher, "encode", note)
    return found


@pytest.fixture
def argon2(settings: Settings) -> None:
    """The site's own hashers, which take their time."""
    settings.PASSWORD_HASHERS = HASHERS


@pytest.fixture
def old(user: PbxUser, argon2: None) -> PbxUser:
    """Anna, whose hash has Django's own parameters."""
    user.password = Argon2PasswordHasher().encode(PASSWORD, SALT)
    user.save()
    return user


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("anna", PASSWORD),
        ("anna", "wrong"),
        ("idle", PASSWORD),
        ("windows", PASSWORD),
        ("nobody", PASSWORD),
    ],
)
def test_each_answer_costs_one_hash(
    user: PbxUser, hashes: list[str], name: str, word: str
) -> None:
    PbxUser.objects.create_user("idle", PASSWORD, is_active=False)
    PbxUser.objects.create_user("windows")
    hashes.clear()

    found = passwords.check(name, word)

    assert found == (user if (name, word) == ("anna", PASSWORD) else None)
    assert hashes == [word]


def users_with(*starts: str) -> None:
    PbxUser.objects.bulk_create(
        PbxUser(name=f"user{number}", password=f"{start}{SALT}${'h' * 43}")
        for number, start in enumerate(starts)
    )
    passwords.parameters_in_use.forget()
    passwords.parameters_in_use.refresh()


def starts_of(names: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what stands before the salt of the hash that each name costs."""
    seen: list[str] = []
    monkeypatch.setattr(
        passwords, "check_password", lambda _word, encoded: seen.append(encoded)
    )
    for name in names:
        assert passwords.check(name, "wrong") is None
    return [encoded.rpartition("$")[0].rpartition("$")[0] + "$" for encoded in seen]


@pytest.mark.database
def test_unknown_names_cost_the_users_parameters_in_their_proportion(
    argon2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    users_with(*[OLD] * 10, *[OWN] * 25, *[PBKDF2] * 5)
    PbxUser.objects.create_user("windows")

    found = Counter(starts_of([f"nobody{n}" for n in range(800)], monkeypatch))

    assert found.keys() == {OLD, OWN, PBKDF2}
    assert found[OLD] == pytest.approx(200, abs=60)
    assert found[OWN] == pytest.approx(500, abs=60)


def test_an_unknown_name_costs_the_same_each_time(
    argon2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    users_with(*[OLD, OWN] * 10)
    names = [f"nobody{number}" for number in range(50)]

    first = starts_of(names, monkeypatch)

    assert starts_of([name.upper() for name in names], monkeypatch) == first
    assert set(first) == {OLD, OWN}


def test_an_unknown_name_changes_sides_once_as_hashes_are_renewed(
    argon2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, before = [f"nobody{number}" for number in range(40)], None
    for renewed in range(0, 11, 2):
        PbxUser.objects.all().delete()
        users_with(*[OWN] * renewed, *[OLD] * (10 - renewed))
        starts = zip(names, starts_of(names, monkeypatch), strict=True)
        now = {name for name, start in starts if start == OWN}
        assert before is None or before <= now
        before = now

    assert before == set(names)


def test_a_user_without_a_pbx_password_costs_what_an_unknown_one_does(
    argon2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    users_with(OLD, OLD)
    PbxUser.objects.create_user("windows")

    assert starts_of(["windows"], monkeypatch) == [OLD]


def test_users_are_counted_now_and_then_alone(
    argon2: None, django_assert_num_queries: Callable[..., object]
) -> None:
    users_with(OLD)

    with django_assert_num_queries(1):
        passwords.check("nobody", "wrong")


def test_a_new_hash_has_the_parameters_of_owasp(user: PbxUser, argon2: None) -> None:
    user.set_password(PASSWORD)

    assert user.password.startswith(OWN)
    assert user.check_password(PASSWORD)


def test_a_login_renews_an_old_hash(old: PbxUser, start: Starter) -> None:
    start(Browser(), password="wrong")
    old.refresh_from_db()
    assert old.password.startswith(OLD)

    start(Browser())

    old.refresh_from_db()
    assert old.password.startswith(OWN)
    assert passwords.check("anna", PASSWORD) == old
    assert passwords.check("anna", "wrong") is None


def test_the_right_password_of_an_inactive_user_renews_nothing(old: PbxUser) -> None:
    PbxUser.objects.update(is_active=False)

    assert passwords.check("anna", PASSWORD) is None

    old.refresh_from_db()
    assert old.password.startswith(OLD)


def test_a_right_password_that_opens_nothing_takes_no_longer_than_a_wrong_one(
    old: PbxUser, start: Starter, settings: Settings
) -> None:
    """The second hash would say that it is right; the answer does not."""
    settings.LIMIT_FAILURES_IN_ROW = 1
    tries.add_failure(old, Guessed.PASSWORD, Source.ELSEWHERE)

    assert start(Browser()).status_code == 429

    old.refresh_from_db()
    assert old.password.startswith(OLD)


@pytest.mark.database
def test_sessions_go_on_when_a_hash_is_renewed(old: PbxUser, start: Starter) -> None:
    before, other = Browser(), Browser()
    start(before)
    PbxUser.objects.update(password=old.password, first_hash="")
    other.cookies[COOKIE] = session_from_before(old, before)

    start(Browser())

    old.refresh_from_db()
    assert old.password.startswith(OWN)
    for _ in range(2):
        assert other.get("/account/").status_code == 200
    assert UserSession.objects.filter(session_key=other.cookies[COOKIE].value).exists()


def session_from_before(user: PbxUser, browser: Browser) -> str:
    """Bind the browser's session to the user's hash; return its key."""
    session = browser.session
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def test_what_is_bound_to_the_first_hash_stays_bound_over_keys_and_renewals(
    old: PbxUser, settings: Settings
) -> None:
    bound_to = old.get_session_auth_hash()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the site, as long as the one before it was"

    for _ in range(2):
        old.renew_hash(PASSWORD)

        assert PbxUser.objects.get().is_bound_by(bound_to)


def test_a_comparison_in_a_session_renews_nothing(old: PbxUser) -> None:
    assert old.check_password(PASSWORD)

    old.refresh_from_db()
    assert old.password.startswith(OLD)


@pytest.mark.parametrize("saved", [None, ["password"]])
def test_a_new_password_ends_sessions_after_a_renewal_as_well(
    old: PbxUser, saved: list[str] | None
) -> None:
    first = old.get_session_auth_hash()
    old.renew_hash(PASSWORD)
    old.refresh_from_db()
    renewed = old.get_session_auth_hash()
    assert old.is_bound_by(first)
    assert old.is_bound_by(renewed)

    old.set_password("another horse battery")
    old.save(update_fields=saved)

    old.refresh_from_db()
    assert not old.is_bound_by(first)
    assert not old.is_bound_by(renewed)


def test_a_renewal_never_brings_back_the_password_before(old: PbxUser) -> None:
    late = PbxUser.objects.get()
    old.set_password("another horse battery")
    old.save()

    late.renew_hash(PASSWORD)

    old.refresh_from_db()
    assert old.check_password("another horse battery")
    assert old.first_hash == ""

"""Logins: what a failed one tells by its time, and what ours cost beside allauth's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.test import Client as Browser
from django.test import override_settings

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.harnesses.bench import stock_settings
from tests.harnesses.bench.figures import Figure, against, medians

PASSWORD = "correct horse battery"
STOCK = (
    "ROOT_URLCONF",
    "ACCOUNT_ADAPTER",
    "AUTHENTICATION_BACKENDS",
    "LOGIN_REDIRECT_URL",
)
FAILED_TRIES, RIGHT_TRIES = 200, 100


def figures() -> Iterator[Figure]:
    AuthenticationSettings.load()
    PbxUser.objects.create_user("anna", PASSWORD)
    PbxUser.objects.create_user("bert", PASSWORD, is_active=False)
    yield from failed()
    yield from right()


def failed() -> list[Figure]:
    """Nobody shall learn from the time whether a name exists."""
    tries: dict[str, Callable[[], object]] = {
        "wrong password": _try("anna", "not this one", status=200),
        "unknown user": _try("nobody", PASSWORD, status=200),
        "inactive user": _try("bert", PASSWORD, status=200),
    }
    measured = medians(tries, FAILED_TRIES)
    return against("wrong password", measured, "failed login")


def right() -> list[Figure]:
    stock = {name: getattr(stock_settings, name) for name in STOCK}

    def stock_login() -> None:
        with override_settings(**stock):
            _try("anna", PASSWORD, status=302)()

    tries: dict[str, Callable[[], object]] = {
        "this site": _try("anna", PASSWORD, status=302),
        "allauth's login view": stock_login,
    }
    measured = medians(tries, RIGHT_TRIES)
    rates = {name: 1000 / taken for name, taken in measured.items()}
    return against("allauth's login view", rates, "logins", "1/s")


def _try(name: str, password: str, status: int) -> Callable[[], None]:
    def once() -> None:
        values = {"login": name, "password": password}
        answer = Browser().post("/login/", values)
        assert answer.status_code == status, answer

    return once

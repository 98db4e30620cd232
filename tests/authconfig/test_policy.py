from __future__ import annotations

from dataclasses import dataclass

import pytest

from authconfig.choices import AuthenticationType, Method
from authconfig.clients.choices import Kind
from authconfig.policy import (
    methods_for,
    needs_approval,
    password_methods_for,
    types_using,
    uses,
)

PBX, WINDOWS, OAUTH2 = Method.PASSWORD, Method.NETLOGON, Method.OAUTH2
# The original's table, cell by cell.
CELLS = [
    ("pbx_only", "myapps", [PBX]),
    ("pbx_only", "mypbx", [PBX]),
    ("netlogon_only", "myapps", [WINDOWS]),
    ("netlogon_only", "mypbx", [WINDOWS]),
    ("pbx_and_netlogon", "myapps", [PBX, WINDOWS]),
    ("pbx_and_netlogon", "mypbx", [PBX, WINDOWS]),
    ("oauth2_only", "myapps", [OAUTH2]),
    ("oauth2_only", "mypbx", []),
    ("pbx_and_oauth2", "myapps", [PBX, OAUTH2]),
    ("pbx_and_oauth2", "mypbx", [PBX]),
]


@dataclass(frozen=True)
class Rules:
    authentication_type: str = AuthenticationType.PBX_ONLY
    two_factor: bool = False


@pytest.mark.parametrize(("authentication_type", "kind", "methods"), CELLS)
def test_each_cell_of_the_table_allows_what_the_original_says(
    authentication_type: str, kind: str, methods: list[Method]
) -> None:
    rules = Rules(authentication_type)

    assert list(methods_for(rules, Kind(kind))) == methods
    assert list(password_methods_for(rules, Kind(kind))) == [
        method for method in methods if method is not OAUTH2
    ]


def test_the_table_has_ten_cells_and_no_other() -> None:
    cells = {(type_, kind) for type_, kind, _methods in CELLS}

    assert cells == {(k, c) for k in AuthenticationType.values for c in Kind.values}


@pytest.mark.parametrize("two_factor", [True, False])
def test_two_factor_is_asked_of_myapps_only(two_factor: bool) -> None:
    rules = Rules(two_factor=two_factor)

    assert needs_approval(rules, Kind.MYAPPS) is two_factor
    assert needs_approval(rules, Kind.MYPBX) is False


def test_a_method_is_in_use_when_any_client_has_it() -> None:
    assert uses(Rules("pbx_and_oauth2"), OAUTH2)
    assert not uses(Rules("pbx_and_oauth2"), WINDOWS)


@pytest.mark.parametrize("method", [PBX, WINDOWS, OAUTH2])
def test_the_types_of_a_method_are_those_with_a_cell_that_has_it(
    method: Method,
) -> None:
    having = {option for option, _client, methods in CELLS if method in methods}

    assert types_using(method) == [t for t in AuthenticationType.values if t in having]


@pytest.mark.parametrize("authentication_type", AuthenticationType.values)
def test_every_type_lets_somebody_into_myapps(authentication_type: str) -> None:
    assert methods_for(Rules(authentication_type), Kind.MYAPPS)

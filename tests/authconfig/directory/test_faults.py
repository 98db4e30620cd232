"""A directory in trouble: each fault ends closed, in time, and is recorded."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client as Browser

from authconfig.choices import AuthenticationType
from authconfig.users.models import PbxUser
from tests.authconfig.methods.test_netlogon import (
    NO_ANSWER,
    VAGUE,
    failure,
    failure_words,
)
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.certificates import make_authority
from tests.support.directory import (
    SERVICE,
    WINDOWS_PASSWORD,
    Directory,
    free_ports,
    running_directory,
)
from tests.support.scripted_directory import (
    HangUpError,
    hang_up,
    listening,
    scripted_directory,
    silent_server,
)

pytestmark = pytest.mark.django_db
CONNECT_LIMIT, OPERATION_LIMIT, SLACK = 0.6, 0.8, 1.0


@pytest.fixture(autouse=True)
def _short_limits(settings: Any) -> None:
    settings.NETLOGON_CONNECT_TIMEOUT = CONNECT_LIMIT
    settings.NETLOGON_OPERATION_TIMEOUT = OPERATION_LIMIT


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.fixture
def closed_port() -> int:
    return free_ports(1)[0]


def test_the_next_controller_is_asked_when_one_is_down(
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
    closed_port: int,
) -> None:
    netlogon(
        netlogon_servers=f"localhost:{closed_port}, localhost:{directory.tls_port}"
    )

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


def test_a_controller_that_was_down_rests_for_30_seconds(
    netlogon: SettingsSetter, directory: Directory, start: Starter
) -> None:
    visits = []

    def hang(connection: socket.socket) -> None:
        visits.append(connection)
        while connection.recv(4096):
            pass

    with listening(hang) as port:
        netlogon(netlogon_servers=f"localhost:{port}, localhost:{directory.tls_port}")
        assert start(Browser(), password=WINDOWS_PASSWORD).status_code == 302
        with at_most(CONNECT_LIMIT + SLACK):
            assert start(Browser(), password=WINDOWS_PASSWORD).status_code == 302

    assert len(visits) == 1


def test_when_every_controller_is_down_it_says_so_at_once(
    netlogon: SettingsSetter, start: Starter
) -> None:
    with silent_server() as port:
        netlogon(netlogon_servers=f"localhost:{port}")
        with at_most(CONNECT_LIMIT + SLACK):
            first = start(Browser(), password=WINDOWS_PASSWORD)
        with at_most(CONNECT_LIMIT):
            second = start(Browser(), password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(first)
    assert NO_ANSWER in failure_words(second)
    assert "every controller failed within the last 30 seconds" in failure().detail
    assert "does not answer in time" in failure().detail


@pytest.mark.parametrize("name", ["anna", "nobody"])
@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_a_silent_controller_costs_no_more_than_the_limit(
    netlogon: SettingsSetter, start: Starter, browser: Browser, security: str, name: str
) -> None:
    with silent_server() as port:
        netlogon(netlogon_servers=f"localhost:{port}", netlogon_security=security)
        with at_most(max(CONNECT_LIMIT, OPERATION_LIMIT) + SLACK):
            response = start(browser, name, WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)
    assert "the controller does not answer in time" in failure().detail


def test_many_silent_controllers_cost_three_limits(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    hosts = ("localhost", "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
    with listening_everywhere() as port:
        netlogon(netlogon_servers=", ".join(f"{host}:{port}" for host in hosts))
        with at_most(4 * CONNECT_LIMIT):
            response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)


@contextmanager
def listening_everywhere() -> Iterator[int]:
    """Connections wait in the queue for somebody who never accepts them."""
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104
        yield listener.getsockname()[1]


def test_a_dripping_handshake_ends_in_time(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(60):
            connection.sendall(b"\x16")
            time.sleep(0.1)

    with listening(drip) as port:
        netlogon(netlogon_servers=f"localhost:{port}")
        with at_most(CONNECT_LIMIT + SLACK):
            response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)


def test_an_outage_leaves_the_pbx_password_at_full_speed(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    with silent_server() as port:
        netlogon(
            authentication_type=AuthenticationType.PBX_AND_NETLOGON,
            netlogon_servers=f"localhost:{port}",
        )
        with at_most(CONNECT_LIMIT):
            assert start(browser, password=PASSWORD).status_code == 302


def test_an_outage_is_not_the_users_failure(
    netlogon: SettingsSetter, directory: Directory, start: Starter, closed_port: int
) -> None:
    netlogon(netlogon_servers=f"localhost:{closed_port}")
    for _ in range(4):
        start(Browser(), password=WINDOWS_PASSWORD)
    netlogon(netlogon_servers=f"localhost:{directory.tls_port}")

    assert start(Browser(), password=WINDOWS_PASSWORD).status_code == 302


def test_a_controller_that_fails_in_mid_login_gives_way_to_the_next(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    with scripted_directory(on_bind=hang_up) as failing:
        servers = f"localhost:{failing.port}, localhost:{directory.port}"
        netlogon(netlogon_security="none", netlogon_servers=servers)
        response = start(browser, password=WINDOWS_PASSWORD)

    assert response.status_code == 302
    assert [name for name, _password in failing.binds] == [SERVICE]


def test_a_password_is_sent_to_one_controller_alone(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    def fail_for_users(name: str, _password: str) -> tuple[int, str]:
        if name != SERVICE:
            raise HangUpError
        return 0, ""

    anna = [("cn=anna,dc=ad,dc=example,dc=com", {"userAccountControl": ["512"]})]
    with scripted_directory(
        on_bind=fail_for_users, on_search=lambda _base, _raw: anna
    ) as failing:
        servers = f"localhost:{failing.port}, localhost:{directory.port}"
        netlogon(netlogon_security="none", netlogon_servers=servers)
        response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)
    assert "password: the controller closed the connection" in failure().detail


def test_slapd_may_be_stopped_and_started(
    netlogon: SettingsSetter, start: Starter
) -> None:
    with running_directory(make_authority()) as directory:
        netlogon(**directory.settings())
        assert start(Browser(), password=WINDOWS_PASSWORD).status_code == 302
        directory.stop()
        with at_most(CONNECT_LIMIT + SLACK):
            response = start(Browser(), password=WINDOWS_PASSWORD)
        assert NO_ANSWER in failure_words(response)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_of_another_authority_is_refused(
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
    security: str,
) -> None:
    port = directory.tls_port if security == "tls" else directory.port
    netlogon(
        netlogon_security=security,
        netlogon_servers=f"localhost:{port}",
        netlogon_ca_certificate=make_authority("Somebody else").ca_pem,
    )

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "certificate is of an authority that is not trusted" in failure().detail


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_for_another_name_is_refused(
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
    security: str,
) -> None:
    port = directory.tls_port if security == "tls" else directory.port
    netlogon(netlogon_security=security, netlogon_servers=f"127.0.0.1:{port}")

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "the certificate is for another name" in failure().detail


def test_an_expired_certificate_is_refused(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    with running_directory(make_authority(), days=-3) as directory:
        netlogon(**directory.settings())
        response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)
    assert "the certificate has expired" in failure().detail


def test_a_refused_starttls_ends_the_login(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    with scripted_directory(starttls_code=2) as plain:
        servers = f"localhost:{plain.port}"
        netlogon(netlogon_security="starttls", netlogon_servers=servers)
        response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)
    assert "the controller refuses STARTTLS" in failure().detail
    assert not plain.binds


@pytest.mark.parametrize("first_words", [b"220 hello\r\n", b"", b"\x30\x84" + b"x" * 9])
@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_what_is_no_directory_ends_the_login(
    netlogon: SettingsSetter,
    start: Starter,
    browser: Browser,
    security: str,
    first_words: bytes,
) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(first_words)

    with listening(greet) as port:
        netlogon(netlogon_security=security, netlogon_servers=f"localhost:{port}")
        with at_most(OPERATION_LIMIT + SLACK):
            response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)
    assert failure().detail


def test_plain_is_for_this_machine_alone(
    netlogon: SettingsSetter, start: Starter, browser: Browser, directory: Directory
) -> None:
    own_address = outside_address()
    with socket.create_server((own_address, 0)) as listener:
        port = listener.getsockname()[1]
        netlogon(netlogon_security="none", netlogon_servers=f"{own_address}:{port}")
        response = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(response)
    assert "the connection would be unencrypted" in failure().detail


def outside_address() -> str:
    """Return an address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("This machine has no address but its loopback.")
        address: str = sock.getsockname()[0]
    return address


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"netlogon_bind_password": "wrong"},
            "service: the directory refuses the service account",
        ),
        (
            {"netlogon_bind_dn": "cn=nobody,dc=ad,dc=example,dc=com"},
            "service: the directory refuses the service account",
        ),
        ({"netlogon_bind_dn": "no dn"}, "the directory refuses the service account"),
        ({"netlogon_bind_password": ""}, "the service account has no password"),
        ({"netlogon_base_dn": "dc=elsewhere"}, "search: the base DN does not exist"),
        ({"netlogon_base_dn": "no dn"}, "search: the base DN does not exist"),
        ({"netlogon_user_filter": "(cn=%(user)s"}, "the user filter is no LDAP filter"),
    ],
)
def test_wrong_settings_are_named(
    netlogon: SettingsSetter,
    start: Starter,
    browser: Browser,
    changes: dict[str, Any],
    words: str,
) -> None:
    netlogon(**changes)

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert words in failure().detail


def test_a_refused_service_account_is_not_tried_again_and_again(
    netlogon: SettingsSetter, start: Starter
) -> None:
    refuse = (49, "")
    with scripted_directory(on_bind=lambda _name, _password: refuse) as refusing:
        netlogon(
            netlogon_security="none", netlogon_servers=f"localhost:{refusing.port}"
        )
        for _ in range(3):
            response = start(Browser(), password=WINDOWS_PASSWORD)

    assert len(refusing.binds) == 1
    assert NO_ANSWER in failure_words(response)
    assert "has just refused the service account" in failure().detail


def test_a_service_account_without_rights_lets_nobody_in(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    dn = directory.add_user("blind")
    netlogon(netlogon_bind_dn=dn, netlogon_bind_password=WINDOWS_PASSWORD)

    response = start(browser, password=WINDOWS_PASSWORD)
    directory.remove(dn)

    assert response.status_code == 200
    assert "search: " in failure().detail


def test_a_referral_is_not_followed(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    with silent_server() as elsewhere, running_directory(make_authority()) as directory:
        directory.add(
            "ou=Away,dc=ad,dc=example,dc=com",
            objectClass=["referral", "extensibleObject"],
            ou="Away",
            ref=f"ldap://127.0.0.1:{elsewhere}/ou=Away,dc=ad,dc=example,dc=com",
        )
        netlogon(
            **directory.settings(netlogon_base_dn="ou=Away,dc=ad,dc=example,dc=com")
        )
        with at_most(OPERATION_LIMIT):
            refused = start(Browser(), password=WINDOWS_PASSWORD)
        assert "the controller refers to another server" in failure().detail
        netlogon(**directory.settings())
        found = start(browser, password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(refused)
    assert found.status_code == 302


def test_an_unknown_name_hears_what_a_known_one_hears(
    netlogon: SettingsSetter, start: Starter
) -> None:
    assert VAGUE in failure_words(start(Browser(), "nobody", "wrong"))
    netlogon(netlogon_base_dn="dc=elsewhere")

    for name in ("nobody", "anna"):
        assert NO_ANSWER in failure_words(start(Browser(), name, "wrong"))


def test_an_unknown_name_is_refused_as_slowly_as_a_known_one(
    netlogon: SettingsSetter, start: Starter
) -> None:
    delay = 0.3

    def refuse_slowly(_name: str, _password: str) -> tuple[int, str]:
        time.sleep(delay)
        return 49, ""

    with scripted_directory(on_bind=refuse_slowly) as slow:
        netlogon(
            netlogon_security="none",
            netlogon_servers=f"localhost:{slow.port}",
            netlogon_bind_dn="",
        )
        start(Browser(), password="wrong")
        began = time.monotonic()
        start(Browser(), "nobody", "wrong")

    assert time.monotonic() - began >= delay
    assert len(slow.binds) == 1


def test_a_name_that_the_dns_does_not_know_is_named(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_servers="dc1.invalid")

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert failure().detail.startswith("connect: ")
    assert PbxUser.objects.count() == 1

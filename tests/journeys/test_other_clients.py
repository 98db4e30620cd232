"""Clients that others wrote log in with their defaults, the client's switch set."""

from __future__ import annotations

import html
import imaplib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.conftest import SiteRunner
from tests.support import other_clients
from tests.support.apache import Apache
from tests.support.certificates import Authority, make_authority
from tests.support.dovecot import PROGRAM, Dovecot
from tests.support.openid import VERIFIER, challenge
from tests.support.other_clients import HERE, running
from tests.support.proxies import HAProxy, running_page
from tests.support.site import Site, free_port
from tests.support.visitor import Visitor

pytestmark = pytest.mark.timeout(300)
SWITCH = """
from pbxsite.gateway.openid.models import OpenIdClient
OpenIdClient.objects.filter(is_public=False).update(without_pkce={is_on})
"""
RETURN_URLS = """
from authconfig.clients.models import ClientApplication
ClientApplication.objects.filter(slug="myapps").update(return_urls="{address}/")
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture(scope="module")
def site(
    run_site: SiteRunner, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """It trusts an authority of the clients' own."""
    bundle = tmp_path_factory.mktemp("authority") / "ca.pem"
    bundle.write_text(authority.ca_pem)
    site = run_site(REQUESTS_CA_BUNDLE=str(bundle))
    site.add_users(("anna",), "--long-name=Anna Berg")
    return site


def added(site: Site, name: str, *words: str) -> dict[str, str]:
    """Add a client without PKCE; return its ID and secret."""
    add = ("clients", "add", name, "--openid", "--own", "--without-pkce")
    printed = site.manage(*add, *words)
    return dict(line.split("=", 1) for line in printed.splitlines())


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_clients.make_environment(tmp_path_factory.mktemp("venv") / "clients")


@pytest.fixture
def apache(tmp_path: Path, site: Site, authority: Authority) -> Iterator[str]:
    """Its address; the module has its defaults, and wants to be told of log-outs."""
    server = Apache(tmp_path, authority)
    callback = f"{server.address}/.oidc/callback"
    uris = (
        f"--redirect-uri={callback}",
        f"--back-channel-uri={callback}?logout=backchannel",
    )
    client = added(site, f"Apache {server.port}", *uris)
    defaults = ("OIDCPKCEMethod", "OIDCRefreshAccessTokenBeforeExpiry")
    with running_page() as page_port:
        server.configure(site.url, page_port, *client.values(), without=defaults)
        server.start()
        yield server.address
        server.stop()


@pytest.mark.long
def test_mod_auth_openidc_logs_in_and_hears_of_the_log_out(
    site: Site, apache: str
) -> None:
    anna = Visitor("anna")
    page = anna.open(f"{apache}/wanted")
    facts = dict(json.loads(html.unescape(re.findall("<pre>(.*)</pre>", page.text)[0])))
    assert facts["Remote-User"] == "anna"
    assert anna.session.get(apache, allow_redirects=False).status_code == 200

    log_out(site, anna)
    limit = time.monotonic() + 30
    while anna.session.get(apache, allow_redirects=False).status_code == 200:
        assert time.monotonic() < limit, "mod_auth_openidc heard of no log-out"
        time.sleep(0.2)


@pytest.mark.long
def test_mod_auth_openidc_shows_words_of_its_own_and_not_the_sites(
    site: Site, apache: str
) -> None:
    """As docs/clients.md says; the site's stand in the address and in its audit log."""
    site.manage("shell", "-c", SWITCH.format(is_on=False))

    page = Visitor("anna").open(f"{apache}/wanted")

    site.manage("shell", "-c", SWITCH.format(is_on=True))
    assert "target_link_uri" in page.text
    assert "PKCE" not in page.text
    assert "PKCE+with+S256+is+required" in page.url


def log_out(site: Site, visitor: Visitor) -> None:
    account = visitor.session.get(f"{site.url}/account/")
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', account.text)[0]
    form, headers = {"csrfmiddlewaretoken": token}, {"Referer": account.url}
    visitor.session.post(f"{site.url}/logout/", form, headers=headers)


@pytest.fixture
def haproxy(tmp_path: Path, site: Site) -> Iterator[str]:
    """Its address; the page behind it is of myApps."""
    parts = urlsplit(site.url)
    with running_page() as page_port:
        server = HAProxy(tmp_path, parts.port or 0, page_port, parts.netloc)
        address = f"https://localhost:{server.port}"
        site.manage("shell", "-c", RETURN_URLS.format(address=address))
        server.start()
        yield address
        server.stop()


@pytest.mark.long
def test_haproxy_knows_its_visitor_until_the_session_ends(
    site: Site, haproxy: str
) -> None:
    anna, wanted = Visitor("anna"), f"{haproxy}/wanted?a=b"
    claims = {"Remote-User": "admin", "Remote_User": "admin", "Remote-Groups": "all"}
    script = {"Sec-Fetch-Mode": "cors"}
    anna.session.headers.update(claims)

    assert anna.session.get(wanted, headers=script).status_code == 401
    page = anna.open(wanted)

    assert page.url == wanted
    shown = json.loads(html.unescape(re.findall("<pre>(.*)</pre>", page.text)[0]))
    told = [(name.lower(), value) for name, value in shown if "emote" in name]
    assert told == [
        ("remote-user", "anna"),
        ("remote-name", "Anna Berg"),
        ("remote-email", "anna@example.com"),
        ("remote-number", ""),
        ("remote-groups", ""),
    ]
    log_out(site, anna)
    ended_at = time.monotonic()
    while anna.session.get(wanted, headers=script).status_code == 200:
        assert time.monotonic() - ended_at < 2
    assert anna.session.get(wanted, headers=script).status_code == 401
    left = anna.session.get(wanted, allow_redirects=False)
    assert left.headers["Location"].startswith(f"{haproxy}/.pbx-auth/myapps/login/")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "path", "callback"),
    [
        ("authlib", "/login", "/callback"),
        ("mozilla", "/oidc/authenticate/", "/oidc/callback/"),
        ("simple", "/oidc/login/", "/oidc/login-callback/"),
        ("passport", "/login", "/callback"),
    ],
)
def test_a_client_logs_in_with_its_defaults(
    name: str, path: str, callback: str, site: Site, python: Path, tmp_path: Path
) -> None:
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    client = added(site, name.title(), f"--redirect-uri={own}{callback}")
    variables = {key.upper(): value for key, value in client.items()}
    commands = {
        "authlib": [str(python), str(HERE / "authlib_flask.py")],
        "passport": other_clients.passport() if name == "passport" else [],
    }
    command = commands.get(name, [str(python), str(HERE / "django_site.py")])
    variables |= {"ISSUER": site.url, "CLIENT": name}

    with running(command, port, tmp_path, **variables) as log:
        seen = Visitor("anna").open(f"{own}{path}")
        assert seen.status_code == 200, log.read_text()[-3000:]

    assert urlsplit(seen.url).path == "/"
    assert "anna" in seen.json()["name"], log.read_text()[-3000:]


def access_token(site: Site, visitor: Visitor, client_id: str) -> str:
    """Let a program on the user's device log in, as one does that opens a browser."""
    uri = "http://127.0.0.1:49152/callback"
    words = {"client_id": client_id, "redirect_uri": uri, "response_type": "code"}
    words |= {"scope": "openid", "code_challenge": challenge()}
    words |= {"code_challenge_method": "S256"}
    asked = f"{site.url}/openid/authorize?{urlencode(words)}"
    visitor.open(f"{site.url}/account/")
    led = visitor.session.get(asked, allow_redirects=False).headers["Location"]
    code = parse_qs(urlsplit(led).query)["code"][0]
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri}
    given |= {"client_id": client_id, "code_verifier": VERIFIER}
    answer = visitor.session.post(f"{site.url}/openid/token", given)
    token: str = answer.json()["access_token"]
    return token


@pytest.fixture
def dovecot(site: Site) -> Iterator[int]:
    """Its port; pytest's own folders are for one user alone."""
    if not PROGRAM.exists():
        pytest.fail("This test needs Dovecot: .ci/packages long")
    with TemporaryDirectory(prefix="dovecot") as directory:
        yield from _running_dovecot(site, Dovecot(Path(directory)))


def _running_dovecot(site: Site, server: Dovecot) -> Iterator[int]:
    add = ("clients", "add", "Mail server", "--openid", "--checks-tokens")
    made = dict(line.split("=") for line in site.manage(*add).splitlines())
    server.configure(site.url, **made)
    server.start()
    yield server.port
    server.stop()


def opens(port: int, mechanism: str, name: str, token: str) -> bool:
    words = {
        "OAUTHBEARER": f"n,a={name},\x01auth=Bearer {token}\x01\x01",
        "XOAUTH2": f"user={name}\x01auth=Bearer {token}\x01\x01",
    }[mechanism]
    with imaplib.IMAP4("127.0.0.1", port, timeout=30) as mailbox:
        try:
            mailbox.authenticate(
                mechanism, lambda said: b"" if said else words.encode()
            )
        except imaplib.IMAP4.error:
            return False
        return mailbox.select("INBOX")[0] == "OK"


@pytest.mark.long
def test_dovecot_opens_a_mailbox_for_as_long_as_the_session_lasts(
    site: Site, dovecot: int
) -> None:
    uri = "--redirect-uri=http://127.0.0.1/callback"
    add = ("clients", "add", "Mail program", "--openid", "--public", "--own", uri)
    anna, program = Visitor("anna"), site.manage(*add).strip().partition("=")[2]
    token = access_token(site, anna, program)

    for mechanism in ("OAUTHBEARER", "XOAUTH2"):
        assert opens(dovecot, mechanism, "anna", token)
        assert not opens(dovecot, mechanism, "admin", token)
        assert not opens(dovecot, mechanism, "anna", "made up")
    log_out(site, anna)
    assert not opens(dovecot, "XOAUTH2", "anna", token)

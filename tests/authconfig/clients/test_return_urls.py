"""Where a login may lead back to, held against those who bend addresses."""

from __future__ import annotations

import json
import posixpath
import subprocess
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authconfig.clients.return_urls import is_allowed, parse

ALLOWED = [
    "https://apps.example.com/voicemail/",
    "https://chat.example.com",
    "https://xn--bcher-kva.example:8443/a%20b",
    "http://127.0.0.1:8000/myapps",
    "https://[2001:db8::1]/x/",
]
WELCOME = [
    "https://apps.example.com/voicemail/",
    "https://apps.example.com/voicemail/inbox?page=2&sort[]=date|up",
    "HTTPS://APPS.EXAMPLE.COM/voicemail/inbox",
    "https://apps.example.com:443/voicemail/inbox",
    "https://chat.example.com",
    "https://chat.example.com?room=1",
    "https://chat.example.com/any/path.html;v=2",
    "https://chat.example.com/m%C3%BCller/100%25",
    "https://chat.example.com/?next=https://evil.example/",
    "https://xn--bcher-kva.example:8443/a%20b/c",
    "http://127.0.0.1:8000/myapps",
    "http://127.0.0.1:8000/myapps/1",
    "https://[2001:db8::1]/x/y",
]
HOSTILE = {
    "nothing": "",
    "another host": "https://evil.example/voicemail/",
    "another scheme": "http://apps.example.com/voicemail/",
    "script": "javascript:alert(1)//https://apps.example.com/voicemail/",
    "data": "data:text/html,https://apps.example.com/voicemail/",
    "no scheme": "//apps.example.com/voicemail/",
    "no scheme, another host": "//evil.example/https://apps.example.com/voicemail/",
    "a path alone": "/voicemail/",
    "one slash": "https:/evil.example/voicemail/",
    "no slash": "https:apps.example.com/voicemail/",
    "three slashes": "https:///apps.example.com/voicemail/",
    "scheme in scheme": "https:https://apps.example.com/voicemail/",
    "view-source": "view-source:https://apps.example.com/voicemail/",
    "user": "https://apps.example.com@evil.example/voicemail/",
    "user of the right host": "https://evil.example@apps.example.com/voicemail/",
    "user and password": "https://apps.example.com:443@evil.example/voicemail/",
    "encoded user": "https://apps.example.com%40evil.example/voicemail/",
    "backslashes": "https:\\\\apps.example.com\\voicemail\\",
    "backslash before at": "https://evil.example\\@apps.example.com/voicemail/",
    "backslash after host": "https://apps.example.com\\@evil.example/voicemail/",
    "backslash in path": "https://apps.example.com/voicemail/..\\admin",
    "encoded backslash": "https://apps.example.com/voicemail/..%5cadmin",
    "longer host": "https://apps.example.com.evil.example/voicemail/",
    "host that ends so": "https://evilapps.example.com/voicemail/",
    "hyphen for dot": "https://apps-example.com/voicemail/",
    "dot at the end": "https://apps.example.com./voicemail/",
    "two dots": "https://apps..example.com/voicemail/",
    "Cyrillic a": "https://\u0430pps.example.com/voicemail/",
    "Cyrillic a, encoded": "https://xn--pps-5cd.example.com/voicemail/",
    "full-width dot": "https://apps.example\uff0ecom/voicemail/",
    "ideographic dot": "https://apps\u3002example.com/voicemail/",
    "full-width slash": "https://apps.example.com\uff0f@evil.example/voicemail/",
    "soft hyphen": "https://ap\u00adps.example.com/voicemail/",
    "not encoded": "https://b\u00fccher.example:8443/a%20b",
    "encoded host": "https://%61pps.example.com/voicemail/",
    "climbing": "https://apps.example.com/voicemail/../admin",
    "climbing to the start": "https://apps.example.com/voicemail/..",
    "encoded climbing": "https://apps.example.com/voicemail/%2e%2e/admin",
    "half encoded": "https://apps.example.com/voicemail/.%2E/admin",
    "twice encoded": "https://apps.example.com/voicemail/%252e%252e/admin",
    "oddly encoded": "https://apps.example.com/voicemail/%25%32%65%252e/admin",
    "climbing with parameters": "https://apps.example.com/voicemail/..;x=1/admin",
    "full-width climbing": "https://apps.example.com/voicemail/%EF%BC%8E%EF%BC%8E/x",
    "standing still": "https://apps.example.com/voicemail/./x",
    "encoded slash": "https://apps.example.com/voicemail/..%2fadmin",
    "twice encoded slash": "https://apps.example.com/voicemail/x%252fadmin",
    "overlong slash": "https://apps.example.com/voicemail/..%c0%afadmin",
    "two slashes": "https://chat.example.com//evil.example/",
    "a longer segment": "https://apps.example.com/voicemail-evil/",
    "the path without its end": "https://apps.example.com/voicemail",
    "an apple": "http://127.0.0.1:8000/myappsevil",
    "upper case path": "https://apps.example.com/Voicemail/",
    "another port": "https://apps.example.com:8443/voicemail/",
    "port 0": "https://apps.example.com:0/voicemail/",
    "port with zero": "https://apps.example.com:0443/voicemail/",
    "port beyond": "https://apps.example.com:65979/voicemail/",
    "empty port": "https://apps.example.com:/voicemail/",
    "two ports": "https://apps.example.com:443:443/voicemail/",
    "another loopback": "http://127.1:8000/myapps",
    "loopback as a number": "http://2130706433:8000/myapps",
    "loopback in hex": "http://0x7f000001:8000/myapps",
    "other IPv6 spelling": "https://[2001:db8:0::1]/x/",
    "IPv6 zone": "https://[2001:db8::1%25eth0]/x/",
    "space before": " https://apps.example.com/voicemail/",
    "space within": "https://apps.example.com/voicemail/ x",
    "tab in scheme": "ht\ttps://apps.example.com/voicemail/",
    "tab in host": "https://apps.exam\tple.com/voicemail/",
    "line break after": "https://apps.example.com/voicemail/\n",
    "header injection": "https://apps.example.com/voicemail/\r\nSet-Cookie: a=b",
    "encoded line break": "https://apps.example.com/voicemail/%0d%0aSet-Cookie:%20a=b",
    "NUL": "https://apps.example.com/voicemail/\x00.evil.example",
    "encoded NUL": "https://apps.example.com/voicemail/%00",
    "text turned around": "https://apps.example.com/voicemail/%E2%80%AEx",
    "broken encoding": "https://apps.example.com/voicemail/%zz",
    "fragment": "https://apps.example.com/voicemail/#@evil.example",
    "fragment before at": "https://apps.example.com#@evil.example/voicemail/",
    "query before at": "https://apps.example.com?@evil.example/voicemail/",
    "markup": 'https://apps.example.com/voicemail/"><script>',
    "too long": "https://chat.example.com/" + "x" * 2000,
}
# Pieces out of which the worst addresses are made.
PIECES = [
    *("https", "http", "javascript", ":", "/", "//", "\\", "@", "#", "?", "%", "."),
    *("..", "%2e", "%2f", "%5c", "%25", "%00", "\t", "\n", ";", "[", "]", ":443", "&"),
    *("apps.example.com", "chat.example.com", "evil.example", "127.0.0.1:8000"),
    *("/voicemail/", "/voicemail", "/myapps", "x", "\u3002", "\uff0f", "\u00ad"),
]
bent = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
behind = st.tuples(st.sampled_from(ALLOWED), bent | st.text(max_size=20)).map("".join)


@pytest.mark.parametrize("url", WELCOME)
def test_address_of_a_client_is_allowed(url: str) -> None:
    assert is_allowed(url, ALLOWED)


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE)
def test_hostile_address_is_refused(url: str) -> None:
    assert not is_allowed(url, ALLOWED)


def test_nothing_is_allowed_where_nothing_is_named() -> None:
    assert not any(is_allowed(url, [""]) for url in WELCOME)


@example(HOSTILE["backslash before at"])
@given(bent | behind | st.text(max_size=60))
def test_allowed_means_the_very_origin_and_below_the_path(url: str) -> None:
    if not is_allowed(url, ALLOWED):
        return
    assert url.isascii()
    assert url.isprintable()
    read = urlsplit(url)
    assert (read.username, read.password, read.fragment) == (None, None, "")
    path = posixpath.normpath(unquote(unquote(read.path)) or "/")
    assert any(
        (read.scheme, read.hostname, read.port or _usual(read.scheme))
        == (prefix.scheme, prefix.host.strip("[]"), prefix.port)
        and f"{path}/".startswith(unquote(prefix.path).rstrip("/") + "/")
        for prefix in map(parse, ALLOWED)
        if prefix
    )


def _usual(scheme: str) -> int:
    return {"https": 443, "http": 80}[scheme]


@given(bent | behind)
def test_what_was_read_is_written_so_that_it_is_read_again(url: str) -> None:
    address = parse(url)

    assert address is None or parse(address.url) == address


BROWSERS_READING = """
const urls = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(urls.map(url => {
  try { const read = new URL(url); return [read.origin, read.pathname]; }
  catch { return null; }
})));
"""


def as_browsers_read(urls: list[str]) -> list[list[str] | None]:
    """Ask the parser that browsers have (WHATWG's), by way of Node."""
    done = subprocess.run(
        ["node", "-e", BROWSERS_READING],
        input=json.dumps(urls),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    read: list[list[str] | None] = json.loads(done.stdout)
    return read


def test_browsers_go_where_the_function_says() -> None:
    """Thousands of bent addresses; none that is allowed leads a browser elsewhere."""
    urls = WELCOME + [
        f"{start}{one}{two}{three}"
        for start in ("https://chat.example.com", "https://apps.example.com/voicemail/")
        for one in PIECES
        for two in PIECES
        for three in ("", "/", "..", "@evil.example", "/../x", "\\evil")
    ]
    allowed = [url for url in urls if is_allowed(url, ALLOWED)]

    assert 100 < len(allowed) < len(urls) / 2
    for url, read in zip(allowed, as_browsers_read(allowed), strict=True):
        address = parse(url)
        assert address
        assert read == [address.origin, address.path], url

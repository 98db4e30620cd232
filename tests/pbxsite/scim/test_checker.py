"""What a checker of other people's finds at our whole door: scim2-tester."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

from authconfig.users.models import PbxUser
from tests.support.scim import ScimClient


class Site:
    """The site as a WSGI application in a test's transaction."""

    def __init__(self, scim: ScimClient) -> None:
        self.scim = scim

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        shown = {"HTTP_AUTHORIZATION": f"Bearer {self.scim.key}"}
        answer = self.scim.browser.generic(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ["wsgi.input"].read(),
            environ.get("CONTENT_TYPE", ""),
            **shown,
            QUERY_STRING=environ["QUERY_STRING"],
            **{k: v for k, v in environ.items() if k.startswith("HTTP_IF_")},
        )
        start_response(f"{answer.status_code} -", list(answer.items()))
        return [answer.content]


def test_the_checker_finds_nothing(scim: ScimClient) -> None:
    client = WSGISCIMClient(Site(scim), "http://127.0.0.1:8000/scim/v2")
    client.discover()

    results = check_server(client)

    bad = [r for r in results if r.status in (Status.ERROR, Status.CRITICAL)]
    assert not bad, "\n".join(f"{r.title}: {r.reason}" for r in bad)
    assert sum(r.status is Status.SUCCESS for r in results) > 20
    assert PbxUser.objects.exists()

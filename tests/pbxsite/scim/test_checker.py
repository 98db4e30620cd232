"""What a checker of other people's finds at our whole door: scim2-tester."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import pytest

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


@pytest.mark.long
def test_the_checker_finds_nothing(scim: ScimClient) -> None:
    # Their models take seconds to make, which is for whoever runs this test.
    checker = import_module("scim2_tester")
    engine = import_module("scim2_client.engines.wsgi")
    client = engine.WSGISCIMClient(Site(scim), "http://127.0.0.1:8000/scim/v2")
    client.discover()

    results = checker.check_server(client)

    good, error, critical = (
        checker.Status[name] for name in ("SUCCESS", "ERROR", "CRITICAL")
    )
    bad = [r for r in results if r.status in (error, critical)]
    assert not bad, "\n".join(f"{r.title}: {r.reason}" for r in bad)
    assert sum(r.status is good for r in results) > 20
    assert PbxUser.objects.exists()

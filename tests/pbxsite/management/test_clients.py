"""`manage.py clients`: clients are added and listed by scripts."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.clients.models import ClientApplication
from authconfig.users.models import AuditEvent
from pbxsite.gateway.openid.models import OpenIdClient, SigningKey
from tests.support.openid import CALLBACK, Party

pytestmark = pytest.mark.django_db
FAULTS = {
    "no redirect URI": (["--openid"], "Enter a redirect URI"),
    "an unsafe redirect URI": (
        ["--openid", "--redirect-uri=http://x.example/"],
        "redirect-uris: Line 1",
    ),
    "a public client without PKCE": (
        ["--openid", f"--redirect-uri={CALLBACK}", "--public", "--without-pkce"],
        "proves itself by PKCE alone",
    ),
    "a redirect URI alone": ([f"--redirect-uri={CALLBACK}"], "Only with --openid"),
    "a switch of OpenID alone": (["--public"], "Only with --openid"),
    "a name that is taken": (["--short-name=myapps"], "Another client"),
}


def run(*words: str) -> str:
    output = StringIO()
    call_command("clients", *words, stdout=output)
    return output.getvalue()


def test_a_client_is_added_and_logs_users_in(
    anna: Browser, signing_key: SigningKey
) -> None:
    words = ["--openid", "--redirect-uri", CALLBACK, "--without-pkce", "--own"]
    printed = run("add", "Mail 2", "--kind", "myapps", *words)

    made = dict(line.split("=") for line in printed.splitlines())
    openid = OpenIdClient.objects.get(client=made["client_id"])
    party = Party(openid, made["client_secret"])
    no_pkce: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}
    code = party.code(anna, **no_pkce)
    assert party.token(code=code, code_verifier=None).status_code == 200
    assert openid.application.slug == "mail-2"
    event = AuditEvent.objects.get(event=Event.SETTING_CHANGED)
    assert event.detail == "client mail-2: added"
    assert made["client_secret"] not in run("list", "--json")


def test_a_public_client_has_no_secret() -> None:
    uris = ["--redirect-uri=http://127.0.0.1/x", "--redirect-uri=com.example.x:/x"]

    printed = run("add", "Phone", "--kind=mypbx", "--openid", "--public", *uris)

    assert printed.startswith("client_id=")
    assert "client_secret" not in printed
    assert len(OpenIdClient.objects.get().redirect_uris.splitlines()) == 2


def test_a_client_of_a_proxy_is_added() -> None:
    url = "https://apps.example.com/"

    assert run("add", "Pages", f"--return-url={url}", "--groups") == ""

    pages = ClientApplication.objects.get(slug="pages")
    assert pages.tells_groups
    assert pages.allows(f"{url}x")


def test_the_list_says_what_there_is() -> None:
    run("add", "Chat", "--openid", f"--redirect-uri={CALLBACK}", "--own")

    told = {facts["slug"]: facts for facts in json.loads(run("list", "--json"))}

    assert told["myapps"]["openid"] is None
    assert told["chat"]["openid"]["redirect_uris"] == [CALLBACK]
    assert told["chat"]["is_own"]
    assert "chat  myapps  openid" in run("list")


@pytest.mark.parametrize(("words", "fault"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_told_and_adds_nothing(
    words: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("add", "Chat", *words)

    assert fault in capsys.readouterr().err
    assert not ClientApplication.objects.filter(slug="chat").exists()

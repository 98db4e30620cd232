"""Canaille with a user and two clients of client_secret_basic, in its memory.

Prints the issuer once it listens.
"""

from __future__ import annotations

import datetime
import os
import socket

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import make_server

CALLBACK = "http://127.0.0.1:8000/login/oauth2/callback/"
CLIENTS = {
    "pbx": "a-plain-secret",
    "pbx-odd": "a+secret %with: signs",
}


def add_user() -> None:
    user = models.User(
        user_name="anna",
        formatted_name="Anna Berg",
        family_name="Berg",
        emails=["anna@example.com"],
        password="correct horse",
    )
    Backend.instance.save(user)


def add_client(client_id: str, secret: str) -> None:
    client = models.Client(
        client_id=client_id,
        client_secret=secret,
        client_id_issued_at=datetime.datetime.now(datetime.UTC),
        client_name="PBX",
        client_uri="http://127.0.0.1:8000",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email"],
        token_endpoint_auth_method="client_secret_basic",
        application_type="web",
        id_token_signed_response_alg="RS256",
    )
    Backend.instance.save(client)
    # As its own form for new clients does.
    client.audience = [client]
    Backend.instance.save(client)


listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
app = create_app(
    config={
        "SECRET_KEY": "of tests alone",
        "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "memory"},
        "CANAILLE_OIDC": {},
    }
)
with app.app_context(), Backend.instance.session():
    add_user()
    for client_id, secret in CLIENTS.items():
        add_client(client_id, secret)
server = make_server(
    "127.0.0.1", port, app, threaded=True, fd=os.dup(listener.fileno())
)
print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201
server.serve_forever()

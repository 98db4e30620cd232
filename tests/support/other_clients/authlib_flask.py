"""Authlib's client for Flask, as its documentation has it."""

from __future__ import annotations

import os

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for

app = Flask(__name__)
app.secret_key = "a key for a test"
oauth = OAuth(app)
oauth.register(
    "pbx",
    server_metadata_url=f"{os.environ['ISSUER']}/.well-known/openid-configuration",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    client_kwargs={"scope": "openid profile email"},
)


@app.route("/")
def who():
    return {"name": session.get("name", "")}


@app.route("/login")
def login():
    return oauth.pbx.authorize_redirect(url_for("callback", _external=True))


@app.route("/callback")
def callback():
    token = oauth.pbx.authorize_access_token()
    session["name"] = token["userinfo"]["preferred_username"]
    return redirect("/")


app.run("127.0.0.1", int(os.environ["PORT"]))

"""The words of `manage.py clients`."""

from __future__ import annotations

from argparse import ArgumentParser

from authconfig.clients.choices import Kind

# Of the client applications' rows, and of OpenID Connect's; each is a switch.
SWITCHES = {
    "own": ("is_own", "Users are not asked whether it may know who they are."),
    "groups": ("tells_groups", "It is told its visitor's groups."),
}
OPENID_SWITCHES = {
    "public": ("is_public", "A program on users' devices, without a secret."),
    "without-pkce": ("without_pkce", "It cannot do PKCE, and sends a nonce."),
    "checks-tokens": ("checks_tokens", "A mail or chat server, shown others' tokens."),
}
# They come once for each address.
ADDRESSES = {"return-url": "return_urls"}
OPENID_ADDRESSES = {"redirect-uri": "redirect_uris", "logout-uri": "logout_uris"}


def add_actions(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    adding = actions.add_parser("add", help="Add a client; its secret is shown once.")
    adding.add_argument("name", help="What users call it.")
    adding.add_argument("--short-name", help="By default made from the name.")
    adding.add_argument("--kind", choices=Kind.values, default=Kind.MYAPPS.value)
    adding.add_argument("--start-url", default="", help="Where its tile leads.")
    adding.add_argument("--openid", action="store_true", help="By OpenID Connect.")
    adding.add_argument("--back-channel-uri", default="")
    for word in (*ADDRESSES, *OPENID_ADDRESSES):
        adding.add_argument(f"--{word}", action="append", default=[], metavar="URI")
    for word, (name, help_text) in (SWITCHES | OPENID_SWITCHES).items():
        adding.add_argument(f"--{word}", action="store_true", dest=name, help=help_text)
    listing = actions.add_parser("list", help="What there is; never a secret.")
    listing.add_argument("--json", action="store_true")

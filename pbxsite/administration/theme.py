"""The admin's theme: the colours of the user pages, and the menu."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from verification.mail.operation.operators import is_operator, is_operator_alone

TOKENS = Path(__file__).parent.parent / "static" / "pbxsite" / "tokens.css"
# What the theme links on every page, in this order.
STYLES = ("tokens", "components", "admin")
SCALE = re.compile(r"--(primary|base)-(\d+):\s*(#[0-9a-f]{6});")
Item = dict[str, Any]


def theme(site_name: str) -> dict[str, Any]:
    return {
        "SITE_TITLE": site_name,
        "SITE_HEADER": site_name,
        "SITE_SUBHEADER": _("Administration"),
        "SITE_URL": reverse_lazy("verification:account"),
        "SITE_ICON": _file("favicon.svg"),
        "SITE_FAVICONS": [
            {"rel": "icon", "type": "image/svg+xml", "href": _file("favicon.svg")}
        ],
        "STYLES": [_file(f"{name}.css") for name in STYLES],
        "SCRIPTS": [_file("device_scheme.js")],
        "COLORS": _scales(TOKENS.read_text()),
        "BORDER_RADIUS": "8px",
        "SHOW_VIEW_ON_SITE": False,
        # The audit log has it, of what the command line and users changed as well.
        "SHOW_HISTORY": False,
        "DASHBOARD_CALLBACK": "pbxsite.administration.front_page.page.dashboard",
        "ACCOUNT": {"navigation": [_account()]},
        "SIDEBAR": {
            "navigation": [{"items": [_overview()]}, _login_group(), _operation_group()]
        },
    }


def _account() -> Item:
    return {
        "title": _("Account security"),
        "link": reverse_lazy("verification:account"),
    }


def _login_group() -> Item:
    return {
        "title": _("Login"),
        "items": [
            _item(
                _("Authentication"),
                "lock",
                "authconfig_authenticationsettings",
                permission="authconfig.change_authenticationsettings",
            ),
            _item(_("Client applications"), "apps", "clients_clientapplication"),
            _users(),
            _who_can_log_in(),
            _item(_("Groups"), "badge", "auth_group"),
        ],
    }


def _operation_group() -> Item:
    return {
        "title": _("Operation"),
        "items": [
            _queue(),
            _item(
                _("Outgoing e-mails"),
                "mail",
                "mail_outgoingemail",
                others=is_operator,
            ),
            _item(_("Login sessions"), "how_to_reg", "approval_loginsession"),
            _item(_("Signed-in sessions"), "devices", "usersessions_usersession"),
            _item(_("Second factors"), "key", "mfa_authenticator"),
            _item(_("Audit log"), "history", "users_auditevent"),
        ],
    }


def _file(name: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(f"pbxsite/{name}")


def _scales(css: str) -> dict[str, dict[str, str]]:
    """Take both scales from tokens.css, so that they are written once."""
    scales: dict[str, dict[str, str]] = {}
    for name, weight, value in SCALE.findall(css):
        scales.setdefault(name, {})[weight] = value
    return scales


def _overview() -> Item:
    return {
        "title": _("Overview"),
        "icon": "home",
        "link": reverse_lazy("admin:index"),
        # The theme would mark it on every page: they all begin with this address.
        "active": lambda request: request.path == str(reverse_lazy("admin:index")),
        "permission": lambda request: not is_operator_alone(request),
    }


def _queue() -> Item:
    return {
        "title": _("E-mail queue"),
        "icon": "monitor_heart",
        "link": reverse_lazy("queue"),
        "permission": is_operator,
    }


def _users() -> Item:
    users = _item(_("PBX users"), "group", "users_pbxuser")
    others = reverse_lazy("admin:users_pbxuser_access")

    def is_active(request: HttpRequest) -> bool:
        here = request.path.startswith(str(users["link"]))
        return here and not request.path.startswith(str(others))

    return users | {"active": is_active}


def _who_can_log_in() -> Item:
    return {
        "title": _("Who can log in"),
        "icon": "verified_user",
        "link": reverse_lazy("admin:users_pbxuser_access"),
        "permission": lambda request: request.user.has_perm("users.view_pbxuser"),
    }


def _nobody(_request: HttpRequest) -> bool:
    return False


def _item(
    title: str | Promise,
    icon: str,
    model: str,
    permission: str = "",
    others: Callable[[HttpRequest], bool] = _nobody,
) -> Item:
    app, name = model.split("_", 1)
    needed = permission or f"{app}.view_{name}"
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model}_changelist"),
        "permission": lambda request: request.user.has_perm(needed) or others(request),
    }

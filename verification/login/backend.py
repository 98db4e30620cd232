"""The one door for passwords: asks the policy, then the methods it names."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from authconfig.clients.choices import Kind
from authconfig.methods import CHECKS
from authconfig.models import current_settings
from authconfig.policy import password_methods_for
from authconfig.users.models import PbxUser


class PolicyBackend(ModelBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        client: Kind = Kind.MYAPPS,
        **kwargs: Any,
    ) -> PbxUser | None:
        """Return the user who may log in to the client with this password, or None."""
        # An empty password can be an "unauthenticated bind" (RFC 4513, 5.1.2).
        if not username or not password or not password.strip("\0 \t\r\n"):
            return None
        rules = current_settings()
        name = rules.login_name(username)
        for method in password_methods_for(rules, client):
            check = CHECKS.get(method)
            user = check(name, password) if check else None
            if user:
                user.login_method = method
                return user
        return None

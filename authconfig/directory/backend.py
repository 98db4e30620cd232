"""django-auth-ldap's backend, with its settings from the rules and our connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import ldap
from django_auth_ldap.backend import LDAPBackend
from django_auth_ldap.config import LDAPSearch, LDAPSettings
from ldap.ldapobject import SimpleLDAPObject

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.entries import (
    ATTRIBUTES,
    Attributes,
    account_fault,
    is_locked,
)
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.directory.groups import RequiredGroup
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from authconfig.validators import LDAP_PLACEHOLDER

# A DN and its attributes.
Entry = tuple[str, Attributes]

# No setting of Django's has this prefix, so that the rules alone decide.
PREFIX = "NETLOGON_ROW_"
# If libldap reconnects by itself, it finds nobody at this address.
NOWHERE = "ldapi://%2Fdev%2Fnull%2Fnowhere"
DEFAULT_FILTER = AuthenticationSettings._meta.get_field("netlogon_user_filter").default


class DirectoryConnection(SimpleLDAPObject):
    """libldap over a channel; each bind is a stage of the attempt."""

    def __init__(self, channel: socket.socket, attempt: DirectoryAttempt) -> None:
        super().__init__(NOWHERE, fileno=channel.detach())
        self.set_option(ldap.OPT_REFERRALS, 0)
        self.set_option(ldap.OPT_TIMEOUT, attempt.operation_limit)
        self.set_option(ldap.OPT_NETWORK_TIMEOUT, attempt.operation_limit)
        rules = attempt.rules
        self._service = (rules.netlogon_bind_dn, rules.netlogon_bind_password)
        self._attempt = attempt

    def simple_bind_s(self, who: str = "", cred: str = "", **kwargs: Any) -> Any:
        if who and (who, cred) == self._service:
            with self._attempt.stage(NetlogonStage.SERVICE) as found:
                found.append(who)
                return super().simple_bind_s(who, cred, **kwargs)
        with self._attempt.stage(NetlogonStage.PASSWORD) as found:
            found.append(who)
            self._attempt.password_was_sent = True
            return super().simple_bind_s(who, cred, **kwargs)


@contextmanager
def connection(
    channel: socket.socket, attempt: DirectoryAttempt
) -> Iterator[DirectoryConnection]:
    connected = DirectoryConnection(channel, attempt)
    try:
        yield connected
    finally:
        with suppress(ldap.LDAPError):
            connected.unbind_s()


class UserSearch(LDAPSearch):
    """Finds exactly one entry, or raises DirectoryError."""

    def __init__(self, attempt: DirectoryAttempt) -> None:
        super().__init__(
            attempt.base_dn,
            ldap.SCOPE_SUBTREE,
            _template(attempt.rules.netlogon_user_filter or DEFAULT_FILTER),
            list(ATTRIBUTES),
        )
        self._attempt = attempt

    def execute(
        self,
        connection: Any,
        filterargs: Any = (),
        escape: bool = True,  # noqa: FBT001, FBT002
    ) -> list[Entry]:
        with self._attempt.stage(NetlogonStage.SEARCH) as found:
            entries: list[Entry] = super().execute(connection, filterargs, escape)
            if len(entries) != 1:
                fault = (
                    DirectoryFault.SEVERAL_USERS if entries else DirectoryFault.NO_USER
                )
                raise DirectoryError(NetlogonStage.SEARCH, fault)
            found.append(entries[0][0])
        return entries


def _template(user_filter: str) -> str:
    doubled = user_filter.replace("%", "%%")
    return doubled.replace(f"%{LDAP_PLACEHOLDER}", LDAP_PLACEHOLDER)


class DirectoryBackend(LDAPBackend):
    """Made for one name and one connection; a failed login is a DirectoryError."""

    def __init__(
        self,
        name: str,
        connection: DirectoryConnection,
        attempt: DirectoryAttempt,
    ) -> None:
        self._name, self._rules, self._attempt = name, attempt.rules, attempt
        self.settings = LDAPSettings(PREFIX, self._ldap_settings())
        # The library asks this object for a connection, and gets ours.
        self._ldap = SimpleNamespace(initialize=lambda *_args, **_kwargs: connection)

    def authenticate_ldap_user(self, ldap_user: Any, password: str) -> PbxUser:
        # Asking for the DN first makes the library search once and keep the entry.
        if self._rules.netlogon_bind_dn and ldap_user.dn:
            refuse_ended(ldap_user.attrs)
        try:
            user = ldap_user.authenticate(password)
        except DirectoryError as error:
            if error.fault is DirectoryFault.WRONG_PASSWORD and self._is_locked(
                ldap_user
            ):
                raise DirectoryError(
                    error.stage, DirectoryFault.LOCKED, error.words
                ) from error
            raise
        if user is None:
            raise DirectoryError(NetlogonStage.PASSWORD, DirectoryFault.REFUSED_LOGIN)
        assert isinstance(user, PbxUser)
        return user

    def get_or_build_user(self, username: str, ldap_user: Any) -> tuple[PbxUser, bool]:
        """Neither make nor change a PBX user; the directory only checks a name."""
        return PbxUser(name=self._name), False

    def _is_locked(self, ldap_user: Any) -> bool:
        return bool(self._rules.netlogon_bind_dn) and is_locked(ldap_user.attrs)

    def _ldap_settings(self) -> dict[str, Any]:
        rules = self._rules
        values = {
            "USER_SEARCH": UserSearch(self._attempt),
            "ALWAYS_UPDATE_USER": False,
            "NO_NEW_USERS": True,
        }
        if rules.netlogon_group:
            values |= {
                "REQUIRE_GROUP": rules.netlogon_group,
                "GROUP_SEARCH": LDAPSearch(self._attempt.base_dn, ldap.SCOPE_SUBTREE),
                "GROUP_TYPE": RequiredGroup(self._attempt),
            }
        return values | (self._service() if rules.netlogon_bind_dn else self._direct())

    def _service(self) -> dict[str, Any]:
        return {
            "BIND_DN": self._rules.netlogon_bind_dn,
            "BIND_PASSWORD": self._rules.netlogon_bind_password,
        }

    def _direct(self) -> dict[str, Any]:
        rules = self._rules
        own_filter = rules.netlogon_user_filter not in ("", DEFAULT_FILTER)
        return {
            # It is no DN, so nothing needs escaping but the template's own "%".
            "USER_DN_TEMPLATE": principal(self._name, rules).replace("%", "%%"),
            "BIND_AS_AUTHENTICATING_USER": True,
            "REFRESH_DN_ON_BIND": bool(rules.netlogon_group) or own_filter,
        }


def principal(name: str, rules: AuthenticationSettings) -> str:
    return name if "@" in name else f"{name}@{rules.netlogon_domain}"


def refuse_ended(attributes: Attributes) -> None:
    fault = account_fault(attributes)
    if fault:
        raise DirectoryError(NetlogonStage.SEARCH, fault)


def look_up(
    name: str,
    connection: DirectoryConnection,
    attempt: DirectoryAttempt,
) -> Entry:
    return UserSearch(attempt).execute(connection, {"user": name})[0]


def bind_service(connection: DirectoryConnection, attempt: DirectoryAttempt) -> None:
    rules = attempt.rules
    connection.simple_bind_s(rules.netlogon_bind_dn, rules.netlogon_bind_password)

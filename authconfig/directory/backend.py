"""django-auth-ldap's backend, with its settings from the rules and our connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
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
    LOCK_MARK,
    Attributes,
    Entry,
    account_fault,
    is_delayed,
    lock_mark,
)
from authconfig.directory.faults import (
    AFTER_RIGHT_PASSWORD,
    VAGUE,
    DirectoryError,
    DirectoryFault,
    ldap_error,
    refuse_by_policy,
    sub_code,
)
from authconfig.directory.groups import require_member
from authconfig.directory.password_policy import asking_for_policy
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from authconfig.validators import LDAP_PLACEHOLDER, NOWHERE

# No setting of Django's has this prefix, so that the rules alone decide.
PREFIX = "NETLOGON_ROW_"
ACTIVE_DIRECTORY = b"1.2.840.113556.1.4.800"
# The vendor's name in 389 Directory Server and in FreeIPA.
WITHOUT_DIRECT_LOGIN = {b"389 Project"}
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

    def simple_bind_s(self, who: str = "", cred: str = "") -> Any:
        if who and (who, cred) == self._service:
            return self._bind(NetlogonStage.SERVICE, who, cred)
        self._attempt.password_was_sent = True
        answer = self._bind(NetlogonStage.PASSWORD, who, cred)
        self._attempt.password_was_right = True
        return answer

    @cached_property
    def is_active_directory(self) -> bool:
        return ACTIVE_DIRECTORY in self.told_of_itself("supportedCapabilities")

    def told_of_itself(self, attribute: str) -> list[bytes]:
        """Return what anybody may read of the directory itself (RFC 4512, 5.1)."""
        found = self.search_s("", ldap.SCOPE_BASE, "(objectClass=*)", [attribute])
        several = [values for _dn, facts in found for values in facts.values()]
        return [value for values in several for value in values]

    def _bind(self, stage: NetlogonStage, who: str, cred: str) -> Any:
        with self._attempt.stage(stage) as found:
            found.append(who)
            try:
                return self._bind_by_policy(stage, who, cred)
            except DirectoryError as error:
                if stage is NetlogonStage.SERVICE:
                    raise
                raise self._explained(error) from error

    def _bind_by_policy(self, stage: NetlogonStage, who: str, cred: str) -> Any:
        try:
            answer = super().simple_bind_s(who, cred, asking_for_policy())
        except ldap.LDAPError as error:
            raise ldap_error(stage, error) from error
        *_result, controls = answer
        refuse_by_policy(stage, controls)
        return answer

    def _explained(self, error: DirectoryError) -> DirectoryError:
        """Add what can be read where the directory says no and little more."""
        self._attempt.password_was_right = error.fault in AFTER_RIGHT_PASSWORD
        if error.fault not in {*VAGUE, DirectoryFault.LOCKED}:
            return error
        has_service = bool(self._attempt.rules.netlogon_bind_dn)
        fault = self._fault_in_entry() if has_service else self._fault_of_name(error)
        return DirectoryError(error.stage, fault, error.words) if fault else error

    def _fault_of_name(self, error: DirectoryError) -> DirectoryFault | None:
        """Some directories call any password of user@domain a wrong one."""
        if sub_code(error.words):
            return None
        with suppress(ldap.LDAPError):
            if WITHOUT_DIRECT_LOGIN & set(self.told_of_itself("vendorName")):
                return DirectoryFault.NO_DIRECT_LOGIN
        return None

    def _fault_in_entry(self) -> DirectoryFault | None:
        """Only a service account has looked before the user's password was sent."""
        if not self._attempt.found:
            return None
        dn, attributes = self._attempt.found
        if fault := account_fault(attributes):
            return fault
        is_locked = is_delayed(attributes) or self._keeps_mark(dn, attributes)
        return DirectoryFault.LOCKED if is_locked else None

    def _keeps_mark(self, dn: str, attributes: Attributes) -> bool:
        """A bind removes or renews the mark of a lock that has run out; no other."""
        mark = lock_mark(attributes)
        return mark != "" and self._mark_now(dn, mark) == mark

    def _mark_now(self, dn: str, before: str) -> str:
        try:
            super().simple_bind_s(*self._service)
            found = self.search_s(dn, ldap.SCOPE_BASE, attrlist=[LOCK_MARK])
        except ldap.LDAPError:
            return before
        values = [value for _dn, facts in found for value in facts.values()]
        return values[0][0].decode() if values else ""


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
            self._attempt.found = entries[0]
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
        user = ldap_user.authenticate(password)
        if user is None:
            raise DirectoryError(NetlogonStage.PASSWORD, DirectoryFault.REFUSED_LOGIN)
        if self._is_searched_for:
            require_access(ldap_user, self._attempt)
        assert isinstance(user, PbxUser)
        return user

    def get_or_build_user(self, username: str, ldap_user: Any) -> tuple[PbxUser, bool]:
        """Neither make nor change a PBX user; the directory only checks a name."""
        return PbxUser(name=self._name), False

    @property
    def _is_searched_for(self) -> bool:
        """Without a search, the directory's answer to the bind is all there is."""
        rules = self._rules
        own_filter = rules.netlogon_user_filter not in ("", DEFAULT_FILTER)
        return bool(rules.netlogon_bind_dn or rules.netlogon_group) or own_filter

    def _ldap_settings(self) -> dict[str, Any]:
        values = {
            "USER_SEARCH": UserSearch(self._attempt),
            "ALWAYS_UPDATE_USER": False,
            "NO_NEW_USERS": True,
        }
        has_service = bool(self._rules.netlogon_bind_dn)
        return values | (self._service() if has_service else self._direct())

    def _service(self) -> dict[str, Any]:
        return {
            "BIND_DN": self._rules.netlogon_bind_dn,
            "BIND_PASSWORD": self._rules.netlogon_bind_password,
        }

    def _direct(self) -> dict[str, Any]:
        name = principal(self._name, self._rules)
        return {
            # It is no DN, so nothing needs escaping but the template's own "%".
            "USER_DN_TEMPLATE": name.replace("%", "%%"),
            "BIND_AS_AUTHENTICATING_USER": True,
            "REFRESH_DN_ON_BIND": self._is_searched_for,
        }


def principal(name: str, rules: AuthenticationSettings) -> str:
    return name if "@" in name else f"{name}@{rules.netlogon_domain}"


@dataclass(frozen=True)
class FoundUser:
    """What a search found; the library's own user has these fields too."""

    dn: str
    attrs: Attributes
    connection: DirectoryConnection


def look_up(
    name: str,
    connection: DirectoryConnection,
    attempt: DirectoryAttempt,
) -> FoundUser:
    dn, attributes = UserSearch(attempt).execute(connection, {"user": name})[0]
    return FoundUser(dn, attributes, connection)


def require_access(user: Any, attempt: DirectoryAttempt) -> None:
    """Raise DirectoryError if this account may not log in, whatever its password.

    Whoever lets somebody in or keeps them in asks this: login, trial and re-check.
    """
    fault = account_fault(user.attrs)
    if fault:
        with attempt.stage(NetlogonStage.SEARCH):
            raise DirectoryError(NetlogonStage.SEARCH, fault)
    if attempt.rules.netlogon_group:
        require_member(user.dn, user.connection, attempt)


def bind_service(connection: DirectoryConnection, attempt: DirectoryAttempt) -> None:
    rules = attempt.rules
    connection.simple_bind_s(rules.netlogon_bind_dn, rules.netlogon_bind_password)

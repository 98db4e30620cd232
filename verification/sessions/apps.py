"""Sessions as an application of Django; the table of sessions is allauth's."""

from __future__ import annotations

from importlib import import_module

from allauth.usersessions.apps import UserSessionsConfig
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from verification.mail.kinds import register


class SessionsConfig(AppConfig):
    name = "verification.sessions"
    label = "signed_in_sessions"
    verbose_name = _("Sessions")

    def ready(self) -> None:
        passwords = import_module("verification.sessions.passwords")
        factor_mails = import_module("verification.sessions.factor_mails")
        address_mails = import_module("verification.sessions.address_mails")
        register(
            address_mails.ADDRESS_NOTICE,
            passwords.PASSWORD_NOTICE,
            factor_mails.FACTOR_NOTICE,
            factor_mails.WRONG_CODES,
        )
        # Its receiver has to hear of each factor that is added.
        import_module("verification.sessions.factors")


class ListedSessionsConfig(UserSessionsConfig):
    """allauth's application, where a receiver of ours lists new sessions."""

    def ready(self) -> None:
        super().ready()
        allauths = import_module("allauth.usersessions.signals").on_user_logged_in
        ours = import_module("verification.sessions.lifecycle").list_session
        signal = import_module("allauth.account.signals").user_logged_in
        assert signal.disconnect(allauths)
        signal.connect(ours)

"""Links for passwords as an application, with tables of its own."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from verification.lookouts import Lookout
from verification.mail.kinds import register

# A link is waited for, whether or not the broker is there.
LOOK_SECONDS = 5.0


class PasswordLinksConfig(AppConfig):
    name = "verification.password_links"
    label = "password_links"
    verbose_name = _("Links for passwords")

    def ready(self) -> None:
        mails = import_module("verification.password_links.mails")
        register(mails.INVITATION, mails.FORGOTTEN, mails.NO_LINK, mails.SET_BY_LINK)
        # Its receiver has to hear of sessions that end, in commands as well.
        making = import_module("verification.password_links.making")
        Lookout(making.make_all, LOOK_SECONDS).watch_in_workers()

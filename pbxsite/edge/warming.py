"""What the first request of a process would wait for: addresses, templates, words.

No database is asked, so a process may do this before it is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module

from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.base import Node, Template
from django.template.engine import Engine
from django.template.loader_tags import ExtendsNode, IncludeNode
from django.urls import resolve
from django.utils import translation
from django.utils.formats import get_format

from verification.sessions.user_agents import browser_text

# What the first page of the administration imports.
MODULES = ("pbxsite.administration.front_page.page",)
# What people open first after a start.
PAGES = (
    "account/login.html",
    "verification/approval/wait.html",
    "verification/approval/decide.html",
    "verification/approval/approvals.html",
    "verification/account/account.html",
    "admin/index.html",
    "admin/authconfig/authenticationsettings/page.html",
    "embedded/mailbox/mails.html",
    "embedded/mailbox/mail.html",
    # What tags and fields of these name.
    "unfold/helpers/header_title.html",
    "unfold/helpers/tab_actions.html",
    "authconfig/secret_input.html",
    *(
        f"admin/authconfig/authenticationsettings/{name}.html"
        for name in (
            *("digest_logins", "factor_required", "row", "row_faults", "switch"),
            *("sync_attributes", "two_factor", "types", "voicemail_key_show"),
            *("smtp_login/authorize", "smtp_login/login"),
        )
    ),
    *(
        f"django/forms/widgets/{name}.html"
        for name in (
            *("checkbox", "date", "email", "hidden", "number", "password", "select"),
            *("select_option", "text", "textarea", "url"),
        )
    ),
)


@cache
def warm_up() -> None:
    """Do it once: a copy of a process that did it has it all."""
    for name in MODULES:
        import_module(name)
    resolve("/login/")
    # It reads the rules about browsers, which takes a fifth of a second.
    browser_text("")
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("Log in")
            get_format("DATETIME_FORMAT")
    engine, known = Engine.get_default(), set[str]()
    # They are imported when they are asked for.
    _processors = engine.template_context_processors
    for name in PAGES:
        _compile(engine, engine.get_template(name), known)


def _compile(engine: Engine, template: Template, known: set[str]) -> None:
    """Compile what the template names: those it extends, and those it includes."""
    if template.origin.name in known:
        return
    known.add(template.origin.name)
    for name in _named_in(template, ExtendsNode, "parent_name"):
        # One that extends its own name means the next one of it, a library's.
        parent, _origin = engine.find_template(name, skip=[template.origin])
        _compile(engine, parent, known)
    for name in _named_in(template, IncludeNode, "template"):
        # A library may name one that is there with another library only.
        with suppress(TemplateDoesNotExist):
            _compile(engine, engine.get_template(name), known)


def _named_in(template: Template, kind: type[Node], attribute: str) -> Iterator[str]:
    """Yield the names that stand there, not those that are computed."""
    for node in template.nodelist.get_nodes_by_type(kind):
        expression = getattr(node, attribute)
        if isinstance(expression.var, str) and not expression.filters:
            yield expression.var

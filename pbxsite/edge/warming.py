"""What the first request of a process would wait for: addresses, templates, words.

No database is asked, so a process may do this before it is copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.template.base import Template
from django.template.engine import Engine
from django.template.loader_tags import ExtendsNode, IncludeNode
from django.urls import resolve
from django.utils import translation

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
)


def warm_up() -> None:
    resolve("/login/")
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("Log in")
    engine, known = Engine.get_default(), set[str]()
    for name in PAGES:
        _compile(engine, name, known)


def _compile(engine: Engine, name: str, known: set[str]) -> None:
    """Compile the template, and those that it names."""
    if name in known:
        return
    known.add(name)
    for other in _named_in(engine.get_template(name)):
        _compile(engine, other, known)


def _named_in(template: Template) -> Iterator[str]:
    for node in template.nodelist.get_nodes_by_type(ExtendsNode):
        yield from _constant(node.parent_name)
    for node in template.nodelist.get_nodes_by_type(IncludeNode):
        yield from _constant(node.template)


def _constant(expression: object) -> Iterator[str]:
    """Yield the name that stands there, if it is not one that is computed."""
    name = getattr(expression, "var", None)
    if isinstance(name, str) and not getattr(expression, "filters", None):
        yield name

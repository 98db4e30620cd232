"""What the documentation promises: variables, commands and links that are there."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
DECISIONS = sorted((DOCS / "decisions").glob("*/*.md"))
OWN_COMMANDS = {name: app for name, app in get_commands().items() if app == "pbxsite"}
MOST_LINES = 120
READERS = {"required", "secret", "user_rate", "variable"}
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \| (.+?) \|", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_the_readme_fits_on_two_screens() -> None:
    assert len(README.read_text().splitlines()) <= MOST_LINES


def calls() -> Iterator[ast.Call]:
    for path in (ROOT / "pbxsite").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                yield node


def reads() -> Iterator[tuple[str, ast.expr | None]]:
    """Yield each variable that the site reads, with its default."""
    for call in calls():
        name, function = call.args[0], ast.unparse(call.func)
        if function not in READERS and not function.startswith("env."):
            continue
        if isinstance(name, ast.Constant) and VARIABLE.fullmatch(str(name.value)):
            defaults = [each.value for each in call.keywords if each.arg == "default"]
            # The reader of limits takes the default by its place.
            defaults += call.args[1:] if function == "variable" else []
            yield str(name.value), next(iter(defaults), None)


def told() -> dict[str, str]:
    """Return what the page says of each variable's default."""
    return dict(ROW.findall((DOCS / "environment.md").read_text()))


def test_each_variable_of_the_environment_is_told_and_no_other() -> None:
    assert set(told()) == {name for name, _default in reads()}


def test_what_others_set_for_the_site_is_told_as_well() -> None:
    words = (DOCS / "environment.md").read_text()

    for call in calls():
        if ast.unparse(call.func) == "os.environ.get":
            assert f"`{ast.literal_eval(call.args[0])}`" in words


def test_each_plain_default_is_told_as_it_is() -> None:
    words = {True: "on", False: "off"}
    for name, default in reads():
        if not isinstance(default, ast.Constant) or default.value == "":
            continue
        value = default.value
        plain = f"{value:g}" if isinstance(value, float) else str(value)
        word = words[value] if isinstance(value, bool) else f"`{plain}`"
        assert word in told()[name], name


def parts(
    parser: argparse.ArgumentParser, name: str
) -> Iterator[tuple[str, argparse.Action]]:
    """Yield the options of a command and of the actions that it has."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from parts(below, f"{name} {word}")
        yield name, action


@pytest.mark.parametrize("name", OWN_COMMANDS)
def test_each_command_is_told_with_its_options(name: str) -> None:
    words = (DOCS / "command-line.md").read_text()
    common = BaseCommand().create_parser("manage.py", "")._option_string_actions
    command = load_command_class(OWN_COMMANDS[name], name)
    found = list(parts(command.create_parser("manage.py", name), name))

    for whole, action in found:
        assert re.search(rf"`{whole}[` ]", words), whole
        for option in set(action.option_strings) - set(common):
            assert option in words, (whole, option)


def test_no_command_is_told_that_is_not_there() -> None:
    headings = HEADING.findall((DOCS / "command-line.md").read_text())
    named = {word for heading in headings for word in re.findall(r"`(\w+)`", heading)}

    assert named == set(OWN_COMMANDS) | {"make"}


def test_each_target_of_make_is_there() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = "\n".join(page.read_text() for page in PAGES)

    assert set(re.findall(r"`make ([\w-]+)", words)) <= set(targets)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield where a page's links to other files lead, each with its anchor."""
    for address in LINK.findall(CODE.sub("", page.read_text())):
        if "://" not in address:
            path, _, anchor = address.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and others make of a page's headings."""
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_each_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        found = {target for target, _anchor in links(page) if target.suffix == ".md"}
        waiting += found - reached

    assert reached == set(PAGES)


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_each_decision_says_why_and_what_it_costs(decision: Path) -> None:
    words = decision.read_text()

    assert "\n**Why" in words
    assert "\n**Cost" in words

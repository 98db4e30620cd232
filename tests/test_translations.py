"""Every text of the site has its German, and the compiled catalogue holds it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import allauth
import django
import polib
import pytest
import unfold
from django.template.base import Lexer, TokenType
from django.template.loader import get_template
from django.utils import translation

from pbxsite import library_words
from tests.support.theme import of_the_pinned_theme

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "pbxsite/locale/de/LC_MESSAGES/django.po"
SOURCES = ("authconfig", "pbxsite", "templates", "verification")
PLACEHOLDER = re.compile(r"%\(\w+\)[.\d]*\w|%%|\{\w+\}|<[^>]+>")
TRANSLATION = "django.utils.translation"
MODULES = [path for name in SOURCES for path in sorted((ROOT / name).rglob("*.py"))]
PAGES = sorted((ROOT / "templates").rglob("*.html"))
TEXT_MAILS = sorted((ROOT / "templates").rglob("*.txt"))
# How many of a call's arguments are texts.
TEXTS_OF = {"gettext": 1, "ngettext": 2, "pgettext": 2, "npgettext": 3}
# Template tags between which a text is translated, or is no text.
OPENING = ("blocktranslate", "comment")
CLOSING = ("endblocktranslate", "endcomment", "endblock")
# Blocks that fill an attribute of the page they extend.
CLASSES = ("block bodyclass", "block layout")
SPOKEN_ATTRIBUTES = {"alt", "title", "placeholder", "aria-label", "aria-description"}
UNSEEN = {"script", "style", "code"}
NAMES = {"myApps", "myPBX", "PBX"}
Key = tuple[str, str]


def keys(catalogue: polib.POFile) -> set[Key]:
    return {(entry.msgid, entry.msgid_plural) for entry in catalogue}


def pairs(entry: polib.POEntry) -> Iterator[tuple[str, str]]:
    """Each German text with the English one that it stands for."""
    if not entry.msgid_plural:
        yield entry.msgid, entry.msgstr
    for number, text in entry.msgstr_plural.items():
        yield entry.msgid_plural if number else entry.msgid, text


@pytest.fixture(scope="module")
def german() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> polib.POFile:
    """What makemessages finds in the sources as they are now."""
    tree = tmp_path_factory.mktemp("extraction")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("locale", "static", "__pycache__")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    (tree / "locale").mkdir()
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "-l", "de", "--no-location"],
        cwd=tree,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        check=True,
        capture_output=True,
        timeout=60,
    )
    return polib.pofile(str(tree / "locale/de/LC_MESSAGES/django.po"))


def test_every_text_has_its_place_and_none_is_left_over(
    german: polib.POFile, extracted: polib.POFile
) -> None:
    assert sorted(keys(extracted) - keys(german)) == []
    assert sorted(keys(german) - keys(extracted)) == []
    assert not german.obsolete_entries()


def test_every_text_is_translated(german: polib.POFile) -> None:
    assert [entry.msgid for entry in german if not entry.translated()] == []


def test_compiled_catalogue_is_the_written_one(german: polib.POFile) -> None:
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))

    assert {(e.msgid, *pairs(e)) for e in compiled} == {
        (e.msgid, *pairs(e)) for e in german
    }


def test_placeholders_and_marks_are_the_same(german: polib.POFile) -> None:
    def marks(text: str) -> list[str]:
        return sorted(PLACEHOLDER.findall(text))

    wrong = [
        theirs
        for entry in german
        for ours, theirs in pairs(entry)
        if marks(ours) != marks(theirs)
    ]

    assert wrong == []


def test_quotes_and_address_are_german_and_formal(german: polib.POFile) -> None:
    odd = re.compile(r"”|\w'\w|\b(du|dich|dir|dein\w*)\b", re.IGNORECASE)
    texts = [text for entry in german for _ours, text in pairs(entry)]

    assert [text for text in texts if odd.search(text)] == []
    assert [text for text in texts if text.count("„") != text.count("“")] == []


def imported_names(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == TRANSLATION:
            yield from ((name.name, name.asname or name.name) for name in node.names)


def test_extraction_knows_the_names_that_texts_are_marked_by() -> None:
    # xgettext looks for names: a text in `lazy("…")` would never be extracted.
    unknown = [
        f"{path.relative_to(ROOT)}: {alias}"
        for path in MODULES
        for name, alias in imported_names(path)
        if "gettext" in name and alias not in (name, "_")
    ]

    assert unknown == []


def _texts_without_constants(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    names = {alias: name for name, alias in imported_names(path)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = names.get(node.func.id, "").split("_")[0]
            texts = node.args[: TEXTS_OF.get(name, 0)]
            if not all(isinstance(text, ast.Constant) for text in texts):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_no_text_is_put_together_before_it_is_translated() -> None:
    found = [call for path in MODULES for call in _texts_without_constants(path)]

    assert found == []


class Texts(HTMLParser):
    """What a visitor sees or hears of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._unseen = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in UNSEEN
        self.found += [
            text for name, text in attrs if name in SPOKEN_ATTRIBUTES if text
        ]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in UNSEEN

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.found.append(data)


def _past_the_tags(path: Path) -> str:
    """Return the template without its tags and what they translate."""
    inside = False
    kept: list[str] = []
    for token in Lexer(path.read_text()).tokenize():
        if token.token_type is TokenType.BLOCK:
            name = token.contents.split(" ", 1)[0]
            if name in OPENING or token.contents in CLASSES:
                inside = True
            elif name in CLOSING:
                inside = False
        elif token.token_type is TokenType.TEXT and not inside:
            kept.append(token.contents)
    return "".join(kept)


def _has_words(text: str) -> bool:
    return bool(set(re.findall(r"[^\W\d_]{2,}", text)) - NAMES)


def test_no_page_says_anything_past_the_catalogue() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text.strip()}"
        for path in PAGES
        for text in Texts(_past_the_tags(path)).found
        if _has_words(text)
    ]

    assert found == []


def test_no_text_mail_says_anything_past_the_catalogue() -> None:
    assert [path.name for path in TEXT_MAILS if _has_words(_past_the_tags(path))] == []


OTHER_WORDS = of_the_pinned_theme("others get their German when the pin moves")


@pytest.mark.parametrize(
    ("package", "words"),
    [
        pytest.param(unfold, library_words.UNFOLD, marks=OTHER_WORDS),
        (allauth, library_words.ALLAUTH),
        (django, library_words.DJANGO),
    ],
    ids=["unfold", "allauth", "django"],
)
def test_libraries_still_say_what_we_translate_for_them(
    package: ModuleType, words: tuple[str, ...]
) -> None:
    folder = Path(str(package.__file__)).parent
    files = [*folder.rglob("*.py"), *folder.rglob("*.html")]
    said = "\n".join(path.read_text() for path in files)

    assert [w for w in words if f'"{w}"' not in said and f"'{w}'" not in said] == []


@OTHER_WORDS
def test_what_a_search_found_is_told_in_german() -> None:
    template = get_template("unfold/helpers/command_results.html")
    found = {"page_obj": {"count": 2}, "execution_time": 1}
    with translation.override("de"):
        page = template.render(found)

    assert "2 Treffer in 1,00 Sekunden" in page

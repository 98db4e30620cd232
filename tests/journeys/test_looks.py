"""Contrast, inline code and outside hosts of every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "pbxsite/static"
TOKENS = STATIC / "pbxsite/tokens.css"
STYLESHEETS = sorted(STATIC.rglob("*.css"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PAGES = [page for page in TEMPLATES if "mail" not in page.parts]
DECLARATION = re.compile(r"--([\w-]+):\s*([^;]+);")
BOTH_SCHEMES = re.compile(
    r"var\(--in-light, (.+)\)\s+var\(--in-dark, (.+)\)", re.DOTALL
)
COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\(", re.I
)
# They take the system's colours, or none.
PAINTED = re.compile(
    r"(?:color|background|border|outline|fill|stroke|shadow)[\w-]*:[^;]*"
)
NAMED = re.compile(
    r"(?<![\w-])(?:black|white|gray|grey|silver|red|green|blue|yellow|orange|navy)\b"
)
MOST_LINES = 400
TEXT_PAIRS = [
    ("text", "surface"),
    ("text", "page"),
    ("text", "surface-soft"),
    ("text", "accent-soft"),
    ("text", "success-soft"),
    ("text", "warning-soft"),
    ("text", "danger-soft"),
    ("text-soft", "surface"),
    ("text-soft", "page"),
    ("text-soft", "surface-soft"),
    ("text-soft", "accent-soft"),
    ("accent", "surface"),
    ("accent", "page"),
    ("accent", "accent-soft"),
    ("accent-strong", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("success", "success-soft"),
    ("warning", "warning-soft"),
    ("danger", "surface"),
    ("danger", "danger-soft"),
    ("danger-strong", "danger-soft"),
]


def tokens(scheme: str) -> dict[str, str]:
    part = ("light", "dark").index(scheme)
    found = dict(DECLARATION.findall(TOKENS.read_text()))
    for name, value in found.items():
        if match := BOTH_SCHEMES.fullmatch(value):
            found[name] = match.groups()[part]
    return found


def resolved(colours: dict[str, str], name: str) -> str:
    value = colours[name]
    while match := re.fullmatch(r"var\(--([\w-]+)\)", value):
        value = colours[match[1]]
    return value


def luminance(colours: dict[str, str], name: str) -> float:
    value = resolved(colours, name)
    shares = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(colours: dict[str, str], first: str, second: str) -> float:
    darker, lighter = sorted((luminance(colours, first), luminance(colours, second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_stands_out_from_its_ground(scheme: str, text: str, ground: str) -> None:
    assert contrast(tokens(scheme), text, ground) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_field_is_seen_as_one(scheme: str) -> None:
    assert contrast(tokens(scheme), "field-border", "surface") >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_hold_no_inline_script_and_no_inline_style(page: Path) -> None:
    source = page.read_text()

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", source)
    # A block of data is no script.
    assert not re.search(r'<script(?![^>]*\s(src=|type="application/json"))', source)


@pytest.mark.parametrize("sheet", STYLESHEETS, ids=lambda sheet: sheet.name)
def test_colours_stand_with_the_tokens_alone(sheet: Path) -> None:
    css = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    painted = " ".join(PAINTED.findall(css))

    assert sheet == TOKENS or COLOUR.findall(css) == []
    assert NAMED.findall(painted) == []


def test_each_colour_of_a_stylesheet_is_one_of_the_tokens() -> None:
    css = "".join(sheet.read_text() for sheet in STYLESHEETS)
    declared = {name for name, _value in DECLARATION.findall(css)}

    assert set(re.findall(r"var\(--([\w-]+)", css)) - declared == {"color-primary-500"}


def test_browsers_frame_the_page_in_its_own_colour() -> None:
    base = (ROOT / "templates/base.html").read_text()
    framed = re.findall(r'"theme-color" content="(#\w+)" media="[^"]*: (\w+)\)"', base)

    assert [scheme for _colour, scheme in framed] == ["light", "dark"]
    for colour, scheme in framed:
        assert colour == resolved(tokens(scheme), "page")


def test_mails_have_the_colours_of_the_pages() -> None:
    """Mail programs know no tokens: there the colours stand as they are."""
    mails = [page for page in TEMPLATES if "mail" in page.parts]
    used = set(re.findall(r"#[0-9a-f]{6}\b", "".join(m.read_text() for m in mails)))

    assert used
    assert used - set(re.findall(r"#[0-9a-f]{6}\b", TOKENS.read_text())) == set()


@pytest.mark.parametrize(
    "file",
    [path for path in STATIC.rglob("*") if path.suffix in {".css", ".js"}],
    ids=lambda file: file.name,
)
def test_each_file_for_browsers_is_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MOST_LINES


def test_pages_name_no_outside_host() -> None:
    static = [path for path in STATIC.rglob("*") if path.is_file()]
    source = "".join(p.read_text() for p in [*PAGES, *static])

    assert set(re.findall(r"https?://[\w.]+", source)) <= {"http://www.w3.org"}

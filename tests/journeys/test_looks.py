"""Contrast, inline code and outside hosts of every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKENS = ROOT / "pbxsite/static/pbxsite/tokens.css"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PAGES = [page for page in TEMPLATES if "mail" not in page.parts]
DECLARATION = re.compile(r"--([\w-]+):\s*([^;]+);")
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
    light, _, dark = TOKENS.read_text().partition("@media")
    found = dict(DECLARATION.findall(light))
    return found | dict(DECLARATION.findall(dark)) if scheme == "dark" else found


def luminance(colours: dict[str, str], name: str) -> float:
    value = colours[name]
    while match := re.fullmatch(r"var\(--([\w-]+)\)", value):
        value = colours[match[1]]
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


def test_pages_name_no_outside_host() -> None:
    static = TOKENS.parent.iterdir()
    source = "".join(p.read_text() for p in [*PAGES, *static])

    assert set(re.findall(r"https?://[\w.]+", source)) <= {"http://www.w3.org"}

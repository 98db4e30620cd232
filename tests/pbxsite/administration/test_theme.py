from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(__file__).resolve().parents[3] / "pbxsite" / "static" / "pbxsite"
DECLARATION = re.compile(r"--([\w-]+):\s*([^;]+);")
SCALE = re.compile(r"var\(--(?:color-)?((?:primary|base)-\d+)\)")


def schemes(name: str) -> list[dict[str, str]]:
    """Return the light and the dark declarations, told apart by where dark begins."""
    css = (STATIC / name).read_text()
    light, dark = re.split(
        r"html\.dark [^{]*\{|@media \(prefers-color-scheme: dark\)", css
    )[:2]
    return [_declared(light), _declared(dark.partition("\n}")[0])]


def _declared(css: str) -> dict[str, str]:
    return {name: SCALE.sub(r"\1", value) for name, value in DECLARATION.findall(css)}


@pytest.mark.parametrize("scheme", [0, 1])
def test_pages_of_the_admin_have_the_user_pages_colours(scheme: int) -> None:
    ours, tokens = schemes("admin.css")[scheme], schemes("tokens.css")[scheme]
    shared = ours.keys() & tokens.keys()

    assert len(shared) > 15
    assert {name: ours[name] for name in shared} == {n: tokens[n] for n in shared}


def test_theme_has_the_user_pages_scales() -> None:
    tokens = schemes("tokens.css")[0]

    for scale, weights in settings.UNFOLD["COLORS"].items():
        assert len(weights) == 11
        for weight, value in weights.items():
            assert value == tokens[f"{scale}-{weight}"]

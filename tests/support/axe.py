"""axe-core, which finds what keeps people with disabilities out of a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.npm import install
from tests.support.site import show

HERE = Path(__file__).parent / "axe"
GRAVE = {"serious", "critical"}
# What shows the mouse's hand, and no key can reach.
MOUSE_ONLY = """() => {
    const reached = "a[href], button, input, select, textarea, summary, label, option,"
        + " [tabindex]:not([tabindex='-1'])";
    const isSeen = each => each.checkVisibility({
        opacityProperty: true, visibilityProperty: true});
    return [...document.querySelectorAll("body *")]
        .filter(each => isSeen(each) && !each.closest(reached))
        .filter(each => getComputedStyle(each).cursor === "pointer")
        .filter(each => getComputedStyle(each.parentElement).cursor !== "pointer")
        .filter(each => !each.querySelector(reached))
        .map(each => each.outerHTML.slice(0, 150));
}"""
UNFOLD = "document.querySelectorAll('details').forEach(each => { each.open = true })"
RUN = "options => axe.run(document, options)"
# What axe would fetch again serves a rule about sounds and one that it leaves off.
ALWAYS = {"resultTypes": ["violations"], "preload": False}


@cache
def _source() -> str:
    install(HERE)
    return (HERE / "node_modules/axe-core/axe.min.js").read_text()


def faults(page: Page) -> list[str]:
    """Return the serious and critical ones, colours by light and by dark.

    With them what works by the mouse alone, which axe cannot see.
    """
    page.evaluate(UNFOLD)
    show(page, "light")
    page.evaluate(_source())
    found = _grave(page.evaluate(RUN, ALWAYS))
    show(page, "dark")
    colours = {"type": "rule", "values": ["color-contrast"]}
    dark = _grave(page.evaluate(RUN, ALWAYS | {"runOnly": colours}))
    show(page, "light")
    deaf = page.evaluate(MOUSE_ONLY)
    return [
        *found,
        *(f"dark: {fault}" for fault in dark),
        *(f"mouse only: {html}" for html in deaf),
    ]


def _grave(results: dict[str, Any]) -> list[str]:
    return [
        f"{violation['id']}: {node['html'][:150]} ({node['failureSummary']})"
        for violation in results["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]

"""The theme's frame around each page, without the scripts that no page uses."""

from __future__ import annotations

from django.template import Origin
from django.template.loaders.app_directories import Loader as PackagesLoader

FRAME = "unfold/layouts/skeleton.html"
UNUSED = ("/chart.js", "/alpine.sort.js")


class Loader(PackagesLoader):
    def get_contents(self, origin: Origin) -> str:
        text = super().get_contents(origin)
        if origin.template_name != FRAME:
            return text
        lines = text.splitlines(keepends=True)
        return "".join(each for each in lines if not any(u in each for u in UNUSED))

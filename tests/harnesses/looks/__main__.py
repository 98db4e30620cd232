"""Make pictures of the pages, so that anybody can look at them: `make looks`.

python -m tests.harnesses.looks FOLDER          all of them
python -m tests.harnesses.looks FOLDER -l de    one language
python -m tests.harnesses.looks FOLDER -s users some stories (see stories.py)
python -m tests.harnesses.looks FOLDER -q       wide in light, narrow in dark alone

Each page is 1280 and 390 pixels wide, in light and dark, in English and German:
FOLDER/<language>-<page>-<scheme>-<width>.png
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.harnesses.looks import stories, synchronisation
from tests.harnesses.looks.stories import Looker
from tests.support.site import VARIANTS, Scheme, launch, running_site

QUICK: tuple[tuple[Scheme, int], ...] = (("light", 1280), ("dark", 390))
# Long enough to stand still while something else is measured.
PATIENCE_MS = 600_000
STORIES = stories.STORIES | synchronisation.STORIES
LANGUAGES = {"en": "en-GB", "de": "de-DE"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-l", "--language", choices=LANGUAGES, action="append")
    parser.add_argument("-s", "--story", choices=STORIES, action="append")
    parser.add_argument("-q", "--quick", action="store_true")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    os.environ["LOOKS"] = str(chosen.folder)
    languages, wanted = chosen.language or LANGUAGES, chosen.story or STORIES
    with sync_playwright() as playwright, launch(playwright) as chromium:
        for language in languages:
            with (
                tempfile.TemporaryDirectory() as place,
                running_site(Path(place) / "data", host="localhost") as site,
            ):
                context = chromium.new_context(locale=LANGUAGES[language])
                looker = Looker(
                    site,
                    context,
                    language,
                    QUICK if chosen.quick else VARIANTS,
                    PATIENCE_MS,
                )
                for name in wanted:
                    sys.stderr.write(f"{language}: {name}\n")
                    STORIES[name](looker)


if __name__ == "__main__":
    main()

"""Reading a rendered page as a visitor does: by the words in its parts."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"input", "meta", "link", "br", "hr", "img"}
Attributes = dict[str, str]


class Page(HTMLParser):
    """Every element with its attributes and the words inside it, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes, list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words: list[str] = []
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes, words))
        if tag not in VOID:
            self._open.append((tag, words))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _tag, words in self._open:
            words.extend(data.split())

    def texts(self, css_class: str) -> list[str]:
        return [
            " ".join(words)
            for _tag, attributes, words in self.elements
            if css_class in attributes.get("class", "").split()
        ]

    def find(self, **wanted: str) -> list[Attributes]:
        return [
            attributes
            for _tag, attributes, _words in self.elements
            if wanted.items() <= attributes.items()
        ]

    def text(self, **wanted: str) -> str:
        """Return the words of the one element with these attributes."""
        (found,) = [
            " ".join(words)
            for _tag, attributes, words in self.elements
            if wanted.items() <= attributes.items()
        ]
        return found

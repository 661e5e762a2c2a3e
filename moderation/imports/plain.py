"""HTML of a comment as the plain text that a reader of it sees."""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    {"p", "div", "blockquote", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr"}
    | {"table", "tr", "section", "article", "figure"}
)
_UNSEEN = frozenset({"script", "style", "template", "title"})
_BLANKS = re.compile(r"[ \t]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def plain_text(html: str, *, line_feeds: bool) -> str:
    """The text without markup. A link's address stands behind its words unless it is them, since it
    is what spam is known by; of an image its address stands there.

    Args:
        line_feeds: whether a line feed in the HTML is one to the reader, as in WordPress.
    """
    if "<" not in html and "&" not in html:
        return html.strip()
    converter = _Converter(line_feeds=line_feeds)
    converter.feed(html)
    converter.close()
    lines = (_BLANKS.sub(" ", one).strip() for one in "".join(converter.parts).split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


class _Converter(HTMLParser):
    def __init__(self, *, line_feeds: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._line_feeds = line_feeds
        self._unseen = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.parts.append("\n\n" if tag == "p" else "\n")
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag == "a":
            self._links.append((given.get("href") or "", len(self.parts)))
        elif tag in ("img", "iframe", "embed"):
            self.parts.append(f" {given.get('src') or ''} ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n\n" if tag == "p" else "\n")
        elif tag == "a" and self._links:
            address, begin = self._links.pop()
            if address and _bare(address) != _bare("".join(self.parts[begin:])):
                self.parts.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data if self._line_feeds else re.sub(r"\s+", " ", data))

    def close(self) -> None:
        """The end; links that were left open have their addresses all the same."""
        super().close()
        for address, _ in reversed(self._links):
            if address:
                self.parts.append(f" ({address})")
        self._links.clear()


def _bare(address: str) -> str:
    return address.strip().removeprefix("http://").removeprefix("https://").rstrip("/")

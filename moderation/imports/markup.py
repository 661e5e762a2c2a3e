"""XML read piece by piece: elements in any number, each of bounded size, and nothing else that XML
can do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from moderation.imports.errors import DamagedFile
from moderation.imports.source import LONGEST, Source

DEEPEST = 64
"""Elements within elements; exports have half a dozen."""


@dataclass(slots=True)
class Element:
    """An element without its namespace: attributes and children by name, the last of each name, and
    the text directly inside."""

    name: str
    line: int
    attributes: Mapping[str, str]
    text: str = ""
    children: "dict[str, Element]" = field(default_factory=dict)
    several: "list[Element]" = field(default_factory=list)
    """Children of the one name of which the reader wants all."""

    def get(self, name: str) -> str:
        """The text of a child, without blanks around it; empty if there is none."""
        child = self.children.get(name)
        return "" if child is None else child.text.strip()


def elements(source: Source, *wanted: str, several: str = "") -> Iterator[Element]:
    """Each element that is `wanted`, when it ends, with what is inside unless that was wanted
    itself.

    Args:
        wanted: names of a parent and a child, as in "item/comment".
        several: name of children of which all are kept.

    Raises:
        DamagedFile: it is no XML, not well-formed, cut off, or made to do harm.
    """
    builder = _Builder(frozenset(wanted), several)
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    builder.expat = parser.parser
    try:
        for piece in source.text():
            parser.feed(piece)
            yield from builder.taken()
        parser.close()
    except ParseError as error:
        line, _ = error.position
        yield from builder.taken()
        raise DamagedFile(f"it is not well-formed, or cut off, in line {line}") from None
    except DefusedXmlException:
        yield from builder.taken()
        raise DamagedFile("it defines entities or a document type, which no export does") from None


class _Builder:
    """What the parser calls."""

    expat: "object"

    def __init__(self, wanted: frozenset[str], several: str) -> None:
        self._wanted = wanted
        self._several = several
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._size = 0
        self._done: list[Element] = []

    def taken(self) -> list[Element]:
        """The elements that ended since."""
        done, self._done = self._done, []
        return done

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= DEEPEST:
            raise DamagedFile(f"its elements are nested more than {DEEPEST} deep")
        plain = {_local(name): value for name, value in attributes.items()}
        self._open.append(Element(_local(tag), self._line(), plain))
        self._texts.append([])

    def data(self, text: str) -> None:
        self._size += len(text)
        if self._size > LONGEST:
            raise DamagedFile(f"line {self._line()} belongs to more than {LONGEST:,} characters")
        self._texts[-1].append(text)

    def end(self, _tag: str) -> None:
        element = self._open.pop()
        element.text = "".join(self._texts.pop())
        if not self._open:
            return
        parent = self._open[-1]
        if f"{parent.name}/{element.name}" in self._wanted:
            self._done.append(element)
            self._size = 0
            # What stands between them is of no use, and would be a lot in the end.
            self._texts[-1].clear()
        else:
            parent.children[element.name] = element
            if element.name == self._several:
                parent.several.append(element)

    def close(self) -> None:
        """Nothing is left to do."""

    def _line(self) -> int:
        return int(self.expat.CurrentLineNumber)  # type: ignore[attr-defined]


def _local(name: str) -> str:
    return name.rpartition("}")[2]

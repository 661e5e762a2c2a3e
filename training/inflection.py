"""Forms of English words for invented sentences: plurals and third persons, participles."""

import re
from collections.abc import Mapping

_HISSING = re.compile(r"(s|x|z|ch|sh)$")
_CONSONANT_Y = re.compile(r"(?<=[^aeiou])y$")
_DOUBLED = re.compile(r"^[^aeiou]*[aeiou][bdgmnprst]$")
_SILENT_E = re.compile(r"(?<=[^eoy])e$")


def inflect(term: str, ending: str, irregular: Mapping[str, str]) -> str:
    """The term with the ending "s", "ed", "ing" or, as it is, "".

    A bar marks the part that takes the ending ("wipe|out", "wiped out"); else it is the last word.
    `irregular`: forms of that word with this ending which the rules do not give.
    """
    head, _, rest = term.partition("|")
    before, space, word = head.rpartition(" ")
    formed = irregular.get(word) or _regular(word, ending)
    return f"{before}{space}{formed} {rest}".rstrip()


def _regular(word: str, ending: str) -> str:
    if ending == "s":
        return _HISSING.sub(r"\1e", _CONSONANT_Y.sub("ie", word)) + "s"
    if ending == "ed":
        return _stem(_CONSONANT_Y.sub("i", word)) + "ed"
    return _stem(word) + ending if ending else word


def _stem(word: str) -> str:
    return word + word[-1] if _DOUBLED.match(word) else _SILENT_E.sub("", word)

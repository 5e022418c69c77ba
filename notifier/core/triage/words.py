"""From raw characters to words that remember where they stood."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

_WORD = re.compile(
    r"""
    (?P<number>\d+(?:[.,:/]\d+)*)
  | (?P<letters>[^\W\d_]+(?:'[^\W\d_]+)*)
  | (?P<mark>\n|[^\w\s])
    """,
    re.VERBOSE,
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"'})
_NOT = re.compile(r"n't$")
_ENDING = re.compile(r"'(?:s|re|ve|ll|d|m)$")
_RUN = re.compile(r"(.)\1{2,}")
_DOUBLE = re.compile(r"(.)\1+")
_INVISIBLE = {"\ufe0e", "\ufe0f", "\u200d", "\u200b", "\u2060", "\ufeff"}
_ENDS_SENTENCE = frozenset(".;!?\n")


@dataclass(frozen=True)
class Word:
    """A word in its matching form: lower case, no accents, no apostrophe. raw[start:end] is how it was written."""

    text: str
    start: int
    end: int
    kind: str  # number, letters, mark or symbol
    sentence: int


def split(raw: str, spell: Callable[[str], str] = lambda word: word) -> list[Word]:
    """The words of a text in order; `spell` mends the spelling of one plain word."""
    plain, where = _plain(raw)
    words: list[Word] = []
    sentence = 0
    for found in _WORD.finditer(plain):
        kind = str(found.lastgroup)
        text = found.group()
        if kind == "letters":
            text = spell(_bare(text))
        elif kind == "mark" and unicodedata.category(text) in ("So", "Sk"):
            kind = "symbol"  # an emoji says something; a comma only parts
        words.append(Word(text, where[found.start()], where[found.end() - 1] + 1, kind, sentence))
        if kind == "mark" and text in _ENDS_SENTENCE:
            sentence += 1
    return words


def folded(word: str) -> tuple[str, ...]:
    """How a word with drawn-out letters may have been meant, the likeliest first: feeever, feever, fever."""
    return (_RUN.sub(r"\1\1", word), _DOUBLE.sub(r"\1", word)) if _RUN.search(word) else ()


def phrase(text: str, spell: Callable[[str], str] = lambda word: word) -> tuple[str, ...]:
    """The words of a phrase of the lexicon, in the form that `split` gives to a patient's words."""
    return tuple(word.text for word in split(text, spell) if word.kind != "mark")


def plain(raw: str) -> str:
    """A text in lower case, without accents, with straight quotes."""
    return _plain(raw)[0]


def _bare(word: str) -> str:
    if _NOT.search(word):
        return word.replace("'", "")
    return _ENDING.sub("", word).replace("'", "")


def _plain(raw: str) -> tuple[str, list[int]]:
    """Lower case, no accents, straight quotes, nothing invisible; and for each character where it came from."""
    if raw.isascii():
        return raw.lower(), list(range(len(raw)))
    out: list[str] = []
    where: list[int] = []
    for at, character in enumerate(raw):
        for piece in unicodedata.normalize("NFKD", character.translate(_QUOTES)).casefold():
            if piece in _INVISIBLE or unicodedata.combining(piece) or "\U0001f3fb" <= piece <= "\U0001f3ff":
                continue
            out.append(piece)
            where.append(at)
    return "".join(out), where

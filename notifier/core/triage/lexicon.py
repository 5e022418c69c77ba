"""The lexicon compiled: phrases to classes of words, signs to patterns of classes.

A phrase may hold choices, `(wont|will not) stop`, and a word may end in `*` for any ending, `hinchad*`.
A sign names classes in angle brackets and joins its parts:

    <arm> + <swollen>      near each other, in either order
    <pump> > <says> > air  near each other, in this order
    no ~ <item>            one right after the other
    <fever> & <confused>   anywhere in the text
    <red> - <cap>          only where the sentence has no <cap>

A part is a class or plain words; `|` parts its alternatives.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from notifier.core.triage.words import Word, phrase
from notifier.core.vocabulary import Urgency

NEAR = 4  # words that may stand between two parts of a sign, not counting fillers
SKIPS = 3  # fillers that a phrase may be said with: "short of my breath" is "short of breath"
_JOIN = re.compile(r"\s+([+>~&-])\s+")
_CHOICE = re.compile(r"\(([^()]*)\)")
_LEAF = ""  # no word is empty, so the trie keeps its classes under the empty word


@dataclass(frozen=True)
class Span:
    """A class found in the words [start, end) of a text."""

    start: int
    end: int
    sentence: int


@dataclass(frozen=True)
class Sign:
    """A pattern that says `kind`; `urgency` where it says more than the row does."""

    kind: str
    parts: tuple[tuple[str, ...], ...]  # each a choice of classes
    joins: tuple[str, ...]  # how each part but the first is joined to the one before
    without: tuple[str, ...] = ()
    urgency: Urgency | None = None
    source: str = ""


@dataclass(frozen=True)
class Finding:
    """A sign found in a text: the words it used, by number."""

    kind: str
    used: frozenset[int]
    sentence: int
    urgency: Urgency | None = None
    rule: str = ""  # the sign that found it, as it is written in the catalog

    @property
    def first(self) -> int:
        """The number of its first word."""
        return min(self.used)

    @property
    def last(self) -> int:
        """The number of its last word."""
        return max(self.used)


def choices(text: str) -> list[str]:
    """Every phrase that a phrase with choices stands for."""
    found = _CHOICE.search(text)
    if not found:
        return [text]
    return [
        each
        for option in found[1].split("|")
        for each in choices(f"{text[: found.start()]}{option}{text[found.end() :]}")
    ]


@dataclass
class Lexicon:
    """Words and signs, compiled once. Filled by `add` and `sign`; read by `spans` and `findings`."""

    fillers: frozenset[str] = frozenset()
    _trie: dict[str, object] = field(default_factory=dict, repr=False)
    _signs: dict[str, list[Sign]] = field(default_factory=dict, repr=False)  # class of the first part -> signs
    classes: set[str] = field(default_factory=set, repr=False)

    def add(self, name: str, phrases: Iterable[str], spell: Callable[[str], str] = lambda word: word) -> None:
        """Make each phrase a way to say the class `name`."""
        self.classes.add(name)
        for text in phrases:
            for each in choices(text):
                words = _with_endings(each, spell)
                if not words:
                    continue
                node = self._trie
                for word in words:
                    node = node.setdefault(word, {})  # type: ignore[assignment]
                leaf = node.setdefault(_LEAF, [])
                if name not in leaf:  # type: ignore[operator]
                    leaf.append(name)  # type: ignore[attr-defined]

    def sign(
        self, kind: str, text: str, urgency: Urgency | None = None, spell: Callable[[str], str] = lambda word: word
    ) -> Sign:
        """Make `text` a sign of `kind`. Raises ValueError when it names a class that has no words."""
        pieces = _JOIN.split(text.strip())
        parts: list[tuple[str, ...]] = []
        joins: list[str] = []
        without: list[str] = []
        for join, piece in zip(["", *pieces[1::2]], pieces[::2], strict=True):
            names = tuple(self._class(option, spell) for option in _options(piece))
            if join == "-":
                without.extend(names)
            else:
                parts.append(names)
                if join:
                    joins.append(join)
        made = Sign(kind, tuple(parts), tuple(joins), tuple(without), urgency, text)
        for name in made.parts[0]:
            self._signs.setdefault(name, []).append(made)
        return made

    def _class(self, option: str, spell: Callable[[str], str]) -> str:
        option = option.strip()
        if option.startswith("<"):
            name = option.strip("<>")
            if name not in self.classes:
                raise ValueError(f"no words for <{name}>")
            return name
        self.add(f"={option}", [option], spell)
        return f"={option}"

    def spans(self, words: Sequence[Word]) -> dict[str, list[Span]]:
        """Where each class is said. What lies within a longer idiom is not said."""
        found: list[tuple[str, Span]] = []
        for start in range(len(words)):
            for name, end in self._from(words, start, self._trie):
                found.append((name, Span(start, end, words[start].sentence)))
        idioms = [span for name, span in found if name == "idiom"]
        spans: dict[str, list[Span]] = {}
        for name, span in found:
            if name != "idiom" and any(_inside(span, idiom) for idiom in idioms):
                continue
            if span not in spans.setdefault(name, []):
                spans[name].append(span)
        return spans

    def _from(
        self, words: Sequence[Word], at: int, node: Mapping[str, object], skips: int = SKIPS
    ) -> Iterator[tuple[str, int]]:
        """The classes whose phrases go on at word `at` from `node`, each with the word after its end."""
        for name in node.get(_LEAF, ()):  # type: ignore[attr-defined]
            yield name, at
        if at >= len(words):
            return
        word = words[at]
        if node is not self._trie and word.sentence != words[at - 1].sentence:
            return
        for key in _keys(word.text):
            if key in node:
                yield from self._from(words, at + 1, node[key], skips)  # type: ignore[arg-type]
        if skips and node is not self._trie and word.text in self.fillers and word.text not in node:
            yield from ((name, end) for name, end in self._from(words, at + 1, node, skips - 1) if end > at + 1)

    def findings(self, words: Sequence[Word], spans: Mapping[str, Sequence[Span]]) -> list[Finding]:
        """Every sign that the text holds, each at its tightest."""
        found: dict[tuple[str, frozenset[int]], Finding] = {}
        for name in spans:
            for sign in self._signs.get(name, ()):
                for used, sentence in self._match(sign, name, words, spans):
                    key = (sign.kind, used)
                    before = found.get(key)
                    if before is None or (before.urgency is None and sign.urgency):
                        found[key] = Finding(sign.kind, used, sentence, sign.urgency, sign.source)
        return list(found.values())

    def _match(
        self, sign: Sign, first: str, words: Sequence[Word], spans: Mapping[str, Sequence[Span]]
    ) -> Iterator[tuple[frozenset[int], int]]:
        barred = [span for name in sign.without for span in spans.get(name, ())]
        for start in spans[first]:
            chain = self._chain(sign, 1, [start], words, spans)
            if chain is None:
                continue
            used = frozenset(number for span in chain for number in range(span.start, span.end))
            if not any(span.sentence == start.sentence and span.start not in used for span in barred):
                yield used, start.sentence

    def _chain(
        self,
        sign: Sign,
        part: int,
        chain: list[Span],
        words: Sequence[Word],
        spans: Mapping[str, Sequence[Span]],
    ) -> list[Span] | None:
        if part == len(sign.parts):
            return chain
        join = sign.joins[part - 1]
        candidates = sorted(
            (gap, number, span)
            for number, span in enumerate(
                itertools.chain.from_iterable(spans.get(name, ()) for name in sign.parts[part])
            )
            if (gap := self._gap(join, chain, span, words)) is not None
        )
        for _, _, span in candidates:
            whole = self._chain(sign, part + 1, [*chain, span], words, spans)
            if whole is not None:
                return whole
        return None

    def _gap(self, join: str, chain: Sequence[Span], span: Span, words: Sequence[Word]) -> int | None:
        """The words between `span` and what it must stand near; None where it may not stand."""
        if any(span.start < other.end and other.start < span.end for other in chain):
            return None
        if join == "&":
            return abs(span.start - chain[-1].start)
        if span.sentence != chain[-1].sentence:
            return None
        if join in ">~" and span.start < chain[-1].end:
            return None
        near = chain if join == "+" else chain[-1:]
        gap = min(self._between(other, span, words) for other in near)
        return gap if gap <= (0 if join == "~" else NEAR) else None

    def _between(self, one: Span, other: Span, words: Sequence[Word]) -> int:
        low, high = (one.end, other.start) if one.end <= other.start else (other.end, one.start)
        return sum(1 for word in words[low:high] if word.text not in self.fillers)


def _inside(span: Span, other: Span) -> bool:
    """Whether `other` holds all of `span` and more."""
    return other.start <= span.start and span.end <= other.end and span.end - span.start < other.end - other.start


def _keys(word: str) -> Iterator[str]:
    yield word
    for length in range(3, len(word) + 1):
        yield f"{word[:length]}*"


def _with_endings(text: str, spell: Callable[[str], str]) -> tuple[str, ...]:
    """The words of a phrase; the star of an ending is a mark, so it is put back after the split."""
    words: list[str] = []
    for piece in text.split():
        if piece.isalpha() and piece.isascii() and piece.islower():  # the common case, 30 times as fast
            words.append(spell(piece))
            continue
        bare = piece.rstrip("*")
        split = phrase(bare, spell if bare == piece else lambda word: word)
        words.extend(split)
        if bare != piece and words:
            words[-1] += "*"
    return tuple(words)


def _options(piece: str) -> list[str]:
    """The alternatives of a part: split at each | that stands outside brackets."""
    options, depth, start = [], 0, 0
    for at, character in enumerate(piece):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            options.append(piece[start:at])
            start = at + 1
    return [*options, piece[start:]]

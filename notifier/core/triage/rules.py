"""Everything that triage knows: the rows, the words, the signs. Made once at start from the catalog's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from notifier.core.triage.learned import Learned
from notifier.core.triage.lexicon import Lexicon
from notifier.core.triage.values import Row
from notifier.core.triage.words import folded
from notifier.core.vocabulary import Role, Urgency


@dataclass(frozen=True)
class Spelling:
    """How words are mended: `mend` by a list, `long` by edit distance; `real` words are left as they are."""

    mend: Mapping[str, str] = field(default_factory=dict)
    long: frozenset[str] = frozenset()
    real: frozenset[str] = frozenset()

    def __call__(self, word: str) -> str:
        """The word that was most likely meant; itself where nothing nearer is known."""
        return _mended(self, word)

    def known(self, word: str) -> str:
        """The word that a listed misspelling stands for; no guessing."""
        return self.mend.get(word, word)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@lru_cache(maxsize=20_000)
def _mended(spelling: Spelling, word: str) -> str:
    for form in (word, *folded(word)):
        if form in spelling.mend:
            return spelling.mend[form]
        if form in spelling.long or form in spelling.real:
            return form
        near = _near(spelling, form)
        if near:
            return near
    shortest = folded(word)
    return shortest[-1] if shortest else word


def _near(spelling: Spelling, word: str) -> str | None:
    """The known word one slip away, or two from eight letters on, with the same first letter."""
    if len(word) < 5 or not word.isalpha():
        return None
    allowed = 1 if len(word) < 8 else 2
    known = [other for other in spelling.long if other[0] == word[0] and abs(len(other) - len(word)) <= allowed]
    found = extractOne(word, known, scorer=OSA.distance, score_cutoff=allowed)
    if not found or len(found[0]) < 5:
        return None
    meant, slips = str(found[0]), found[1]
    return meant if slips < 2 or _bones(meant) == _bones(word) else None


def _bones(word: str) -> str:
    """A word's consonants, doubled ones once: what people who spell by ear get right."""
    return re.sub(r"[aeiouyh]|(.)(?=\1)", "", word)


@dataclass(frozen=True)
class Compound:
    """A code that its parts make together: one of `one` and one of `other`. The parts are kept."""

    kind: str
    one: frozenset[str]
    other: frozenset[str]
    urgency: Urgency | None = None


@dataclass(frozen=True)
class Rules:
    """The rows by code, the compiled lexicon and how words are spelled, with who answers for them."""

    rows: Mapping[str, Row]
    lexicon: Lexicon
    spelling: Spelling
    reactions: re.Pattern[str]  # a phone's reaction to our message; group `doubt` where a person should look
    whole: Mapping[tuple[str, ...], str]  # a whole reply -> its code
    instead_of: Mapping[str, frozenset[str]]  # a code -> those that it says better
    parts_kept: frozenset[str]  # codes whose words leave the shorter findings within them standing
    compounds: Sequence[Compound]
    version: str = ""
    owner: str = ""
    approved: str = ""  # the day of the signatures; empty: not signed yet
    learned: Learned | None = None  # the second layer; None where it is switched off

    @cached_property
    def nursing(self) -> frozenset[str]:
        """The codes that are a nurse's."""
        return frozenset(code for code, row in self.rows.items() if row.role is Role.NURSE and row.ticket)

    @cached_property
    def ambers(self) -> frozenset[str]:
        """The symptoms that each wait for the day, and that are urgent together."""
        symptoms = (self.rows[code] for code in self.nursing if self.rows[code].group == "symptoms")
        return frozenset(row.code for row in symptoms if row.urgency is Urgency.SAME_DAY)

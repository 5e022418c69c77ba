"""What the words around a finding do to it: deny it, date it, suppose it, or give it to somebody else.

A word may raise urgency alone; only the patterns here lower it, and of an emergency nothing but a plain "no" before it
(or a date long past) does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from notifier.core.triage.lexicon import Finding, Span
from notifier.core.triage.words import Word
from notifier.core.vocabulary import Urgency

REACH = 1  # strange words that a "no" may pass on its way to what it denies


class Standing(Enum):
    """How a finding stands."""

    PRESENT = auto()
    NEGATED = auto()
    PAST = auto()
    SUPPOSED = auto()
    ANIMAL = auto()  # a pet's, or a story's


@dataclass(frozen=True)
class Context:
    """A text's words and classes, asked about one finding at a time."""

    words: Sequence[Word]
    spans: Mapping[str, Sequence[Span]]
    commas: frozenset[int]  # words that a comma or dash stands before

    def standings(self, findings: Sequence[Finding], urgencies: Mapping[Finding, Urgency]) -> dict[Finding, Standing]:
        """The standing of each finding."""
        denials = self._denials(findings)
        negated: set[int] = set()
        standings: dict[Finding, Standing] = {}
        for finding in sorted(findings, key=lambda found: (found.first, found.last)):
            emergency = urgencies[finding] is Urgency.EMERGENCY
            if self._negated(finding, denials, negated, emergency):
                negated |= finding.used
                standings[finding] = Standing.NEGATED
            elif self._somebody_elses(finding):
                standings[finding] = Standing.ANIMAL
            elif self._past(finding, emergency):
                standings[finding] = Standing.PAST
            elif not emergency and self._supposed(finding):
                standings[finding] = Standing.SUPPOSED
            else:
                standings[finding] = Standing.PRESENT
        return standings

    def _said(self, name: str, sentence: int | None = None) -> list[Span]:
        return [span for span in self.spans.get(name, ()) if sentence is None or span.sentence == sentence]

    def _denials(self, findings: Sequence[Finding]) -> list[Span]:
        """The words that deny, but for those that are part of something longer: "no puedo", "no better".

        A longer phrase that holds a finding of its own, as "no fever" does, leaves its "no" a denial.
        """
        used = [finding.used for finding in findings]
        longer = {span for spans in self.spans.values() for span in spans if span.end - span.start > 1}
        denials = []
        for cue in self._said("negation"):
            own = set(range(cue.start, cue.end))
            holders = (
                set(range(span.start, span.end)) for span in longer if span.start <= cue.start and cue.end <= span.end
            )
            if not any(holder > own and not any(one & holder and not one & own for one in used) for holder in holders):
                denials.append(cue)
        return denials

    def _negated(self, finding: Finding, denials: Sequence[Span], negated: set[int], emergency: bool) -> bool:
        for cue in denials:
            if cue.sentence != finding.sentence or finding.used & set(range(cue.start, cue.end)):
                continue
            if finding.first < cue.start and cue.end <= finding.last and not emergency:
                return True
            if cue.end <= finding.first and self._reaches(cue, finding, negated):
                return True
        return not emergency and self._answered_no(finding)

    def _reaches(self, cue: Span, finding: Finding, negated: set[int]) -> bool:
        """Whether a denial carries as far as the finding: over a few empty words, and along a list of denied things."""
        strange = 0
        listed = False
        if finding.first in self.commas and finding.first == cue.end:
            return False  # "no, missing the flushes": an answer, then a report
        for number in range(cue.end, finding.first):
            word = self.words[number].text
            if number in negated:
                listed = True
            elif (
                self._is("terminator", number)
                or (self._is("subject", number) and (listed or number in self.commas))
                or (number in self.commas and not listed)
            ):
                return False
            elif not self._is("scope", number) and word not in _ARTICLES:
                strange += 1
        if listed and finding.first in self.commas and not self._is("symptom_noun", finding.first):
            return False
        if listed and finding.first not in self.commas and not self._is("list_joint", finding.first - 1):
            return strange == 0 and self._is("symptom_noun", finding.first)
        return strange <= REACH

    def _answered_no(self, finding: Finding) -> bool:
        """ "Fever? no" and "chills: none"."""
        after = finding.last + 1
        if after >= len(self.words) or not self._is("answers_no", after):
            return False
        asked = self.words[after].sentence == finding.sentence + 1 or after in self.commas
        alone = (
            after + 1 >= len(self.words)
            or after + 1 in self.commas
            or self.words[after + 1].sentence > self.words[after].sentence
        )
        return asked and alone

    def _somebody_elses(self, finding: Finding) -> bool:
        for name in ("pet", "story"):
            for span in self._said(name, finding.sentence):
                between = range(span.end, finding.first)
                if (
                    span.end <= finding.first
                    and len(between) <= 4
                    and not any(self._is("person", number) for number in between)
                ):
                    return True
        return False

    def _past(self, finding: Finding, emergency: bool) -> bool:
        sentence = finding.sentence
        if emergency:
            verbs = [span for span in self._said("past_verb", sentence) if span.end <= finding.first]
            return (
                bool(verbs)
                and any(not self._recent(span) for span in self._said("long_ago", sentence))
                and not self._current()
            )
        if self._current():
            return False
        for cue in self._said("resolved"):
            if (
                cue.sentence == sentence
                and 0 <= cue.start - finding.last <= 7
                and not self._parted(finding.last + 1, cue.start)
            ):
                return True
            if cue.sentence == sentence + 1 and self._opens(cue) and finding.last + 8 > cue.start:
                return True
        for cue in self._said("resolved_before", sentence):
            if 0 <= finding.first - cue.end <= 3 and not self._parted(cue.end, finding.first):
                return True
        verbs = [span for span in self._said("past_verb", sentence) if finding.first - span.end <= 4]
        return bool(verbs) and bool(self._said("long_ago", sentence) or self._said("recent_past", sentence))

    def _recent(self, span: Span) -> bool:
        return any(other.start <= span.start and span.end <= other.end for other in self._said("recent_past"))

    def _current(self) -> bool:
        return bool(self._said("current"))

    def _opens(self, cue: Span) -> bool:
        """Whether a cue stands at the start of its sentence."""
        return all(word.sentence < cue.sentence for word in self.words[: max(0, cue.start - 2)])

    def _parted(self, start: int, end: int) -> bool:
        return any(
            self._is("terminator", number) and not self._is("current", number) for number in range(start, end)
        ) and any(self._is("contrast", number) for number in range(start, end))

    def _supposed(self, finding: Finding) -> bool:
        cues = [*self._said("what_if"), *self._said("asks_about")]
        if any(not _overlaps(span, cues) for span in self._said("present", finding.sentence)):
            return False
        for cue in self._said("what_if", finding.sentence):
            if cue.start <= finding.first and finding.first - cue.end <= 8:
                return True
        for _ in self._said("side_effect", finding.sentence):
            return True
        asks = [cue for cue in self._said("asks_about", finding.sentence) if cue.start <= finding.first]
        return bool(asks) and not self._said("person", finding.sentence)

    def _is(self, name: str, number: int) -> bool:
        return any(span.start <= number < span.end for span in self.spans.get(name, ()))


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in others)


_ARTICLES = frozenset(("a", "an", "the", "of", "un", "una", "el", "la", "los", "las", "de", "en", "in", "to", "at"))

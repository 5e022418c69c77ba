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
            elif self._somebody_elses(finding, emergency):
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
            within = finding.first < cue.start and cue.end <= finding.last
            if within and (not emergency or cue.end in finding.used):
                return True  # "threw up once, no blood"
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

    def _somebody_elses(self, finding: Finding, emergency: bool) -> bool:
        """A pet's, a neighbour's or a film's; but no film named after it makes an emergency less."""
        for name in ("pet", "story", "bystander"):
            for span in self._said(name, finding.sentence):
                between = range(min(span.end, finding.last + 1), max(span.start, finding.first))
                before = span.end <= finding.first
                if (
                    len(between) <= (4 if name == "pet" else 6 if before else 3)
                    and (before or (name == "story" and not emergency))
                    and not any(self._is("person", number) for number in between)
                ):
                    return True
        return False

    def _past(self, finding: Finding, emergency: bool) -> bool:
        """Whether it is over: said to be gone, or told as a thing of the past; and nothing says that it is back.

        An emergency is over only when its date is long past.
        """
        over = self._said("resolved")
        if any(not any(_holds(other, cue) for other in over) for cue in self._said("current")):
            return False  # it is still so, but for "none since" and "never again"
        dates = self._said("long_ago", finding.sentence)
        if emergency:
            recent = self._said("recent_past")
            return self._told_as_past(finding, [date for date in dates if not _overlaps(date, recent)])
        if self._said_gone(finding):
            return True
        return self._told_as_past(finding, [*dates, *self._said("recent_past", finding.sentence)])

    def _said_gone(self, finding: Finding) -> bool:
        for cue in self._said("resolved"):
            if self._is("negation", cue.start - 1) or self._is("wont", cue.start - 1):
                continue  # "never went away", "not gone"
            gap = cue.start - finding.last
            if cue.sentence == finding.sentence and 0 <= gap <= 7 and not self._contrasted(finding.last + 1, cue.start):
                return True
            opens = all(word.sentence < cue.sentence for word in self.words[: max(0, cue.start - 2)])
            if cue.sentence == finding.sentence + 1 and opens and gap <= 8:
                return True
        return any(
            0 <= finding.first - cue.end <= 3 and not self._contrasted(cue.end, finding.first)
            for cue in self._said("resolved_before", finding.sentence)
        )

    def _told_as_past(self, finding: Finding, dates: Sequence[Span]) -> bool:
        """ "Had fever last week", "last year i had sepsis"; not "had my line put in last week and the site is red"."""
        for verb in self._said("past_verb", finding.sentence):
            told = self.words[verb.end : finding.last + 1]
            if not 0 <= finding.first - verb.end <= 4 or any(word.text in _NOW for word in told):
                continue
            if any(date.start > finding.last or date.end <= verb.start for date in dates):
                return True
        return False

    def _contrasted(self, start: int, end: int) -> bool:
        return any(self._is("contrast", number) for number in range(start, end))

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


def _holds(longer: Span, shorter: Span) -> bool:
    return longer.start <= shorter.start and shorter.end <= longer.end and longer != shorter


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in others)


_NOW = frozenset(("is", "are", "am", "esta", "estan", "es", "y", "and"))
_ARTICLES = frozenset(("a", "an", "the", "of", "un", "una", "el", "la", "los", "las", "de", "en", "in", "to", "at"))

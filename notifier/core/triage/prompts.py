"""What a bare answer means to the question it answers, and what to make of a text in which nothing was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.core.triage.lexicon import Finding, Span
from notifier.core.triage.numbers import quantities
from notifier.core.triage.words import Word
from notifier.core.vocabulary import Prompt

QUIET = frozenset(("OK_FINE", "THANKS", "TAPBACK", "AUTO_REPLY", "HELP", "SPAM_ABUSE"))  # never beside a need
_YES_NO = {
    Prompt.DELIVERY_CONFIRM: ("DELIVERY_CONFIRM", "DELIVERY_CHANGE"),
    Prompt.DELIVERED_CHECK: ("DELIVERY_RECEIVED", "DELIVERY_LOST"),
    Prompt.FIRST_DOSE_READY: ("OK_FINE", "FIRST_DOSE_PROBLEM"),
    Prompt.CHECK_IN: ("UNKNOWN", "NOT_WELL"),  # yes, I am well? yes, a problem? A person asks.
    Prompt.TEMPERATURE: ("UNKNOWN", "OK_FINE"),
    Prompt.SUPPLY_COUNT: ("UNKNOWN", "UNKNOWN"),
    Prompt.DOSE_DONE: ("DOSE_DONE", "MISSED_DOSE"),
    Prompt.MISSING_ITEMS: ("UNKNOWN", "UNKNOWN"),
    Prompt.PUMP_CHECK: ("OK_FINE", "PUMP_ALARM"),
    Prompt.FIXED: ("OK_FINE", "CALL_ME"),
    Prompt.SURVEY: ("UNKNOWN", "UNKNOWN"),
    None: ("DELIVERY_CONFIRM", "OK_FINE"),
}
# Classes that small talk does not hold: a text with one of them is a person's to read.
_OF_CARE = frozenset(
    (
        *(
            "worry",
            "matter",
            "idiom",
            "line",
            "port",
            "tubing",
            "dressing",
            "needle",
            "med",
            "chest",
            "heart",
            "arm",
            "neck",
        ),
        *(
            "shoulder",
            "leg",
            "face",
            "lips",
            "throat",
            "head",
            "belly",
            "body_part",
            "pain",
            "blood",
            "breathe",
            "nurse",
        ),
    )
)


@dataclass(frozen=True)
class Text:
    """A text made ready: its words without marks, and what they say."""

    raw: str
    words: list[Word]
    spans: Mapping[str, Sequence[Span]]
    commas: frozenset[int]
    asks: bool  # it holds a question mark

    def covers(self, name: str, at: int) -> bool:
        return any(span.start <= at < span.end for span in self.spans.get(name, ()))

    def is_only(self, name: str) -> bool:
        """Whether the whole text says this class, courtesies apart; the "ya" of "thank ya" says nothing."""
        polite = self.spans.get("courtesy", ())
        rest = {number for number in range(len(self.words)) if not self.covers("courtesy", number)}
        said = {
            number
            for span in self.spans.get(name, ())
            if not any(
                other.start <= span.start and span.end <= other.end and other.end - other.start > span.end - span.start
                for other in polite
            )
            for number in range(span.start, span.end)
        }
        return bool(said) and rest <= said


def in_the_light_of(
    prompt: Prompt | None, findings: list[Finding], negated: Sequence[str], text: Text
) -> list[Finding]:
    """The findings with what the prompt makes of a bare answer, and with something where there was nothing."""
    needs = [finding for finding in findings if finding.kind not in QUIET]
    yes, no = _YES_NO[prompt]
    whole = frozenset(range(len(text.words)))
    if not [
        one for one in needs if prompt is None or one.kind not in ("DELIVERY_CONFIRM", "DELIVERY_RECEIVED", "DOSE_DONE")
    ]:
        bare = _bare_answer(prompt, text, yes, no)
        if bare:
            return [Finding(bare, whole, 0)]
    if needs:
        if (
            prompt in (None, Prompt.DELIVERY_CONFIRM)
            and _begins_with_yes(text)
            and all(one.kind not in ("DELIVERY_CHANGE", "DELIVERY_CANCEL", "STOP", "DELIVERY_CONFIRM") for one in needs)
        ):
            needs.append(Finding("DELIVERY_CONFIRM", frozenset((0,)), 0))
        return needs
    for kind in ("TAPBACK", "AUTO_REPLY", "HELP", "SPAM_ABUSE", "OK_FINE"):
        if any(finding.kind == kind for finding in findings):
            return [finding for finding in findings if finding.kind == kind]
    if findings and not negated:
        return findings
    if negated:
        kind = "DELIVERY_RECEIVED" if set(negated) <= {"MISSING", "MISSING_MED", "DAMAGED", "WRONG_ITEM"} else "OK_FINE"
        return [Finding(kind, whole, 0)]
    unnamed = "MISSING" if prompt is Prompt.MISSING_ITEMS else "UNKNOWN"
    return [Finding("OK_FINE" if _chatter(text) else unnamed, frozenset(), 0)]


def _begins_with_yes(text: Text) -> bool:
    return text.covers("yes", 0) and len(text.words) > 1 and (text.covers("contrast", 1) or text.covers("joint", 1))


def _bare_answer(prompt: Prompt | None, text: Text, yes: str, no: str) -> str | None:
    if prompt is Prompt.SUPPLY_COUNT:
        counted = quantities(text.words)
        if text.is_only("none_left"):
            return "OUT_OF_MED"
        if counted and len(text.words) <= 6:
            return "OUT_OF_MED" if counted[0].value == 0 else "LOW_SUPPLY" if counted[0].value <= 2 else "OK_FINE"
    if prompt is Prompt.SURVEY and (numbers := quantities(text.words)):
        return "COMPLAINT" if numbers[0].value <= 2 else "THANKS"
    if prompt is Prompt.DELIVERED_CHECK and text.is_only("not_yet"):
        return "DELIVERY_LATE"
    if prompt is Prompt.DELIVERED_CHECK and "warm_box" in text.spans and len(text.words) <= 6:
        return "TEMP_WARM"  # we asked whether the cold pack was still cold
    if prompt in (Prompt.CHECK_IN, Prompt.PUMP_CHECK) and text.is_only("okay"):
        return "OK_FINE"
    if text.is_only("no"):
        return no
    if prompt is Prompt.FIRST_DOSE_READY and text.is_only("ready"):
        return yes
    if text.is_only("yes") or (prompt is not None and text.is_only("fine") and yes != "UNKNOWN"):
        return yes
    return None


def _chatter(text: Text) -> bool:
    """Small talk, and nothing that could be a need: no word of a body, a device, a worry or a request."""
    return "chat" in text.spans and not _OF_CARE & text.spans.keys()


def worry_left(text: Text, explained: set[int]) -> bool:
    """Whether a word of worry stands that no finding explains: then a person looks, however cheerful the rest."""
    return any(not explained & set(range(span.start, span.end)) for span in text.spans.get("worry", ()))

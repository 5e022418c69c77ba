"""The grammar of opting out: the whole reply, or a clear request about messages; never a pump, a drug or a box."""

from collections.abc import Mapping, Sequence

from notifier.core.triage.lexicon import Span
from notifier.core.triage.words import Word


def opts_out(words: Sequence[Word], spans: Mapping[str, Sequence[Span]]) -> frozenset[int] | None:
    """The words that ask us to stop texting; None when nothing does."""
    plain = [number for number in range(len(words)) if not _covered("courtesy", number, spans)]
    for span in spans.get("stop_word", ()):
        if plain and set(plain) <= set(range(span.start, span.end)):
            return frozenset(range(span.start, span.end))
    doubled = {number for span in spans.get("stop_word", ()) for number in range(span.start, span.end)}
    if plain and set(plain) <= doubled:
        return frozenset(plain)
    for span in spans.get("stop_request", ()):
        if not _covered("us", span.end, spans):  # "no more texting you" is a promise, not a request
            return frozenset(range(span.start, span.end))
    return None


def starts_with_stop(raw: str, words: Sequence[Word], spans: Mapping[str, Sequence[Span]]) -> frozenset[int] | None:
    """The stop word that opens a longer text and stands alone there: "STOP i have a fever", not "stop the beeping"."""
    for span in spans.get("stop_word", ()):
        before = range(span.start)
        if (
            not all(_covered("courtesy", number, spans) for number in before)
            or span.end >= len(words)
            or _covered("stop_object", span.end, spans)
        ):
            continue
        first, following = words[span.end - 1], words[span.end]
        written = raw[words[0].start : first.end]
        apart = following.sentence > first.sentence or "," in raw[first.end : following.start]
        shouted = written.isupper() and not raw[following.start : following.end].isupper()
        if apart or shouted or _covered("subject", span.end, spans):
            return frozenset(range(span.start, span.end))
    return None


def _covered(name: str, number: int, spans: Mapping[str, Sequence[Span]]) -> bool:
    return any(span.start <= number < span.end for span in spans.get(name, ()))

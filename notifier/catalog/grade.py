"""How hard a message is to read, as a school grade, by the formula of its language."""

import re
from functools import lru_cache

HARDEST = 6  # more than half of those who read us have trouble with more
_DIGITS = re.compile(r"\+?\d[\d/:-]*")
_END = re.compile(r"[.:;!?¿¡]+")
_EASE = ((90, 4), (80, 5), (70, 6), (60, 8), (50, 10), (30, 13))  # of Flesch's scale, as Fernandez-Huerta reads it
_SCALES = frozenset(("de", "es", "fr", "hu", "it", "nl", "ru"))  # languages for which his scale was measured anew


@lru_cache(maxsize=4096)
def grade(words: str, language: str) -> int | None:
    """The grade of a school in the US whose pupils read this; None for a language without a formula."""
    import textstat  # only a check needs it, and it takes its time

    said = _sentences(words)
    if not said:
        return 0
    primary = language.partition("-")[0].lower()
    if primary == "en":
        return max(0, round(float(textstat.automated_readability_index(said))))
    if primary not in _SCALES:
        return None
    textstat.set_lang(primary)
    try:
        ease = textstat.fernandez_huerta(said) if primary == "es" else textstat.flesch_reading_ease(said)
    finally:
        textstat.set_lang("en_US")
    return next((grade for least, grade in _EASE if ease >= least), 16)


def _sentences(words: str) -> str:
    """What has a sentence in it; a label such as "Nurse 24/7: 800-555-0100" has none, and numbers are no words."""
    parts = (part.strip() for part in _END.split(_DIGITS.sub("", words)))
    return ". ".join(part for part in parts if len(re.findall(r"[^\W\d_]+", part)) > 2)

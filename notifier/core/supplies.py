"""What is in a box, said safely: the list that a patient answers by number, what no dose can do without, counts."""

import re
from collections.abc import Mapping, Sequence

from notifier.core.journey import Profile, Supply
from notifier.core.triage.numbers import quantities
from notifier.core.triage.words import split
from notifier.core.wording import best_language, drug_in, plain

Named = tuple[tuple[str, int | None], ...]  # (item, how many; none: nobody knows)

_ONLY_NUMBERS = re.compile(r"[\s#]*\d{1,2}(?:(?:[\s,;.&#+/-]|and|y|e)+\d{1,2})*[\s.!]*", re.IGNORECASE)
_SIZE = re.compile(r"\b\d+(?:[.,]\d+)?\s*(?:ml|mg|mcg|g|l|cc|cm|mm|in|fr|ga|g|gauge|%|\")(?=\s|$|,)", re.IGNORECASE)
_MEDICINE = {"en": "medicine", "es": "medicina"}
_FOUND = frozenset(
    ("found", "encontre", "encontramos", "aparecio", "aparecieron", "nvm", "nevermind", "turned", "hallamos", "halle")
)


def by_number(text: str, items: Sequence[tuple[str, int]]) -> Named:
    """The items that "2 4" or "#1 and #3" name by their places in the list; none where the text says anything else."""
    if not _ONLY_NUMBERS.fullmatch(text):
        return ()
    places = [int(number) for number in re.findall(r"\d+", text)]
    if not all(1 <= place <= len(items) for place in places):
        return ()
    return tuple((items[place - 1][0], items[place - 1][1] or None) for place in dict.fromkeys(places))


def listing(items: Sequence[tuple[str, int]], profile: Profile, language: str, room: int) -> str:
    """ "1 medicine, 2 saline flush", as many as find room (in letters): a drug is never named."""
    said = ""
    for place, (name, _) in enumerate(items, start=1):
        longer = f"{said}{', ' if said else ''}{place} {label(name, profile, language)}"
        if len(longer) > room:
            break
        said = longer
    return said


def label(name: str, profile: Profile, language: str) -> str:
    """An item as a text may call it: without its size, and a drug as medicine."""
    supply = _supply(name, profile)
    if (supply and supply.drug) or drug_in(name):
        return _MEDICINE[best_language(_MEDICINE, language)]
    return " ".join(_SIZE.sub("", plain(name)).split()).lower()[:24] or name[:24]


def is_needed(named: Named, profile: Profile) -> bool | None:
    """Whether a dose needs one of them; None: nothing was named. What the profile does not know may be needed."""
    if not named:
        return None
    return any((supply := _supply(name, profile)) is None or supply.needed for name, _ in named)


def left_missing(missing: Named, text: str, found: Named) -> Named | None:
    """What is still missing when a text says that some of it was found; None: it does not say so."""
    words = {word.text for word in split(text)}
    if not words & _FOUND or not missing:
        return None
    again = {name for name, _ in found}
    return tuple((name, count) for name, count in missing if name not in again)


def counted(text: str) -> float | None:
    """The number of doses that an answer tells; None: it tells none, or several."""
    numbers = quantities([word for word in split(text) if word.kind != "mark"])
    return numbers[0].value if len(numbers) == 1 else None


def is_odd(count: float, most: int) -> bool:
    """A count that cannot be right: half a dose, or more than any box holds."""
    return count != int(count) or not 0 <= count <= most


def said(named: Named, sent: Mapping[str, int]) -> list[str]:
    """Lines for staff: `- Saline flush: 6 of 28`."""
    return [f"- {name}: {'?' if count is None else count} of {sent.get(name, '?')}" for name, count in named]


def _supply(name: str, profile: Profile) -> Supply | None:
    lowered = name.lower()
    return next((supply for supply in profile.supplies if any(word in lowered for word in supply.words)), None)

"""What the numbers of a text are: temperatures, pressures, pulses, sugars, oxygen; and what they are not."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifier.core.triage.lexicon import Finding, Span
from notifier.core.triage.words import Word
from notifier.core.vocabulary import Urgency

FEVER_C = 38.0
LOW_GRADE_C = 37.5
LOW_C = 36.0
_DECIMAL = re.compile(r"\d+(?:[.,]\d+)?")
_PRESSURE = re.compile(r"(\d{2,3})/(\d{2,3})")
_ONES = {
    **dict(
        zip(
            ["oh", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
            [0, 0, *range(1, 10)],
            strict=True,
        )
    ),
    **dict(
        zip(["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"], range(10), strict=True)
    ),
    "un": 1,
    "una": 1,
}
_TENS = {"ninety": 90, "treinta": 30, "cuarenta": 40, "noventa": 90}
_HUNDREDS = {"hundred", "cien", "ciento"}


@dataclass(frozen=True)
class Quantity:
    """A number said by the words [start, end)."""

    value: float
    start: int
    end: int
    exact: bool = False  # it was written with a decimal part
    text: str = ""


def fahrenheit(celsius: float) -> float:
    """A temperature in Fahrenheit, to a tenth."""
    return round(celsius * 9 / 5 + 32, 1)


def quantities(words: Sequence[Word]) -> list[Quantity]:
    """Every plain number of a text, in figures or spelled out."""
    found: list[Quantity] = []
    at = 0
    while at < len(words):
        quantity = _figures(words, at) or _spelled(words, at)
        if quantity:
            found.append(quantity)
        at = quantity.end if quantity else at + 1
    return found


def _figures(words: Sequence[Word], at: int) -> Quantity | None:
    word = words[at]
    if word.kind != "number" or not _DECIMAL.fullmatch(word.text) or len(word.text) > 8:
        return None
    value, end = float(word.text.replace(",", ".")), at + 1
    if [other.text for other in words[end : end + 2]] in (["y", "medio"], ["and", "half"]):
        return Quantity(value + 0.5, at, end + 2, True, word.text)
    if end + 1 < len(words) and words[end].text in ("point", "punto", "coma") and words[end + 1].text.isdigit():
        return Quantity(
            float(f"{word.text.split('.')[0].split(',')[0]}.{words[end + 1].text}"), at, end + 2, True, word.text
        )
    return Quantity(value, at, end, word.text != word.text.replace(",", "").replace(".", ""), word.text)


def _spelled(words: Sequence[Word], start: int) -> Quantity | None:
    """A number in words as people say a temperature: one oh two, a hundred and one point four, treinta y nueve."""
    texts = [word.text for word in words[start : start + 8]]
    at = 0
    value: float | None = None
    if texts[:1] == ["a"] and texts[1:2] == ["hundred"]:
        at = 1
    if texts[at : at + 1] and texts[at] in _HUNDREDS:
        at, value = at + 1, 100
    elif (texts[:1] == ["one"] and texts[1:2] == ["hundred"]) or texts[:2] in (
        ["one", "oh"],
        ["one", "zero"],
        ["one", "o"],
    ):
        at, value = 2, 100
    elif texts[:1] and texts[0] in _TENS:
        at, value = 1, _TENS[texts[0]]
    if value is None:
        return None
    if texts[at : at + 1] and texts[at] in ("and", "y") and texts[at + 1 : at + 2] and texts[at + 1] in _ONES:
        at += 1
    if texts[at : at + 1] and texts[at] in _ONES and texts[at] not in ("oh", "zero", "cero"):
        value, at = value + _ONES[texts[at]], at + 1
    exact = False
    if texts[at : at + 1] and texts[at] in ("point", "punto", "coma", "dot") and texts[at + 1 : at + 2]:
        tenth = texts[at + 1]
        if tenth in _ONES or tenth.isdigit():
            value, at, exact = value + (_ONES[tenth] if tenth in _ONES else int(tenth[0])) / 10, at + 2, True
    elif texts[at : at + 2] == ["y", "medio"] or texts[at : at + 2] == ["and", "half"]:
        value, at, exact = value + 0.5, at + 2, True
    elif value >= 90 and texts[at : at + 1] and texts[at] in _ONES:
        value, at, exact = value + _ONES[texts[at]] / 10, at + 1, True  # ninety nine nine
    return Quantity(value, start, start + at, exact, " ".join(texts[:at]))


@dataclass(frozen=True)
class Scene:
    """What a number stands among: all words (marks too) and the classes said by the words without marks."""

    raw: str
    words: Sequence[Word]  # without marks
    spans: Mapping[str, Sequence[Span]]
    asked: bool = False  # we had asked for a temperature

    def says(self, name: str, start: int, end: int) -> bool:
        """Whether the class is said by words within [start, end)."""
        return any(start <= span.start and span.end <= end for span in self.spans.get(name, ()))

    def before(self, name: str, at: int, within: int) -> bool:
        """Whether the class is said at most `within` words before word `at`, in its sentence."""
        return any(
            span.end <= at <= span.end + within and span.sentence == self.words[at].sentence
            for span in self.spans.get(name, ())
        )

    def after(self, name: str, at: int, within: int) -> bool:
        """Whether the class is said at most `within` words after word `at - 1`, in its sentence."""
        return any(
            at <= span.start <= at + within and span.sentence == self.words[at - 1].sentence
            for span in self.spans.get(name, ())
        )

    def left(self, at: int, size: int = 1) -> str:
        """The raw characters just before word `at`."""
        return self.raw[max(0, self.words[at].start - size) : self.words[at].start]

    def right(self, at: int, size: int = 1) -> str:
        """The raw characters just after word `at`."""
        return self.raw[self.words[at].end : self.words[at].end + size]


def celsius(quantity: Quantity, scene: Scene) -> float | None:
    """The body temperature that a number states, in Celsius; None when it states something else."""
    first, end = quantity.start, quantity.end
    following = scene.words[end].text if end < len(scene.words) else ""
    right = scene.right(end - 1, 2)
    degrees = right.startswith(("°", "º")) or scene.after("degrees", end, 0)
    unit = "f" if following in ("f", "fahrenheit") else "c" if following in ("c", "celsius", "centigrados") else ""
    if degrees and not unit and end + 1 < len(scene.words):
        unit = {"f": "f", "fahrenheit": "f", "c": "c", "celsius": "c", "centigrados": "c"}.get(
            scene.words[end + 1].text, ""
        )
    told = (
        bool(unit)
        or degrees
        or scene.asked
        or scene.before("thermometer", first, 5)
        or scene.after("thermometer", end, 3)
    )
    value = _lost_dot(quantity, told, len(scene.words) == 1)
    in_f, in_c = 92.0 <= value <= 108.9, 34.0 <= value <= 43.0
    if not (in_f or in_c) or (unit == "f" and not in_f) or (unit == "c" and not in_c):
        return None
    if _counted(quantity, scene) or (scene.says("indoors", 0, len(scene.words)) and not unit):
        return None
    alone = len(scene.words) == end - first
    bare = quantity.exact and (in_c or value >= 96.0)
    said = value >= 100 and not quantity.exact and _predicate(quantity, scene)
    if not (told or alone or bare or said):
        return None
    if alone and not told and not quantity.exact and value < 99:
        return None
    return round((value - 32) * 5 / 9, 2) if in_f else value


def _lost_dot(quantity: Quantity, told: bool, alone: bool) -> float:
    """1014 where a temperature is spoken of, or as the whole reply, is 101.4; 386 is 38.6."""
    value = quantity.value
    if quantity.exact:
        return value
    lost = ((told or alone) and 950 <= value <= 1089) or (told and 350 <= value <= 425)
    return value / 10 if lost else value


def _counted(quantity: Quantity, scene: Scene) -> bool:
    """Whether the number counts or names something: money, weight, a room, a rate, a time."""
    first, end = quantity.start, quantity.end
    if (
        scene.left(first) in ("$", "#", "/", "€", "-")
        or scene.right(end - 1) in ("/", "%", "$", "-")
        or scene.right(end - 1, 2) == " %"
    ):
        return True
    if scene.after("unit_of_other", end, 0) and not (scene.after("degrees", end, 0) or scene.after("later_on", end, 0)):
        return True
    return scene.before("number_of_other", first, 2)


def _predicate(quantity: Quantity, scene: Scene) -> bool:
    """Whether a whole number stands as people tell a fever: "i have 103", "hot. 102.", "took tylenol for my 102"."""
    first, end = quantity.start, quantity.end
    begins = not first or (scene.words[first - 1].sentence != scene.words[first].sentence and _is_hot(scene))
    if not begins and not scene.before("leads_temperature", first, 0):
        return False
    if end == len(scene.words) or scene.words[end].sentence != scene.words[end - 1].sentence:
        return True
    return scene.right(end - 1) in (",", ")", "!", "?") or scene.after("follows_temperature", end, 0)


def _is_hot(scene: Scene) -> bool:
    return scene.says("warm", 0, len(scene.words)) or scene.says("chill", 0, len(scene.words))


def temperature_kind(value: float) -> str:
    """The code for a body temperature in Celsius; OK_FINE for a normal one. 100.4 F is a fever as 38.0 C is."""
    degrees = fahrenheit(value)
    if degrees >= 100.4:
        return "FEVER"
    if degrees >= 99.5:
        return "TEMP_LOW_GRADE"
    return "TEMP_LOW" if degrees < 96.8 else "OK_FINE"


def vitals(scene: Scene, numbers: Sequence[Quantity]) -> Iterator[Finding]:
    """The findings that other readings make: oxygen, pulse, sugar, pressure."""
    for quantity in numbers:
        for kind, urgency in _vital(quantity, scene):
            yield _finding(kind, quantity.start, quantity.end, scene, urgency)
    for at, word in enumerate(scene.words):
        pressure = _PRESSURE.fullmatch(word.text)
        if pressure and _abnormal(int(pressure[1]), int(pressure[2])):
            yield _finding("BP_ABNORMAL", at, at + 1, scene)
    for one, other in itertools.pairwise(numbers):
        over = one.end + 1 == other.start and scene.words[one.end].text in ("over", "sobre", "con")
        told = scene.before("pressure", one.start, 4) or _is_pair(one, other, scene)
        if over and told and _abnormal(one.value, other.value):
            yield _finding("BP_ABNORMAL", one.start, other.end, scene)


def _is_pair(one: Quantity, other: Quantity, scene: Scene) -> bool:
    """Whether two numbers stand as a blood pressure that nobody calls one: "80 over 40", "le sale 78 con 45"."""
    begins = not one.start or scene.before("leads_temperature", one.start, 0)
    ends = other.end == len(scene.words) or scene.words[other.end].sentence != scene.words[other.start].sentence
    whole = not one.exact and not other.exact and one.value - other.value >= 15
    ends = ends or scene.right(other.end - 1) in (",", ")", "!", "?")
    return begins and whole and (ends or scene.after("follows_temperature", other.end, 0))


def _vital(quantity: Quantity, scene: Scene) -> Iterator[tuple[str, Urgency | None]]:
    value, start, end = quantity.value, quantity.start, quantity.end
    if scene.before("oxygen", start, 4) and 40 <= value <= 90:
        yield "BREATHING", None
    beats = scene.after("per_minute", end, 0)
    if (scene.before("pulse", start, 4) or beats or (scene.after("pulse", end, 1) and value >= 100)) and (
        130 <= value <= 260 or 20 <= value <= 44
    ):
        yield "PALPITATIONS", None
    if scene.before("sugar", start, 4) or scene.after("sugar", end, 1):
        if 15 <= value < 70:
            yield "LOW_SUGAR", None
        elif 250 < value <= 900:
            yield "HIGH_SUGAR", Urgency.URGENT if value > 300 else None
    if scene.before("pressure", start, 3) and scene.before("systolic", start, 4) and _abnormal(value, 80):
        yield "BP_ABNORMAL", None


def _abnormal(upper: float, lower: float) -> bool:
    return 40 <= upper <= 280 and 20 <= lower <= 180 and lower < upper and (upper < 90 or upper >= 180 or lower >= 120)


def _finding(kind: str, start: int, end: int, scene: Scene, urgency: Urgency | None = None) -> Finding:
    return Finding(kind, frozenset(range(start, end)), scene.words[start].sentence, urgency)

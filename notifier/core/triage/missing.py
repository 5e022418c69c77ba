"""Which items of a delivery a text says are missing, and how many, against the list of what was sent."""

from collections.abc import Sequence

from notifier.core.triage.words import Word, split

_NUMBERS = {
    **dict(
        zip(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], range(1, 11), strict=True)
    ),
    **dict(
        zip(
            ["uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"],
            range(1, 11),
            strict=True,
        )
    ),
    "a": 1,
    "una": 1,
    "un": 1,
}
# What patients call things that the packing list names otherwise: a word, and the names it may stand for.
_SYNONYMS = {
    "flush": ("flush", "saline"),
    "jeringa": ("syringe", "flush"),
    "suero": ("saline", "flush"),
    "tubing": ("tubing", "tube"),
    "tube": ("tubing", "extension"),
    "tubo": ("tubing", "extension"),
    "tuberia": ("tubing",),
    "cap": ("cap",),
    "tapa": ("cap",),
    "tapon": ("cap",),
    "tapita": ("cap",),
    "wipe": ("wipe", "swab", "pad"),
    "swab": ("wipe", "swab", "pad"),
    "toallita": ("wipe", "swab", "pad"),
    "alcohol": ("alcohol",),
    "dressing": ("dressing",),
    "bandage": ("dressing",),
    "parche": ("dressing",),
    "aposito": ("dressing",),
    "vendaje": ("dressing",),
    "curita": ("dressing",),
    "bag": ("bag",),
    "bolsa": ("bag",),
    "ball": ("elastomeric", "ball"),
    "bolita": ("elastomeric", "ball"),
    "heparin": ("heparin",),
    "heparina": ("heparin",),
    "hep": ("heparin",),
    "needle": ("needle",),
    "aguja": ("needle",),
    "syringe": ("syringe",),
    "glove": ("glove",),
    "guante": ("glove",),
    "gauze": ("gauze",),
    "gasa": ("gauze",),
    "battery": ("battery", "batteries"),
    "batterie": ("battery", "batteries"),
    "pila": ("battery", "batteries"),
    "sharps": ("sharps",),
    "pump": ("pump",),
    "bomba": ("pump",),
}


def missing_items(text: str, manifest: Sequence[tuple[str, int]]) -> list[tuple[str, int | None]]:
    """The items of `manifest` (name, quantity sent) that a text says are missing, with how many.

    How many is the number that stands before the item, else all that were sent; None where the list gives no quantity.
    """
    words = [word for word in split(text) if word.kind != "mark"]
    found: dict[str, int | None] = {}
    for at, word in enumerate(words):
        for name, quantity in manifest:
            if name not in found and _names(word.text, name):
                counted = _count(words, at)
                found[name] = counted if counted is not None else quantity or None
    return [(name, found[name]) for name, _ in manifest if name in found]


def _names(word: str, item: str) -> bool:
    own = {_singular(part.text) for part in split(item) if part.kind == "letters"}
    said = _singular(word)
    if said in own and len(said) > 2:
        return True
    return any(_singular(part) in own for part in _SYNONYMS.get(said, ()))


def _singular(word: str) -> str:
    if word.endswith(("shes", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 and word != "sharps" else word


def _count(words: Sequence[Word], at: int) -> int | None:
    """The number that stands before the item, with at most one word between: "6 flushes", "two saline flushes"."""
    for back in (1, 2):
        if at - back < 0:
            return None
        word = words[at - back]
        if word.kind == "number" and word.text.isdigit():
            return int(word.text)
        if word.text in _NUMBERS and word.text not in ("a", "un", "una"):
            return _NUMBERS[word.text]
    return None

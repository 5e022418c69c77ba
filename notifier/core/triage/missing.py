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
}
_LINKS = frozenset(("of", "de", "the", "my", "las", "los", "more", "mas"))
_ONLY = frozenset(("only", "just", "solo", "nomas"))
_GOT = frozenset(
    ("got", "received", "sent", "came", "get", "have", "llegaron", "vinieron", "mandaron", "recibi", "trajeron", "hay")
)
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
            if name in found or not _names(word.text, name):
                continue
            told = _count(words, at, name)
            if told is None:
                found[name] = quantity or None
            elif _came(words, told[1]):
                found[name] = max(quantity - told[0], 0) if quantity else None
            else:
                found[name] = told[0]
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


def _count(words: Sequence[Word], at: int, item: str) -> tuple[int, int] | None:
    """The number that stands before the item and where it stands: "6 flushes", "two saline flushes"."""
    for number in range(at - 1, max(at - 3, -1), -1):
        word = words[number]
        if word.kind == "number" and word.text.isdigit() and len(word.text) < 5:
            return int(word.text), number
        if word.text in _NUMBERS:
            return _NUMBERS[word.text], number
        if word.text not in _LINKS and not _names(word.text, item):
            return None
    return None


def _came(words: Sequence[Word], number: int) -> bool:
    """Whether the number counts what came and not what is missing: "only got 5"."""
    before = [word.text for word in words[max(0, number - 4) : number]]
    return any(word in _ONLY for word in before) and any(word in _GOT for word in before)

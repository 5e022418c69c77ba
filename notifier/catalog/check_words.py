"""What may be wrong with the words of one text or call, whoever wrote them, and what to write instead."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from notifier.catalog import Catalog
from notifier.catalog.grade import HARDEST, grade
from notifier.catalog.links import PAGES
from notifier.core.wording import LIST_ROOM, MAX_SEGMENTS, PLACEHOLDER, SHORTENERS, drug_in, plain, segments

# The longest that each placeholder becomes.
LONGEST = {
    "brand": "Pharmko North Carolina",
    "phone": "+18005550100",
    "day": "Wednesday, Sep 30",
    "time": "las 10:30 am",
    "from": "10:30 AM",
    "to": "12:30 PM",
    "number": "10412",
    "urgency": "EMERGENCY",
    "role": "coordinator",
    "age": "119 min",
    "owner": "Bartholomew Featherstonehaugh",
    "others": "#10413, #10414, #10415",
    "place": "2",
    "text": "We will call you back.",
    "items": "x" * LIST_ROOM,
    "today": "mañana antes de las 10:30 am",
    "minutes": "120",
    "url": "",
    "words": "My box has not come yet, and the last bag is for tonight.",
    "team": "delivery team",
}
# As people read them: for the grade, in which a long name of a pharmacy has no part.
SHORT = {"brand": "Acme", "phone": "", "day": "Monday", "time": "9", "from": "9", "to": "9", "today": "today"}
# What Twilio takes for itself when it is the whole message; it opts a patient out, or in, or answers in our place.
TWILIO = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "ends our texts"),
    **dict.fromkeys(("START", "UNSTOP", "YES"), "begins them again"),
    **dict.fromkeys(("HELP", "INFO"), "brings Twilio's own answer"),
}
_NUMBER = re.compile(r"\d{3}[-. ]\d{4}\b")
_WEB = re.compile(rf"https?://|www\.|\b(?:{'|'.join(map(re.escape, SHORTENERS))})\b", re.IGNORECASE)
_CAPITALS = re.compile(r"\b(?:NOT OK|[A-ZÑ]{2,})\b")


def of_any(catalog: Catalog, words: str, language: str) -> Iterator[str]:
    """What neither a text nor a call may hold: what it keeps secret, numbers of its own, words too hard to read."""
    unknown = sorted(set(PLACEHOLDER.findall(words)) - LONGEST.keys() - {f"link.{page}" for page in PAGES})
    if unknown:
        yield f"no such placeholder: {', '.join(unknown)}"
    for kind, unsaid in catalog.unsaid.items():
        said = unsaid.found_in(words) or (drug_in(words) if kind == "drug" else None)
        if said:
            yield f'leave out "{said}": say {unsaid.say}'
    if found := _NUMBER.search(words):
        yield f'write {{phone}} in place of "{found[0]}": the number is a setting of the site'
    if found := _WEB.search(words):
        yield f'write a page of links.toml, such as {{link.contact}}, in place of "{found[0]}"'
    hard = grade(PLACEHOLDER.sub(lambda match: SHORT.get(match[1], ""), words), language)
    if hard is not None and hard > HARDEST:
        yield f"it reads at grade {hard}, patients need {HARDEST} or less: shorter words and shorter sentences"


def of_a_text(catalog: Catalog, words: str, language: str) -> Iterator[str]:
    """What a text may not be besides: dear, because of a letter, or longer than two segments."""
    bare = PLACEHOLDER.sub("", words)
    if segments(bare)[1] != "GSM-7":
        if segments(plain(bare))[1] == "GSM-7":
            yield from (f"{change}, which makes a text twice as dear" for change in _cheaper(bare))
        elif signs := sorted({char for char in bare if not char.isalpha() and segments(plain(char))[1] != "GSM-7"}):
            yield f"write it without {' '.join(signs)}, which makes a text twice as dear"
    if set(PLACEHOLDER.findall(words)) <= LONGEST.keys() | {f"link.{page}" for page in PAGES}:
        count, alphabet = max(
            segments(catalog.fill(words, language, LONGEST, alive)) for alive in (catalog.links.urls(), ())
        )
        if count > MAX_SEGMENTS:
            room = MAX_SEGMENTS * (153 if alphabet == "GSM-7" else 67)
            yield f"{count} segments at its longest; make it shorter than {room} letters with all that it names"


def _cheaper(words: str) -> Iterator[str]:
    """Each word with a letter outside the cheap alphabet, and the same without it: á is one, é and ñ are not."""
    for word in dict.fromkeys(re.findall(r"[^\s.,;:!?¿¡()\"]+", words)):
        dear = dict.fromkeys(char for char in unicodedata.normalize("NFC", word) if segments(char)[1] != "GSM-7")
        if dear:
            yield f'write "{plain(word)}" for "{word}", without {" ".join(dear)}'


def of_words_offered(words: str, replies: Sequence[str], note: str) -> Iterator[str]:
    """The words in capitals are what people answer: expected, and none that Twilio swallows without a reason."""
    offered = list(dict.fromkeys(_CAPITALS.findall(PLACEHOLDER.sub("", words))))
    expected = {part for reply in replies for part in (reply, *reply.split())} | {"OK"}
    for word in offered:
        if word not in expected:
            yield f"it offers {word}: name it in replies too, or write it in small letters"
    for word in dict.fromkeys((*offered, *replies)):
        if word in TWILIO and word not in note:
            yield f"it offers {word}, which alone {TWILIO[word]}: offer another, or say in note why {word} may stand"


def offered_in(words: str) -> list[str]:
    """The words in capitals, which a reader takes for what to answer."""
    return _CAPITALS.findall(PLACEHOLDER.sub("", words))

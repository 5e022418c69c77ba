"""What to say: a template, a language and values become a text message, or what a voice says on the phone."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from zoneinfo import ZoneInfo

import phonenumbers

from notifier.core.vocabulary import Channel, Prompt

MAX_SEGMENTS = 2
LIST_ROOM = 140  # letters that a list of items may take in a text, so that the whole keeps to two segments
PLACEHOLDER = re.compile(r"\{([\w.]+)\}")

# --- templates ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Template:
    """One thing we say, in every language: as a text, as spoken words, and what each key of a phone then means."""

    key: str
    asks: Prompt | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    voice: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # language -> digit -> the word it stands for
    replies: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what people are expected to answer
    note: Mapping[str, str] = field(default_factory=dict)  # why it may offer a word that Twilio takes for its own

    def words(self, language: str, channel: Channel) -> str:
        """The unfilled words in the best language we have. Raises KeyError where there are none for the channel."""
        words = self.text if channel is Channel.SMS else self.voice
        return words[best_language(words, language)]

    def key_word(self, digit: str, language: str) -> str | None:
        """The word that a key stands for in this message, so that 1 is read as YES is. None: it stands for nothing."""
        return self.keys[best_language(self.keys, language)].get(digit) if self.keys else None


def version(words: str) -> str:
    """Six letters that stand for exactly these unfilled words: other words, another version."""
    return hashlib.sha256(words.encode()).hexdigest()[:6]


def best_language(known: Mapping[str, object], language: str) -> str:
    """`es` for `es-MX`; English for a language that we do not have."""
    wanted = language.lower()
    primary = wanted.partition("-")[0]
    return wanted if wanted in known else primary if primary in known else "en"


def render(template: Template, language: str, values: Mapping[str, str], channel: Channel) -> str:
    """The words as they leave.

    `values` holds `brand` and `phone` (E.164 or as written), and what the template names besides; `day.spoken` is said
    for `{day}` where it is given. Raises KeyError for a placeholder without a value.
    """
    words = template.words(language, channel)
    if channel is Channel.VOICE:
        return PLACEHOLDER.sub(lambda match: _value(match[1], values, channel), words)
    return fill(words, values)


def fill(words: str, values: Mapping[str, str]) -> str:
    """The words of a text with their values, in the alphabet that carries most. Raises KeyError for one without."""
    return plain(PLACEHOLDER.sub(lambda match: _value(match[1], values, Channel.SMS), words))


def _value(name: str, values: Mapping[str, str], channel: Channel) -> str:
    if channel is Channel.VOICE:
        return spoken_phone(values[name]) if name == "phone" else values.get(f"{name}.spoken", values[name])
    return written_phone(values[name]) if name == "phone" else values[name]


# --- the alphabet of a text ---------------------------------------------------------------------------------------

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO = frozenset("^{}\\[~]|€\f")  # an escape and a letter
_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " "})


def segments(text: str) -> tuple[int, str]:
    """Into how many segments a carrier cuts the text, and in which alphabet: "GSM-7" or "UCS-2"."""
    if all(char in _GSM or char in _GSM_TWO for char in text):
        sizes, alone, joined, encoding = [2 if char in _GSM_TWO else 1 for char in text], 160, 153, "GSM-7"
    else:
        sizes, alone, joined, encoding = [2 if ord(char) > 0xFFFF else 1 for char in text], 70, 67, "UCS-2"
    if sum(sizes) <= alone:
        return 1, encoding
    count, room = 1, joined
    for size in sizes:  # a letter of two units is never cut in half
        if size > room:
            count, room = count + 1, joined
        room -= size
    return count, encoding


def plain(text: str) -> str:
    """The text in the alphabet that carries most, where it loses no more than accents; else as it is."""
    plain = "".join(_plain(char) for char in text.translate(_TYPOGRAPHY))
    return plain if segments(plain)[1] == "GSM-7" else text


def _plain(char: str) -> str:
    if char in _GSM or char in _GSM_TWO:
        return char
    return "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part)) or char


# --- what never leaves ---------------------------------------------------------------------------------------------

# Stems of what is infused at home; a name that ends or begins like this tells what a person is treated for.
_DRUGS = re.compile(
    r"\b(?:\w+(?:mycin|micin|cillin|cilin|floxacin|penem|azole|cyclin|clovir|platin|taxel|rubicin|grastim)\w*|\w+mab"
    r"|cef(?:a|e|o|tr|ta|u)\w+|vanco|milrinone|dobutamine|treprostinil|epoprostenol|fluorouracil|5-?fu|immune globulin"
    r"|ivig|scig|tpn|lipids|heparin|morphine|hydromorphone|fentanyl|ketorolac|chemo(?:therapy)?|antibiotics?"
    r"|antibi[oó]ticos?|quimio(?:terapia)?)\b",
    re.IGNORECASE,
)
SHORTENERS = ("bit.ly", "goo.gl", "is.gd", "ow.ly", "rb.gy", "rebrand.ly", "t.co", "t.ly", "tiny.cc", "tinyurl.com")
_SHORTENER = re.compile(rf"\b(?:{'|'.join(map(re.escape, SHORTENERS))})\b", re.IGNORECASE)


def guard(words: str, names: Sequence[str] = ()) -> list[str]:
    """Why a text that a person wrote must not leave so, a sentence each; empty when it may.

    `names`: the patient's and the helpers', which a text never holds.
    """
    faults = []
    held = {bare(word) for word in re.findall(r"[^\W\d_]+", words)}
    parts = {bare(part) for name in names for part in re.findall(r"[^\W\d_]+", name) if len(part) > 2}
    if held & parts:
        faults.append("Leave out names: a text may be read by others.")
    if found := drug_in(words):
        faults.append(f'Leave out "{found}": say "your medicine" or "your delivery".')
    if _SHORTENER.search(words):
        faults.append("Leave out shortened links: carriers block them.")
    count, encoding = segments(words)
    if count > MAX_SEGMENTS:
        room = "306 letters" if encoding == "GSM-7" else "134 letters, because of a sign outside the plain alphabet"
        faults.append(f"Make it shorter: a text has room for {room}.")
    return faults


def drug_in(words: str) -> str | None:
    """The first drug that the words name, by its ending."""
    found = _DRUGS.search(words)
    return found[0] if found else None


def bare(words: str) -> str:
    """The words without case and accents, for comparing."""
    return "".join(char for char in unicodedata.normalize("NFKD", words.casefold()) if not unicodedata.combining(char))


_INSTEAD = {"en": "medicine", "es": "medicamento"}


def safer(words: str, language: str, names: Sequence[str] = ()) -> str:
    """The same said so that it may leave: the medicine unnamed, names and shortened links left out."""
    parts = {bare(part) for name in names for part in re.findall(r"[^\W\d_]+", name) if len(part) > 2}
    medicine = _INSTEAD.get(language.partition("-")[0], _INSTEAD["en"])
    said = _DRUGS.sub(medicine, words)
    said = re.sub(r"\S*(?:" + _SHORTENER.pattern + r")\S*", "", said, flags=re.IGNORECASE)
    said = re.sub(r"[^\W\d_]+", lambda found: "" if bare(found[0]) in parts else found[0], said)
    said = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s{2,}", " ", said)).strip(" ,;:")
    return said[:1].upper() + said[1:]


# --- phones, days and hours as people say them --------------------------------------------------------------------


def written_phone(number: str) -> str:
    """`800-555-0100` for +18005550100; a number of another country with its code."""
    if not number.startswith("+"):
        return number
    parsed = phonenumbers.parse(number)
    if parsed.country_code != 1:
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    digits = str(parsed.national_number)
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"


def spoken_phone(number: str) -> str:
    """`8 0 0, 5 5 5, 0 1 0 0`, so that a voice says every digit, slowly."""
    groups = re.findall(r"\d+", written_phone(number))
    return ", ".join(" ".join(group) for group in groups)


_DAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "es": ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
}
_MONTHS = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "es": (
        *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
        *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ),
}


def say_day(local: datetime, language: str, *, spoken: bool = False) -> str:
    """`Wednesday, Dec 2`, `miércoles 2 dic`; spoken with the whole month."""
    tongue = best_language(_DAYS, language)
    day, month = _DAYS[tongue][local.weekday()], _MONTHS[tongue][local.month - 1]
    if tongue == "es":
        return f"{day} {local.day} de {month}" if spoken else f"{day} {local.day} {month[:3]}"
    return f"{day}, {month if spoken else month[:3]} {local.day}"


def say_time(local: datetime | time, language: str, *, spoken: bool = False) -> str:
    """`10 AM`, `10:30 AM`; in Spanish `10 am`, spoken `10 de la mañana`."""
    hour, half = local.hour % 12 or 12, "AM" if local.hour < 12 else "PM"
    clock = f"{hour}:{local.minute:02}" if local.minute else str(hour)
    if best_language(_DAYS, language) == "en":
        return f"{clock} {half}"
    if not spoken:
        return f"{clock} {half.lower()}"
    part = "mañana" if local.hour < 12 else "tarde" if local.hour < 20 else "noche"
    return f"{clock} de la {part}"


def say_at(local: datetime | time, language: str, *, spoken: bool = False) -> str:
    """The time as it stands after "at": in Spanish with its article, `las 3 pm`, `la 1 pm`."""
    said = say_time(local, language, spoken=spoken)
    if best_language(_DAYS, language) == "en":
        return said
    return f"la {said}" if local.hour % 12 == 1 else f"las {said}"


def moment_values(start: datetime, end: datetime | None, zone: ZoneInfo, language: str) -> dict[str, str]:
    """What a template may say about a dated thing, for its place and a reader's language: day, time, from, to."""
    local = start.astimezone(zone)
    values = {
        "day": say_day(local, language),
        "day.spoken": say_day(local, language, spoken=True),
        "time": say_at(local, language),
        "from": say_time(local, language),
    }
    if end is not None:
        values["to"] = say_time(end.astimezone(zone), language)
    if best_language(_DAYS, language) == "es":
        values["time.spoken"] = say_at(local, language, spoken=True)
    return values

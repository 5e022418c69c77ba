"""What a pharmacist or a translator should mend in the catalog before anything is sent with it."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from notifier.catalog import SHIPPED, Catalog, load
from notifier.catalog import check_words as rules
from notifier.catalog.check_words import LONGEST
from notifier.catalog.grade import grade
from notifier.catalog.links import pages_in
from notifier.catalog.messages import NOTE
from notifier.core import triage
from notifier.core.triage import Row
from notifier.core.vocabulary import Prompt, Urgency
from notifier.core.wording import PLACEHOLDER, Template

__all__ = ["LONGEST", "faults", "notes"]

STAFF = ("page", "staff.")  # read by staff, in English
PARTS = ("link.",)  # no messages: they stand within one
WITHOUT_SENDER = ("unreadable", *STAFF, *PARTS)
SPOKEN_BY_US = ("voice.", "page")  # whose keys are ours, not the catalog's
DATED = {"day", "time", "from"}  # known of anything that has a date
ABOUT_CONSENT = ("HELP", "STOP", "START")  # answers that are about these words themselves
_PRESSED = re.compile(r"(?:press|oprima) (\d)")


def faults(catalog: Catalog) -> list[str]:
    """Every fault, as "file: key: what to write instead"; the file is the pharmacy's own where it is at fault."""
    whose = _Whose(catalog)
    # What we offer as a reply is understood by the rules, which a nurse has signed: never by likeness alone.
    catalog = replace(catalog, rules=replace(catalog.rules, learned=None))
    found: list[str] = []
    for template in catalog.messages.values():
        found += _message(template, catalog, whose)
    for row in catalog.rules.rows.values():
        found += _answer(row, catalog, whose)
    found += [f"{whose.file('links.toml', *key.split('.'))}: {key}: {said}" for key, said in catalog.links.faults()]
    found += _safety(catalog, whose)
    found += _stop_lines(catalog, whose)
    return found


def notes(catalog: Catalog) -> list[str]:
    """What is no fault and worth knowing: a language in which some answers are English, or that has no grade."""
    found = []
    for language in catalog.languages:
        untold = [row.code for row in catalog.rules.rows.values() if row.reply and language not in row.reply]
        if untold:
            found.append(f"{language}: {len(untold)} answers are in English: add reply.{language} to triage.toml")
        if grade("A person will call you.", language) is None:
            found.append(f"{language}: no formula for its reading grade: let somebody read it who reads little")
    return found


@dataclass
class _Whose:
    """Whose file says something: the pharmacy's own, by its whole path, or the one that is shipped, by its name."""

    catalog: Catalog
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def file(self, name: str, *keys: str) -> str:
        """The file to mend; `keys` lead to what is wrong in it."""
        own = self.catalog.own
        if own is None or not (own / name).is_file():
            return name
        if name not in self.tables:
            self.tables[name] = tomllib.loads((own / name).read_text(encoding="utf-8"))
        said: Any = self.tables[name]
        for key in keys:
            said = said.get(key) if isinstance(said, dict) else None
        return str(own / name) if said is not None or not (SHIPPED / name).exists() else name


# --- messages -----------------------------------------------------------------------------------------------------


def _message(template: Template, catalog: Catalog, whose: _Whose) -> Iterator[str]:
    for language in catalog.languages:
        name = f"messages.{language}.toml"

        def at(setting: str, name: str = name) -> str:
            return f"{whose.file(name, template.key, setting)}: {template.key}: {setting}"

        for setting, told in (("text", template.text), ("voice", template.voice)):
            if language in told:
                for fault in _words(template, setting, language, catalog):
                    yield f"{at(setting)}: {fault}"
            elif told and not template.key.startswith(STAFF):
                yield f"{at(setting)} is missing: say in it what the English says"
        if template.key.startswith((*STAFF, *SPOKEN_BY_US)):
            continue
        for fault in _keys(template, language):
            yield f"{at('keys')}{fault}"
        for fault in _replies(template, language, catalog):
            yield f"{at('replies')}{fault}"
    for step in catalog.journeys.steps:
        if step.template == template.key and not (template.text and template.voice):
            file = whose.file("messages.en.toml", template.key)
            yield f"{file}: {template.key}: {step.key} may go by text or by call: write both text and voice"


def _words(template: Template, setting: str, language: str, catalog: Catalog) -> Iterator[str]:
    """What is wrong with one text or one voice of a template."""
    is_text = setting == "text"
    words = (template.text if is_text else template.voice)[language]
    yield from _placeholders(template, setting, language)
    if template.key.startswith(STAFF):
        if is_text:
            yield from rules.of_a_text(catalog, words, language)
        return
    yield from rules.of_any(catalog, words, language)
    if not is_text:
        if pages_in(words):
            yield "nobody can follow a page on the phone: leave it out"
        return
    yield from rules.of_a_text(catalog, words, language)
    yield from rules.of_words_offered(words, template.replies.get(language, ()), template.note.get(language, ""))
    if not template.key.startswith(WITHOUT_SENDER) and not words.startswith("{brand}"):
        yield "begin with {brand}: people must know who writes"
    if template.asks is Prompt.CHECK_IN and not ("911" in words and "{phone}" in words):
        yield "whoever is asked how they feel must read {phone} and 911: add both"


def _placeholders(template: Template, setting: str, language: str) -> Iterator[str]:
    """Whether it names what the others name, and nothing that the service does not know at that moment."""
    told = template.text if setting == "text" else template.voice
    named = set(PLACEHOLDER.findall(told[language])) & LONGEST.keys()
    english = set(PLACEHOLDER.findall(told.get("en", ""))) & LONGEST.keys()
    if missing := english - named - {"brand", "phone"}:
        yield f"{{{'}, {'.join(sorted(missing))}}} is missing: the English names it"
    ours = load().messages.get(template.key)
    if ours is None:
        return
    known = {name for words in (*ours.text.values(), *ours.voice.values()) for name in PLACEHOLDER.findall(words)}
    known |= {"brand", "phone"} | (DATED if known & DATED else set())
    if unknown := named - known:
        yield f"{{{'}, {'.join(sorted(unknown))}}} is not known when this is said: leave it out"


def _keys(template: Template, language: str) -> Iterator[str]:
    """Whether every key of the phone that is spoken of means something, the same in each language."""
    voice, keys = template.voice.get(language), template.keys.get(language, {})
    if voice is None:
        return
    if template.asks and not keys:
        yield " is missing: it asks, and a call answers by keys"
        return
    english = template.keys.get("en", {})
    if keys.keys() != english.keys():
        yield f": it has {_list(keys)}, the English {_list(english)}: the same keys in each language"
    dumb = set(_PRESSED.findall(voice)) - keys.keys() - {"0", "8", "9"}
    if dumb:
        yield f": the voice speaks of {_list(dumb)}: say what word it stands for"


def _list(keys: Any) -> str:
    return ", ".join(sorted(keys)) or "none"


def _replies(template: Template, language: str, catalog: Catalog) -> Iterator[str]:
    """Whether what people are expected to answer, in words or by a key, is understood against the question."""
    replies = template.replies.get(language, ())
    if template.asks and template.text and not replies:
        yield f" is missing: it asks for {template.asks}, name what people will answer"
    for reply in (*replies, *template.keys.get(language, {}).values()):
        if "UNKNOWN" in triage.read(reply, catalog.rules, prompt=template.asks).kinds:
            to = f" as an answer to {template.asks}" if template.asks else ""
            yield f': "{reply}" is not understood{to}: offer another word, or add it to a row of triage.toml (whole)'


# --- answers ------------------------------------------------------------------------------------------------------


def _answer(row: Row, catalog: Catalog, whose: _Whose) -> Iterator[str]:
    """What is wrong with our answer to what somebody reports."""
    if "en" in row.reply and "es" not in row.reply:
        yield f"triage.toml: {row.code}: reply.es is missing: say in it what the English says"
    for language, words in row.reply.items():
        at = f"{whose.file('triage.toml', row.code, 'reply', language)}: {row.code}: reply.{language}"
        red = row.urgency.is_red or any(raised.is_red for raised in row.raised.values())
        for fault in (*rules.of_any(catalog, words, language), *rules.of_a_text(catalog, words, language)):
            yield f"{at}: {fault}"
        if pages_in(words) and red:
            yield f"{at}: leave out the page: who needs help now needs a number"
        if red and not ("{phone}" in words or "911" in words):
            yield f"{at}: it is urgent: tell {{phone}} or 911"
        if row.urgency is Urgency.EMERGENCY and "911" not in words:
            yield f"{at}: it is an emergency: tell 911"
        if row.code not in ABOUT_CONSENT and (swallowed := set(rules.offered_in(words)) & rules.TWILIO.keys()):
            yield f"{at}: Twilio takes {_list(swallowed)} for its own: offer another word"


# --- what every patient is told -----------------------------------------------------------------------------------


def _safety(catalog: Catalog, whose: _Whose) -> Iterator[str]:
    """Whether the safety note stands where it must, word for word, and other words are another version."""
    places = (
        ("M01", "text", catalog.messages["M01"].text, "short"),
        ("voice.opening", "voice", catalog.messages["voice.opening"].voice, "spoken"),
    )
    for language in catalog.languages:
        name, note = f"messages.{language}.toml", catalog.safety.get(language)
        file = whose.file("triage.toml", "HELP", "reply", language)
        if note is None:
            yield f"{whose.file(name)}: {NOTE} is missing: version, page, text and voice of the safety note"
            continue
        for key, setting, told, which in places:
            if language in told and (words := getattr(note, which)) not in told[language]:
                yield f'{whose.file(name, key, setting)}: {key}: {setting}: say "{words}" in it, as {NOTE} does'
        if (answer := catalog.rules.rows["HELP"].reply.get(language)) and note.short not in answer:
            yield f'{file}: HELP: reply.{language}: say "{note.short}" in it, as {NOTE} does'
        ours = load().safety.get(language)
        if ours and note != ours and note.version == ours.version:
            yield f"{whose.file(name, NOTE)}: {NOTE}: version: other words need another version than {ours.version}"


def _stop_lines(catalog: Catalog, whose: _Whose) -> Iterator[str]:
    """Whether people read how to end the texts: on joining, on asking, and at least once a month."""
    for language in catalog.languages:
        for key in ("M01", "start.confirm"):
            words = catalog.messages[key].text.get(language)
            if words is not None and not _tells_stop(words, catalog):
                file = whose.file(f"messages.{language}.toml", key, "text")
                yield f"{file}: {key}: text: say how to end the texts, such as: STOP to end"
        answer = catalog.rules.rows["HELP"].reply.get(language)
        if answer and not _tells_stop(answer, catalog):
            file = whose.file("triage.toml", "HELP", "reply", language)
            yield f"{file}: HELP: reply.{language}: say how to end the texts, such as: STOP to end"
    monthly = [step.monthly_words for step in catalog.journeys.steps if step.monthly_words and not step.therapies]
    if not any(all(_tells_stop(words, catalog) for words in _texts(key, catalog)) for key in monthly):
        yield (
            f"{whose.file('journeys.toml')}: check_in: no step says once a month how to end the texts: "
            'give it monthly_words = "M14.stop"'
        )


def _texts(template: str, catalog: Catalog) -> list[str]:
    return list(catalog.messages[template].text.values()) or [""]


def _tells_stop(words: str, catalog: Catalog) -> bool:
    return any(triage.read(word, catalog.rules).kinds == ("STOP",) for word in rules.offered_in(words))

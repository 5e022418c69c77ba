"""What a pharmacist or a translator should mend in the catalog before anything is sent with it."""

from collections.abc import Iterator

from notifier.catalog import Catalog
from notifier.core.vocabulary import Channel
from notifier.core.wording import LIST_ROOM, MAX_SEGMENTS, PLACEHOLDER, Template, segments

STAFF = ("page", "staff.")  # read by staff, in English
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
}


def faults(catalog: Catalog) -> list[str]:
    """Every fault of the messages, as "file: key: what to do instead"."""
    return [fault for template in catalog.messages.values() for fault in _faults(template, catalog)]


def _faults(template: Template, catalog: Catalog) -> Iterator[str]:
    for language in catalog.languages:
        name = f"messages.{language}.toml: {template.key}"
        for channel, words in ((Channel.SMS, template.text), (Channel.VOICE, template.voice)):
            if language not in words:
                if words and not template.key.startswith(STAFF):
                    yield f"{name}: {_setting(channel)} is missing"
                continue
            unknown = {match for match in PLACEHOLDER.findall(words[language]) if match not in LONGEST}
            if unknown:
                yield f"{name}: {_setting(channel)}: no such placeholder: {', '.join(sorted(unknown))}"
            elif channel is Channel.SMS:
                yield from _length(name, words[language], catalog.render(template.key, language, channel, LONGEST))
        if template.asks and template.voice and language not in template.keys:
            yield f"{name}: keys is missing: it asks, and a call answers by keys"
    for step in catalog.journeys.steps:
        if step.template == template.key and not (template.text and template.voice):
            yield f"messages.en.toml: {template.key}: {step.key} may go by text or by call: write both text and voice"


def _length(name: str, written: str, longest: str) -> Iterator[str]:
    if segments(PLACEHOLDER.sub("", written))[1] != "GSM-7":
        dear = sorted({char for char in written if segments(char)[1] != "GSM-7"})
        yield f"{name}: text: write it without {' '.join(dear)}, which make a text twice as dear"
    count, _ = segments(longest)
    if count > MAX_SEGMENTS:
        yield f"{name}: text: {count} segments; make it shorter than {MAX_SEGMENTS * 153} letters"


def _setting(channel: Channel) -> str:
    return "text" if channel is Channel.SMS else "voice"

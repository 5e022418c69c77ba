"""The words and the rhythm of the product as data that a pharmacist can read: loaded and checked once, at start."""

import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from notifier.catalog import checklists
from notifier.catalog.calls import read_manner
from notifier.catalog.checklists import Checklists
from notifier.catalog.failures import read_failures
from notifier.catalog.journey_files import KEYED, read_journey
from notifier.catalog.links import Links, pages_in, read_links
from notifier.catalog.messages import SafetyNote, read_messages
from notifier.catalog.rules import load_rules
from notifier.catalog.unsaid import Unsaid, read_unsaid
from notifier.core.failures import Failures
from notifier.core.journey import Journey
from notifier.core.phone import Manner
from notifier.core.routing import LadderRung
from notifier.core.triage import Rules
from notifier.core.vocabulary import Channel, Rung, Topic, Urgency
from notifier.core.wording import Template, best_language, fill, render, version
from notifier.errors import Misconfigured

SHIPPED = Path(__file__).parent
Table = dict[str, Any]


@dataclass(frozen=True)
class Prices:
    """What sending costs, in US dollars: for estimates."""

    sms_segment: float = 0.0
    carrier_segment: float = 0.0
    voice_minute: float = 0.0
    words_a_minute: float = 130

    @property
    def segment(self) -> float:
        """A segment, with what the carrier adds."""
        return self.sms_segment + self.carrier_segment


@dataclass(frozen=True)
class Catalog:
    """Messages, the journey, triage rules, ladders unless a site has its own, how we call, checklists, failures."""

    messages: Mapping[str, Template]
    journeys: Journey
    rules: Rules
    ladders: Mapping[Urgency, tuple[LadderRung, ...]]
    calls: Manner
    languages: tuple[str, ...]
    safety: Mapping[str, SafetyNote]
    links: Links
    unsaid: Mapping[str, Unsaid]
    failures: Failures
    checklists: Checklists
    own: Path | None = None  # the pharmacy's folder, laid over ours
    prices: Prices = Prices()

    def render(
        self,
        template: str,
        language: str,
        channel: Channel,
        values: Mapping[str, str],
        alive: Container[str] = frozenset(),
    ) -> str:
        """The words of one message as they leave. `alive`: the pages that were found last time they were looked for.

        Raises KeyError for what the catalog or the values do not have.
        """
        message = self.messages[template]
        linked = self._linked(message.words(language, channel), language, values, alive)
        return render(message, language, {**values, **linked}, channel)

    def version(self, template: str, language: str, channel: Channel) -> str | None:
        """Which words a template, or the answer ack.FEVER, has now; None where it has none of its own."""
        row = self.rules.rows.get(template.removeprefix("ack."))
        if template.startswith("ack.") and row and row.reply:
            return version(row.reply[best_language(row.reply, language)])
        try:
            return version(self.messages[template].words(language, channel))
        except KeyError:
            return None

    def fill(self, words: str, language: str, values: Mapping[str, str], alive: Container[str] = frozenset()) -> str:
        """Words of the triage table with their values and links, as a text. Raises KeyError for one without."""
        return fill(words, {**values, **self._linked(words, language, values, alive)})

    def _linked(self, words: str, language: str, values: Mapping[str, str], alive: Container[str]) -> Mapping[str, str]:
        """What stands for each {link.page}: the page if it is there, else the number unless the words tell it."""
        told = {}
        for name in pages_in(words):
            url = self.links.url(name, language)
            if url is not None and url in alive:
                told[f"link.{name}"] = fill(self.messages["link.more"].words(language, Channel.SMS), {"url": url})
            else:
                number = "" if "{phone}" in words else self.messages["link.call"].words(language, Channel.SMS)
                told[f"link.{name}"] = fill(number, values)
        return told

    def names_pages(self, template: str, channel: Channel) -> bool:
        """Whether its words name a page, so that it must be known which ones are there."""
        message = self.messages.get(template)
        words = (message.text if channel is Channel.SMS else message.voice) if message else {}
        return any(pages_in(each) for each in words.values())

    def withheld(self, words: str) -> list[str]:
        """Why a text that a person wrote must not leave so: what it names that the catalog keeps unsaid."""
        found = [(unsaid.found_in(words), unsaid.say) for unsaid in self.unsaid.values()]
        return [f'Leave out "{said}": say {instead}.' for said, instead in found if said]

    def has_voice(self, template: str) -> bool:
        """Whether it can be told by a call."""
        return template in self.messages and bool(self.messages[template].voice)

    def topic_of(self, step: str | None) -> Topic | None:
        """What a step of the journey is about, for those who hear of some things only."""
        return next((each.topic for each in self.journeys.steps if each.key == step), None)


@lru_cache(maxsize=4)
def load(override: Path | None = None) -> Catalog:
    """The catalog that is shipped, with the files of a pharmacy's own folder laid over it.

    Raises Misconfigured, which names every fault with its file and key.
    """
    folders = [SHIPPED, *([override] if override else [])]
    faults: list[str] = []
    names = {path.name for folder in folders for path in folder.glob("messages.*.toml")}
    said = read_messages({name: _tables(folders, name, faults) for name in names}, faults)
    messages = said.templates
    links = read_links(_tables(folders, "links.toml", faults), faults)
    unsaid = read_unsaid(_tables(folders, "unsaid.toml", faults), faults)
    journeys, profiles = (_tables(folders, name, faults) for name in ("journeys.toml", "profiles.toml"))
    journey = read_journey(journeys, profiles, messages, faults)
    ladders = read_ladders(_tables(folders, "ladders.toml", faults).get("ladder", {}), "ladders.toml: ladder", faults)
    prices = _prices(_tables(folders, "prices.toml", faults), faults)
    failures = read_failures(_tables(folders, "failures.toml", faults), faults)
    lists = checklists.read(_tables(folders, "checklists.toml", faults), faults)
    manner = read_manner(_tables(folders, "calls.toml", faults), faults)
    if faults or journey is None or manner is None:
        raise Misconfigured("the catalog is wrong: " + "; ".join(faults))
    return Catalog(
        messages,
        journey,
        load_rules(folders),
        ladders,
        manner,
        said.languages,
        said.safety,
        links,
        unsaid,
        failures,
        lists,
        override,
        prices,
    )


def _prices(table: Table, faults: list[str]) -> Prices:
    known = Prices.__dataclass_fields__
    wrong = [name for name, value in table.items() if name not in known or not isinstance(value, int | float)]
    faults += [f"prices.toml: {name}: must be a number and one of {', '.join(known)}" for name in wrong]
    return Prices(**{name: float(value) for name, value in table.items() if name not in wrong})


# --- files --------------------------------------------------------------------------------------------------------


def _tables(folders: list[Path], name: str, faults: list[str]) -> Table:
    """The file of that name in each folder, the later laid over the earlier; lists of steps by their keys."""
    merged: Table = {}
    for folder in folders:
        path = folder / name
        if not path.is_file():
            continue
        try:
            merged = _over(merged, tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            faults.append(f"{path} is not TOML: {error}")
    return merged


def _over(under: Table, over: Table) -> Table:
    merged = dict(under)
    for key, value in over.items():
        have = merged.get(key)
        if isinstance(have, dict) and isinstance(value, dict):
            merged[key] = _over(have, value)
        elif key in KEYED and isinstance(have, list) and isinstance(value, list):
            steps = {step.get("key"): step for step in have}
            for step in value:
                steps[step.get("key")] = {**steps.get(step.get("key"), {}), **step}
            merged[key] = list(steps.values())
        elif key == "words" and isinstance(have, list) and isinstance(value, list):
            merged[key] = [*have, *value]
        else:
            merged[key] = value
    return merged


# --- ladders ------------------------------------------------------------------------------------------------------


def read_ladders(table: Table, name: str, faults: list[str]) -> dict[Urgency, tuple[LadderRung, ...]]:
    """`{urgency: {"rungs": [{"who", "by", "after"}]}}` as rungs; what is wrong is added to `faults` after `name`."""
    found = {}
    for word, ladder in table.items():
        if word not in list(Urgency) or word == Urgency.NONE:
            faults.append(f"{name}.{word}: no such urgency; one of {', '.join(list(Urgency)[:-1])}")
            continue
        rungs = []
        given = ladder.get("rungs") if isinstance(ladder, dict) else None
        for number, rung in enumerate(given if given and isinstance(given, list) else [{}], start=1):
            try:
                rungs.append(LadderRung(Rung(rung["who"]), Channel(rung["by"]), float(rung["after"])))
            except (KeyError, TypeError, ValueError):
                faults.append(
                    f"{name}.{word}: rung {number}: needs who ({', '.join(Rung)}), by (sms, voice) and after (minutes)"
                )
        if [rung.after for rung in rungs] != sorted(rung.after for rung in rungs):
            faults.append(f"{name}.{word}: the rungs must come one after another")
        found[Urgency(word)] = tuple(rungs)
    return found

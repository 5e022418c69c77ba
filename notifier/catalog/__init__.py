"""The words and the rhythm of the product as data that a pharmacist can read: loaded and checked once, at start."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from notifier.catalog.journey_files import KEYED, read_journey
from notifier.catalog.rules import load_rules
from notifier.core.journey import Journey
from notifier.core.routing import LadderRung
from notifier.core.triage import Rules
from notifier.core.vocabulary import Channel, Prompt, Rung, Urgency
from notifier.core.wording import Template, render
from notifier.errors import Misconfigured

SHIPPED = Path(__file__).parent
Table = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """Messages by key, the journey, the triage rules, and the ladders that stand unless the pharmacy has its own."""

    messages: Mapping[str, Template]
    journeys: Journey
    rules: Rules
    ladders: Mapping[Urgency, tuple[LadderRung, ...]]
    languages: tuple[str, ...]

    def render(self, template: str, language: str, channel: Channel, values: Mapping[str, str]) -> str:
        """The words of one message as they leave. Raises KeyError for what the catalog or the values do not have."""
        return render(self.messages[template], language, values, channel)

    def has_voice(self, template: str) -> bool:
        """Whether it can be told by a call."""
        return template in self.messages and bool(self.messages[template].voice)


@lru_cache(maxsize=4)
def load(override: Path | None = None) -> Catalog:
    """The catalog that is shipped, with the files of a pharmacy's own folder laid over it.

    Raises Misconfigured, which names every fault with its file and key.
    """
    folders = [SHIPPED, *([override] if override else [])]
    faults: list[str] = []
    languages, messages = _messages(folders, faults)
    journeys, profiles = (_tables(folders, name, faults) for name in ("journeys.toml", "profiles.toml"))
    journey = read_journey(journeys, profiles, messages, faults)
    ladders = read_ladders(_tables(folders, "ladders.toml", faults).get("ladder", {}), "ladders.toml: ladder", faults)
    if faults or journey is None:
        raise Misconfigured("the catalog is wrong: " + "; ".join(faults))
    return Catalog(messages, journey, load_rules(folders), ladders, languages)


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
        else:
            merged[key] = value
    return merged


# --- messages -----------------------------------------------------------------------------------------------------


def _messages(folders: list[Path], faults: list[str]) -> tuple[tuple[str, ...], dict[str, Template]]:
    names = sorted({path.name for folder in folders for path in folder.glob("messages.*.toml")})
    tables = {name.split(".")[1]: _messages_in(name, _tables(folders, name, faults), faults) for name in names}
    english = tables.get("en", {})
    for language, table in tables.items():
        faults += [
            f"messages.{language}.toml: {key} is not in messages.en.toml" for key in table.keys() - english.keys()
        ]
    found = {}
    for key, entry in english.items():
        try:
            asks = Prompt(entry["asks"]) if "asks" in entry else None
        except ValueError:
            faults.append(f"messages.en.toml: {key}: asks: no such question; one of {', '.join(Prompt)}")
            continue
        told = {language: table[key] for language, table in tables.items() if key in table}
        found[key] = Template(
            key=key,
            asks=asks,
            text={language: words["text"] for language, words in told.items() if "text" in words},
            voice={language: words["voice"] for language, words in told.items() if "voice" in words},
            keys={language: words["keys"] for language, words in told.items() if "keys" in words},
        )
        if not (found[key].text or found[key].voice):
            faults.append(f"messages.en.toml: {key} has neither text nor voice")
    return tuple(sorted(tables)), found


def _messages_in(name: str, table: Table, faults: list[str]) -> Table:
    """The messages of one file, without those that are no tables of words."""
    wrong = {
        key: f"{name}: {key} must be a table with text or voice"
        for key, entry in table.items()
        if not isinstance(entry, dict) or not all(isinstance(entry.get(way, ""), str) for way in ("text", "voice"))
    }
    faults += wrong.values()
    return {key: entry for key, entry in table.items() if key not in wrong}


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

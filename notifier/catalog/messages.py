"""Loads what we say: a file for each language, one message under each key, and the safety note."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.core.vocabulary import Prompt
from notifier.core.wording import Template

Table = dict[str, Any]
NOTE = "safety.note"
_WORDS = ("event", "text", "voice", "asks", "note")
_NOTE_WORDS = ("event", "version", "page", "text", "voice")


@dataclass(frozen=True)
class SafetyNote:
    """What every patient is told of what we are not: one text in each language, under one version."""

    version: str
    page: str  # the whole, as the guide has it: at opt-in and on our page
    short: str  # within a text
    spoken: str  # at the start of a call


@dataclass(frozen=True)
class Messages:
    """Every template by its key, the languages there are, and the safety note by language."""

    templates: Mapping[str, Template] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    safety: Mapping[str, SafetyNote] = field(default_factory=dict)


def read_messages(files: Mapping[str, Table], faults: list[str]) -> Messages:
    """The tables of `messages.xx.toml` by their names; what is wrong with them is added to `faults`."""
    tables: dict[str, Table] = {}
    safety = {}
    for name, table in sorted(files.items()):
        language = name.split(".")[1]
        tables[language] = _sound(name, {key: entry for key, entry in table.items() if key != NOTE}, faults)
        if NOTE in table and (note := _safety(name, table[NOTE], faults)):
            safety[language] = note
    english = tables.get("en", {})
    for language, table in tables.items():
        faults += [
            f"messages.{language}.toml: {key} is not in messages.en.toml" for key in table.keys() - english.keys()
        ]
    found = {}
    for key, entry in english.items():
        told = {language: table[key] for language, table in tables.items() if key in table}
        if "asks" in entry and entry["asks"] not in list(Prompt):
            faults.append(f"messages.en.toml: {key}: asks: no such question; one of {', '.join(Prompt)}")
            continue
        found[key] = _template(key, Prompt(entry["asks"]) if "asks" in entry else None, told)
        if not (found[key].text or found[key].voice):
            faults.append(f"messages.en.toml: {key} has neither text nor voice")
    return Messages(found, tuple(sorted(tables)), safety)


def _template(key: str, asks: Prompt | None, told: Mapping[str, Table]) -> Template:
    def by_language(name: str) -> dict[str, Any]:
        return {language: words[name] for language, words in told.items() if name in words}

    return Template(
        key=key,
        asks=asks,
        text=by_language("text"),
        voice=by_language("voice"),
        keys=by_language("keys"),
        replies=by_language("replies"),
        note=by_language("note"),
    )


def _sound(name: str, table: Table, faults: list[str]) -> Table:
    """The messages of one file, without those whose settings are not as they must be."""
    wrong: dict[str, list[str]] = {}
    for key, entry in table.items():
        if not isinstance(entry, dict):
            wrong[key] = [f"{name}: {key} must be a table with text or voice"]
            continue
        wrong[key] = [
            f"{name}: {key} must be a table with text or voice as words, not {setting} = {entry[setting]!r}"
            for setting in _WORDS
            if not isinstance(entry.get(setting, ""), str)
        ]
        wrong[key] += [
            f"{name}: {key}: {setting}: no such setting; one of {', '.join((*_WORDS, 'keys', 'replies'))}"
            for setting in entry.keys() - {*_WORDS, "keys", "replies"}
        ]
        keys, replies = entry.get("keys", {}), entry.get("replies", [])
        if not isinstance(keys, dict) or not all(isinstance(word, str) for word in keys.values()):
            wrong[key].append(f'{name}: {key}: keys: must look like {{ 1 = "YES", 2 = "CHANGE" }}')
        if not isinstance(replies, list) or not all(isinstance(word, str) for word in replies):
            wrong[key].append(f'{name}: {key}: replies: must look like ["YES", "CHANGE"]')
    faults += [fault for found in wrong.values() for fault in found]
    return {key: entry for key, entry in table.items() if not wrong[key]}


def _safety(name: str, entry: object, faults: list[str]) -> SafetyNote | None:
    if not isinstance(entry, dict) or any(
        not isinstance(entry.get(word), str) for word in _NOTE_WORDS if word != "event"
    ):
        faults.append(f"{name}: {NOTE} needs {', '.join(_NOTE_WORDS[1:])}, each as words")
        return None
    return SafetyNote(entry["version"], entry["page"], entry["text"], entry["voice"])

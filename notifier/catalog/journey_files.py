"""journeys.toml and profiles.toml as the journey that plans follow; every fault is named by its file and key."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import time, timedelta
from enum import StrEnum
from typing import Any

from notifier.core.business import DAYS
from notifier.core.journey import (
    Anchor,
    Journey,
    Limit,
    Profile,
    Rung,
    Step,
    Supply,
    WatchStep,
    Who,
)
from notifier.core.silence import PROFILE
from notifier.core.vocabulary import TEAMS, Channel, EventKind, Line, Prompt, Role, Storage, Therapy, Topic, Urgency
from notifier.core.wording import Template

Table = dict[str, Any]
KEYED = ("step", "silence", "watch")  # the lists whose entries a pharmacy's own file overlays by their keys

_SPAN = re.compile(r"([+-]?\d+) (minute|hour)s?")
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_STEP = frozenset(Step.__dataclass_fields__) - {"offset", "asks"} | {"after"}
_WATCH = frozenset(WatchStep.__dataclass_fields__) - {"offset"} | {"after"}
_RUNG = frozenset(Rung.__dataclass_fields__)
_PROFILE = frozenset(Profile.__dataclass_fields__) - {"therapy"}
_SETTINGS = {
    "first_dose_minutes": int,
    "teaching_minutes": int,
    "weekly_care": int,
    "most_doses": int,
    "cold_answer": timedelta,
    "settling": timedelta,
    "late_start": timedelta,
    "apart": timedelta,
}
_WORDS: dict[str, type[StrEnum]] = {
    "about": EventKind,
    "anchor": Anchor,
    "topic": Topic,
    "who": Who,
    "unless": EventKind,
    "role": Role,
    "urgency": Urgency,
    "by": Channel,
    "until_answered": Prompt,
}
_LISTS: dict[str, type[StrEnum]] = {"therapies": Therapy, "storages": Storage, "lines": Line}
_SPANS = ("after", "every", "lasts")


def read_journey(tables: Table, profiles: Table, messages: Mapping[str, Template], faults: list[str]) -> Journey | None:
    """The journey that the two files tell; None, and more `faults`, where they are wrong."""
    before = len(faults)
    ladders = _ladders(tables.get("silence", []), messages, faults)
    steps = []
    for entry in tables.get("step", []):
        found = list(_step_faults(entry, messages, ladders))
        faults += [f"journeys.toml: {entry.get('key', 'a step without a key')}: {fault}" for fault in found]
        if not found:
            steps.append(_step(entry, messages))
    known = {step.key for step in steps}
    for step in steps:
        faults += [
            f"journeys.toml: {step.key}: covered_by: no step {other}" for other in step.covered_by if other not in known
        ]
    welcome = tables.get("welcome", {})
    faults += [f"journeys.toml: welcome: {fault}" for fault in _step_faults(welcome, messages, ladders)]
    watches = list(_watches(tables.get("watch", []), faults))
    told = _profiles(profiles, ladders, faults)
    settings = dict(_settings(tables, faults))
    if len(faults) > before:
        return None
    return Journey(tuple(steps), _step(welcome, messages), tuple(watches), ladders, told, **settings)


def _settings(tables: Table, faults: list[str]) -> Iterator[tuple[str, Any]]:
    for name, kind in _SETTINGS.items():
        value = tables.get(name)
        if value is None:
            continue
        if kind is timedelta and isinstance(value, str) and _SPAN.fullmatch(value):
            yield name, span(value)
        elif kind is int and isinstance(value, int) and value > 0:
            yield name, value
        else:
            faults.append(f"journeys.toml: {name}: must look like {'6 hours' if kind is timedelta else '60'}")


# --- steps --------------------------------------------------------------------------------------------------------


def _step_faults(entry: Table, messages: Mapping[str, Template], ladders: Collection[str]) -> Iterator[str]:
    for name in ("key", "template", "anchor", "not_after"):
        if name not in entry:
            yield f"{name} is missing"
    yield from _unknown(entry, _STEP)
    for name in ("template", "words", "cold_words", "monthly_words"):
        if (name in entry or name == "template") and entry.get(name) not in messages:
            yield f"{name}: no message {entry.get(name)}"
    yield from _word_faults({name: value for name, value in entry.items() if name != "until_answered"})
    if "after" in entry and not _SPAN.fullmatch(str(entry["after"])):
        yield 'after: must look like "30 minutes" or "-1 hour"'
    if "at" in entry and not _HOUR.fullmatch(str(entry["at"])):
        yield 'at: must look like "10:00"'
    for limit in entry.get("not_after", ()):
        if not (_SPAN.fullmatch(limit) or _HOUR.fullmatch(limit) or limit in _LIMITS):
            yield f'not_after: {limit}: must look like "4 hours", "20:00" or one of {", ".join(_LIMITS)}'
    if "every" in entry and not entry.get("days"):
        yield "every: needs days to count on from"
    if "silence" in entry and entry["silence"] not in (PROFILE, *ladders):
        yield f"silence: no ladder {entry['silence']}; one of {', '.join((PROFILE, *ladders))}"
    template = messages.get(str(entry.get("template")))
    if (entry.get("silence") or entry.get("until_answered")) and template and not template.asks:
        yield "its message asks nothing, so no answer can come: give the message `asks`"


_LIMITS = ("start", "end", "ends_on", "reminders", "cover_ends_on")


def _unknown(entry: Table, known: Collection[str]) -> Iterator[str]:
    for name in sorted(entry.keys() - set(known)):
        yield f"{name}: no such setting"


def _word_faults(entry: Table) -> Iterator[str]:
    for name, kinds in _WORDS.items():
        if name in entry and entry[name] not in list(kinds):
            yield f"{name}: not one of {', '.join(kinds)}"
    for name, words in _LISTS.items():
        if not set(entry.get(name, ())) <= set(words):
            yield f"{name}: not all of {', '.join(words)}"


def _step(entry: Table, messages: Mapping[str, Template]) -> Step:
    made = {name: value for name, value in entry.items() if name not in ("after", *_LISTS)}
    return Step(
        **made
        | _enums(entry, ("about", "anchor", "topic", "who", "unless"))
        | {
            "not_after": tuple(_limit(text) for text in entry["not_after"]),
            "offset": span(entry["after"]) if "after" in entry else timedelta(),
            "days": tuple(entry.get("days", ())),
            "at": time.fromisoformat(entry["at"]) if "at" in entry else None,
            "asks": messages[entry.get("words") or entry["template"]].asks,
            "covered_by": tuple(entry.get("covered_by", ())),
        }
    )


def _enums(entry: Table, names: Collection[str]) -> Table:
    made: Table = {name: _WORDS[name](entry[name]) for name in names if name in entry}
    return made | {
        name: frozenset(kind(word) for word in entry[name]) for name, kind in _LISTS.items() if name in entry
    }


def span(text: str) -> timedelta:
    """`90 minutes`, `-1 hour`."""
    match = _SPAN.fullmatch(text)
    assert match
    return timedelta(**{f"{match[2]}s": int(match[1])})


def _limit(text: str) -> Limit:
    if _SPAN.fullmatch(text):
        return span(text)
    return time.fromisoformat(text) if _HOUR.fullmatch(text) else Anchor(text)


# --- silence and watches ------------------------------------------------------------------------------------------


def _ladders(entries: list[Table], messages: Mapping[str, Template], faults: list[str]) -> dict[str, tuple[Rung, ...]]:
    ladders = {}
    for entry in entries:
        name, rungs = entry.get("key", "a ladder without a key"), []
        for number, rung in enumerate(entry.get("rungs", []), start=1):
            found = [*_unknown(rung, _RUNG), *_word_faults(rung), *_rung_faults(rung, messages)]
            faults += [f"journeys.toml: silence {name}: rung {number}: {fault}" for fault in found]
            if not found:
                rungs.append(Rung(**rung | _enums(rung, _WORDS.keys() & rung.keys()) | {"after": span(rung["after"])}))
        if [rung.after for rung in rungs] != sorted(rung.after for rung in rungs):
            faults.append(f"journeys.toml: silence {name}: the rungs must come one after another")
        if not rungs or rungs[-1].role is None:
            faults.append(f"journeys.toml: silence {name}: the last rung must tell a member of staff (role)")
        ladders[name] = tuple(rungs)
    return ladders


def _rung_faults(rung: Table, messages: Mapping[str, Template]) -> Iterator[str]:
    if not _SPAN.fullmatch(str(rung.get("after"))):
        yield 'after: must look like "4 hours"'
    if ("who" in rung) is ("role" in rung):
        yield "needs either who (patient, helpers) or role"
    if "role" in rung:
        yield from _ticket_faults(rung)
    if "template" in rung and rung["template"] not in messages:
        yield f"template: no message {rung['template']}"


def _ticket_faults(entry: Table) -> Iterator[str]:
    for name in ("role", "urgency", "kind", "says"):
        if not entry.get(name):
            yield f"{name} is missing"
    if entry.get("role") not in TEAMS:
        yield f"role: not one of {', '.join(TEAMS)}"


def _watches(entries: list[Table], faults: list[str]) -> Iterator[WatchStep]:
    for entry in entries:
        found = [f"{name} is missing" for name in ("key", "anchor") if name not in entry]
        found += [*_unknown(entry, _WATCH), *_word_faults(entry), *_ticket_faults(entry)]
        found += [f'{name}: must look like "24 hours"' for name in _SPANS if not _is_span(entry, name)]
        faults += [f"journeys.toml: watch {entry.get('key', 'without a key')}: {fault}" for fault in found]
        if not found:
            yield _watch(entry)


def _watch(entry: Table) -> WatchStep:
    made: Table = {name: value for name, value in entry.items() if name not in ("after", *_LISTS)}
    made |= _enums(entry, ("about", "anchor", "unless", "role", "urgency", "until_answered"))
    made |= {name: span(entry[name]) for name in ("every", "lasts") if name in entry}
    made |= {
        "offset": span(entry["after"]) if "after" in entry else timedelta(),
        "days": tuple(entry.get("days", ())),
        "at": time.fromisoformat(entry["at"]) if "at" in entry else None,
    }
    return WatchStep(**made)


def _is_span(entry: Table, name: str) -> bool:
    return name not in entry or bool(_SPAN.fullmatch(str(entry[name])))


# --- profiles -----------------------------------------------------------------------------------------------------


def _profiles(tables: Table, ladders: Collection[str], faults: list[str]) -> dict[Therapy, Profile]:
    found = {}
    for name, entry in tables.items():
        if not isinstance(entry, dict):
            continue  # version, owner, approved
        if name not in list(Therapy):
            faults.append(f"profiles.toml: {name}: no such therapy; one of {', '.join(Therapy)}")
            continue
        wrong = [*_unknown(entry, _PROFILE), *_profile_faults(entry, ladders)]
        faults += [f"profiles.toml: {name}: {fault}" for fault in wrong]
        if not wrong:
            found[Therapy(name)] = _profile(Therapy(name), entry)
    faults += [f"profiles.toml: {therapy}: has no profile" for therapy in Therapy if therapy not in tables]
    return found


def _profile_faults(entry: Table, ladders: Collection[str]) -> Iterator[str]:
    for name in ("warm_up", "warm_up_ball", "refill_lead"):
        if not _is_span(entry, name):
            yield f'{name}: must look like "2 hours"'
    if entry.get("silence", "safety") not in ladders:
        yield f"silence: no ladder {entry['silence']}; one of {', '.join(ladders)}"
    if entry.get("supply_day", "mon") not in DAYS:
        yield f"supply_day: not one of {', '.join(DAYS)}"
    if any(not _HOUR.fullmatch(hour) for hour in entry.get("pump_checks", ())):
        yield 'pump_checks: must look like ["09:00", "14:00"]'
    if not entry.get("check_ins"):
        yield "check_ins: needs at least one day after the first dose, like [1, 3, 7]"
    if any(not supply.get("words") for supply in entry.get("supplies", ())):
        yield "supplies: each needs words"


def _profile(therapy: Therapy, entry: Table) -> Profile:
    spans = {name: span(entry[name]) for name in ("warm_up", "warm_up_ball", "refill_lead") if name in entry}
    return Profile(
        therapy,
        check_ins=tuple(entry["check_ins"]),
        check_in_every=entry.get("check_in_every"),
        silence=entry.get("silence", "safety"),
        line_care_every=entry.get("line_care_every") or None,
        labs_every=entry.get("labs_every"),
        supply_day=DAYS.index(entry["supply_day"]) if "supply_day" in entry else None,
        pump_checks=tuple(time.fromisoformat(hour) for hour in entry.get("pump_checks", ())),
        supplies=tuple(
            Supply(tuple(supply["words"]), supply.get("needed", False), supply.get("drug", False))
            for supply in entry.get("supplies", ())
        ),
        **spans,
    )

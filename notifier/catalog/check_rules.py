"""What a nurse should mend in the words of triage: phrases claimed twice, denied by themselves, or never heard."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from notifier.catalog.rules import load_rules, tables
from notifier.core.triage import Rules
from notifier.core.triage.lexicon import choices
from notifier.core.triage.reading import by_rules
from notifier.core.triage.words import phrase


def faults(folders: Sequence[Path]) -> list[str]:
    """Every fault of the phrases in triage.toml and the classes in the lexicons, as "file: key: what to do instead".

    `folders` are those that the rules are loaded from, the shipped one first. Raises Misconfigured.
    """
    data = tables(folders)
    rules = replace(load_rules(folders), learned=None)
    said = list(_phrases(data["triage.toml"]))
    return [*_claimed_twice(said, rules), *_unheard(said, rules), *_unused(data)]


def _phrases(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each phrase with the code whose row lists it, choices spelled out."""
    for code, row in table.items():
        if isinstance(row, dict):
            for words in row.get("words", {}).values():
                yield from ((code, one) for each in words for one in choices(each))


def _claimed_twice(said: Sequence[tuple[str, str]], rules: Rules) -> Iterator[str]:
    claims: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for code, words in said:
        claims[phrase(words, rules.spelling.known)].setdefault(code, words)
    for codes in claims.values():
        first, *others = codes
        for other in others:
            if other not in rules.instead_of.get(first, ()) and first not in rules.instead_of.get(other, ()):
                yield f"triage.toml: {other}: {codes[other]!r} is {first}'s too: leave it to one of them"


def _unheard(said: Sequence[tuple[str, str]], rules: Rules) -> Iterator[str]:
    for code, words in said:
        reading, _ = by_rules(words, rules)
        first, _, rest = words.partition(" ")
        if first in DENIALS and _names_a_symptom(rest, code, rules):
            yield f"triage.toml: {code}: {words!r} is how people deny it: leave it out, {rest!r} says it already"
        elif code not in reading.kinds and reading.urgency.rank > rules.rows[code].urgency.rank:
            yield (
                f"triage.toml: {code}: {words!r} is never heard: it is read as {', '.join(reading.kinds)},"
                " which is less urgent"
            )


def _names_a_symptom(rest: str, code: str, rules: Rules) -> bool:
    """Whether what is denied is a bare symptom of the row: "no chills", not "no le baja la fiebre"."""
    reading, text = by_rules(rest, rules)
    return code in reading.kinds and any(span.start <= 1 for span in text.spans.get("symptom_noun", ()))


def _unused(data: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Classes of words that no sign names: whoever adds to them waits in vain. The context's are named by the code."""
    signs = " ".join(
        str(sign)
        for entry in data["signs.toml"].values()
        if isinstance(entry, dict)
        for key in ("signs", "urgent", "emergency")
        for sign in entry.get(key, ())
    )
    names = {(name, file) for file in ("lexicon.en.toml", "lexicon.es.toml") for name in data[file].get("words", {})}
    for name, file in sorted(names):
        if f"<{name}>" not in signs and name not in OF_CODE:
            yield f"{file}: {name}: no sign of signs.toml names <{name}>: use it there, or take it out"


DENIALS = frozenset(("no", "not", "without", "never", "sin", "nunca", "ningun", "ninguna"))
# Classes that the code itself names: to read numbers, answers and opting out.
OF_CODE = frozenset(
    ("thermometer", "degrees", "oxygen", "pulse", "per_minute", "sugar", "systolic", "indoors", "unit_of_other")
    + (
        "number_of_other",
        "leads_temperature",
        "follows_temperature",
        "pressure",
        "later_on",
        "none_left",
        "not_yet",
        "ready",
    )
    + ("courtesy", "yes", "no", "okay", "us", "stop_object", "stop_request", "stop_word")
)

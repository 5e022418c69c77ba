"""`notifier triage`: a reply read without a patient, as JSON lines, for the eye, or measured against labels."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from notifier import evaluating
from notifier.catalog import SHIPPED
from notifier.catalog.rules import load_rules
from notifier.core import triage
from notifier.core.triage.raising import features
from notifier.core.triage.reading import by_rules
from notifier.core.triage.words import plain
from notifier.core.vocabulary import THERAPY_FLAGS, Prompt, Therapy


def rules(override: Path | None, learned: bool = True) -> triage.Rules:
    """The rules shipped, with a pharmacy's own over them; without `learned`, rules alone. Raises Misconfigured."""
    return load_rules([SHIPPED, *([override] if override else [])], learned=learned)


def answer(line: str, rules: triage.Rules) -> dict[str, Any]:
    """One line of `--jsonl`: never an exception, whatever the line. A line that is no JSON object is read as text."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        given = {"text": line.strip()}
    prompt, therapy = given.get("prompt"), given.get("therapy")
    reading = read_alone(
        str(given.get("text") or ""),
        rules,
        Prompt(prompt) if prompt in list(Prompt) else None,
        Therapy(therapy) if therapy in list(Therapy) else None,
    )
    return triage.to_json(reading, given.get("id", ""))


def read_alone(text: str, rules: triage.Rules, prompt: Prompt | None, therapy: Therapy | None) -> triage.Reading:
    """A reply read with nothing known but the question it answers and the therapy."""
    flags = frozenset({THERAPY_FLAGS[therapy]}) if therapy in THERAPY_FLAGS else frozenset()
    return triage.read(text, rules, prompt=prompt, flags=flags)


def evaluation(file: Path, rules: triage.Rules) -> Iterator[str]:
    """The figures and the misses of one labelled file. Raises NotifierError for a bad line."""
    replies = evaluating.labelled(file)
    return evaluating.report(evaluating.evaluate(replies, lambda *given: read_alone(given[0], rules, *given[1:])))


def told(text: str, rules: triage.Rules) -> Iterator[str]:
    """What was understood, and by which words."""
    return _shown(text, triage.read(text, rules), rules)


def explain(text: str, rules: triage.Rules) -> Iterator[str]:
    """What was understood, by which words and which rule, and what the learned layer added to it and why."""
    reading = triage.read(text, rules)
    yield from _shown(text, reading, rules)
    for found in reading.evidence:
        said = text[found.start : found.end]
        yield f"{found.kind} [{found.start}:{found.end}] {said!r} by {found.rule or 'a number or an answer'}"
    if rules.learned is None:
        yield "the learned layer is off"
        return
    alone, seen = by_rules(text, rules)
    if not seen.words:
        return
    opinion = rules.learned.opinion(plain(seen.raw), features(alone, seen, None))
    yield f"the rules alone: {alone.urgency}, {', '.join(alone.kinds)}"
    yield (
        f"the learned layer: red flag {opinion.red:.2f}, emergency {opinion.emergency:.2f},"
        f" any need {opinion.care:.2f}; "
        f"{', '.join(f'{kind} {score:.2f}' for kind, score in list(opinion.kinds.items())[:4]) or 'no code'}"
    )
    yield from (f'  like: "{like}"' for like in opinion.like)


def _shown(text: str, reading: triage.Reading, rules: triage.Rules) -> Iterator[str]:
    yield f"urgency: {reading.urgency}{', a nurse looks' if reading.look else ''}"
    yield f"goes to: {reading.role or 'nobody'}{'' if reading.ticket else ' (logged, no ticket)'}"
    for kind in reading.kinds:
        row = rules.rows.get(kind)
        spans = {text[found.start : found.end] for found in reading.evidence if found.kind == kind}
        because = f"  because of: {', '.join(repr(span) for span in sorted(spans))}" if spans else ""
        yield f"kind: {kind} ({row.what if row else 'not understood'}){because}"
    if reading.negated:
        yield f"denied: {', '.join(reading.negated)}"

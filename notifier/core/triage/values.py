"""The values of triage: a row of the table, what is known of words, and what was understood of one text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.core.vocabulary import Flag, Intent, Role, Urgency


@dataclass(frozen=True)
class Row:
    """One thing a patient may report: how soon who must act on it, and what we answer."""

    code: str
    what: str
    group: str
    urgency: Urgency
    role: Role | None = None
    minutes: int | None = None  # a person acts within; None: by the next work day
    promise: int | None = None  # the minutes that the reply promises unless the roster says otherwise
    target: str = ""  # the row's own words on its target
    reply: Mapping[str, str] = field(default_factory=dict)  # language -> text with {brand}, {phone}, {minutes}, {today}
    raised: Mapping[Flag, Urgency] = field(default_factory=dict)
    needs_signoff: bool = False  # the reply holds first aid
    ticket: bool = True
    traps: tuple[str, ...] = ()

    @property
    def opens_ticket(self) -> bool:
        """Whether a person must see it."""
        return self.ticket and self.role is not None


@dataclass(frozen=True)
class Evidence:
    """Where the raw text says `kind`: text[start:end], in characters; `rule` is what says so."""

    kind: str
    start: int
    end: int
    rule: str = ""


@dataclass(frozen=True)
class Reading:
    """What one text says. `kinds` is never empty; the most urgent of them rules."""

    kinds: tuple[str, ...]
    urgency: Urgency
    role: Role | None
    ticket: bool
    intent: Intent
    negated: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    temperature_c: float | None = None
    look: bool = False  # not sure: a nurse looks within half an hour
    like: tuple[str, ...] = ()  # labelled replies that made the learned layer raise it


def to_json(reading: Reading, id: str) -> dict[str, Any]:
    """The reading in the shape that `notifier triage --jsonl` prints."""
    return {
        "id": id,
        "kinds": list(reading.kinds),
        "urgency": reading.urgency.value,
        "role": reading.role.value if reading.role else None,
        "ticket": reading.ticket,
        "intent": reading.intent.value,
        "negated": list(reading.negated),
        "evidence": [{"kind": found.kind, "span": [found.start, found.end]} for found in reading.evidence],
    }

"""A call while it lasts: what its script waits for, and what may happen to it meanwhile."""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime

from notifier.sandbox.agenda import Awaits, Errand
from notifier.sandbox.records import CallStatus, Source


@dataclass(frozen=True)
class Wait:
    """The script rests for so many seconds, or with None until something happens."""

    seconds: float | None
    awaits: Awaits = Awaits.PERSON


@dataclass(frozen=True)
class Key:
    """A key of the phone was pressed."""

    digit: str


@dataclass(frozen=True)
class Words:
    """The person spoke."""

    text: str


@dataclass(frozen=True)
class LegAnswered:
    """A leg that was dialled has been taken."""

    sid: str


@dataclass(frozen=True)
class LegJoined:
    """A leg that was dialled has heard its whisper and talks to the caller now."""

    sid: str


@dataclass(frozen=True)
class LegEnded:
    """A leg that was dialled is over."""

    sid: str
    status: CallStatus


Happening = Key | Words | LegAnswered | LegJoined | LegEnded
Script = Generator[Wait, Happening | None, bool]


class HungUp(Exception):
    """Thrown into a script: the phone hung up."""


class Diverted(Exception):
    """Thrown into a script: the REST API gave the call other instructions."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source


@dataclass
class Line:
    """One leg in progress. Everything that happens to it and to the legs it dials happens in one lane, so in order."""

    sid: str
    lane: str
    at: datetime
    parent: "Line | None" = None
    whisper: Source | None = None
    script: Script | None = None
    timer: Errand | None = None
    due_at: datetime | None = None
    is_machine: bool = False
    entry_begun: bool = False
    answered_real: float | None = None
    events_sent: int = 0
    legs: list["Line"] = field(default_factory=list)

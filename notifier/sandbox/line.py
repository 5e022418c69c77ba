"""A call while it lasts: what its script waits for, and what may happen to it meanwhile."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier import clock
from notifier.sandbox.agenda import Agenda, Awaits, Errand
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


class Line:
    """One leg in progress: carries its script on, a step at a time, whenever something happens or a wait ends.

    All that happens to it and to the legs it dials happens in one lane, so in order. `ended` is called when the script
    has come to its end, `unanswered` when the wait ends before there is one.
    """

    def __init__(self, sid: str, agenda: Agenda, parent: "Line | None" = None, whisper: Source | None = None) -> None:
        self.sid, self.agenda, self.parent, self.whisper = sid, agenda, parent, whisper
        self.lane: str = parent.lane if parent else f"call {sid}"
        self.legs: list[Line] = []
        self.is_open = True
        self.is_machine = False
        self.entry_begun = False
        self.answered_real: float | None = None
        self.events_sent = 0
        self.ended: Callable[[], None] = lambda: None
        self.unanswered: Callable[[], None] = lambda: None
        self._script: Script | None = None
        self._timer: Errand | None = None
        self._at = clock.now()
        self._due_at: datetime | None = None

    @property
    def has_script(self) -> bool:
        """Whether it has begun to carry out TwiML."""
        return self._script is not None

    def do(self, work: Callable[[], None], after: float = 0) -> None:
        """Does this in the line's lane, unless the line is over by then."""
        self.agenda.later(after, lambda: work() if self.is_open else None, lane=self.lane)

    def begin(self, script: Script) -> None:
        """Takes this script and goes as far as it can."""
        self.stop_waiting()
        self._at = clock.now()
        self._script = script
        self.step(None)

    def soon(self, happening: Happening) -> None:
        """Lets this happen to the script, in its turn."""

        def happen() -> None:
            self._at = clock.now()
            self.step(happening)

        self.do(happen)

    def step(self, happening: Happening | None) -> None:
        """Carries the script on with what happened; None: its wait is over."""
        self._advance(lambda script: script.send(happening))

    def throw(self, surprise: HungUp | Diverted) -> None:
        """Surprises the script."""
        self._advance(lambda script: script.throw(surprise))

    def wait(self, seconds: float, awaits: Awaits) -> None:
        """Goes on after so many real seconds; settled waits end sooner."""
        self._due_at = self._at + timedelta(seconds=seconds)
        self._timer = self.agenda.later(seconds, self.lose_patience, lane=self.lane, awaits=awaits)

    def stop_waiting(self) -> None:
        """Forgets the wait."""
        if self._timer:
            self._timer.cancel()
        self._timer = self._due_at = None

    def lose_patience(self) -> None:
        """The wait is over, in this lane and now."""
        if not self.is_open:
            return
        if self._script is None:
            self.unanswered()
        else:
            self.step(None)

    def is_overdue(self, now: datetime) -> bool:
        """Whether its wait has lasted long enough by the product's clock."""
        return self._timer is not None and self._due_at is not None and self._due_at <= now

    def catch_up(self) -> None:
        """Ends the wait that is overdue, unless it ends by itself first."""
        timer, self._at = self._timer, self._due_at or self._at
        self.do(lambda: self.lose_patience() if self._timer is timer else None)

    def close(self) -> None:
        """Nothing more happens here."""
        self.is_open = False
        self.stop_waiting()
        if self._script:
            self._script.close()

    def _advance(self, go_on: Callable[[Script], Wait]) -> None:
        if self._script is None or not self.is_open:
            return
        self.stop_waiting()
        try:
            wait = go_on(self._script)
        except (StopIteration, HungUp):
            self.ended()
            return
        if wait.seconds is not None:
            self.wait(wait.seconds, wait.awaits)

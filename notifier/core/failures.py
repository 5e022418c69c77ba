"""What Twilio's error codes mean for us and what follows: the classes, and the rules of `catalog/failures.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

PACIFIC_MIDNIGHT = "pacific midnight"  # when carriers begin to count a new day
PACIFIC = ZoneInfo("America/Los_Angeles")


class Failure(StrEnum):
    """Why a message did not arrive, as far as it decides what follows."""

    OPTED_OUT = "opted_out"
    LANDLINE = "landline"
    INVALID = "invalid"
    BLOCKED = "blocked"
    TRANSIENT = "transient"
    AMBIGUOUS = "ambiguous"
    CONFIGURATION = "configuration"
    SHUT_OUT = "shut_out"
    CONTENT = "content"

    @property
    def is_ours(self) -> bool:
        """A fault of our set-up, our account or our words, never of the recipient."""
        return self in (Failure.CONFIGURATION, Failure.SHUT_OUT, Failure.CONTENT)

    @property
    def stops_sender(self) -> bool:
        """Nothing else would leave either, until somebody mends it."""
        return self in (Failure.CONFIGURATION, Failure.SHUT_OUT)

    @property
    def may_pass(self) -> bool:
        """The same may arrive later."""
        return self in (Failure.TRANSIENT, Failure.AMBIGUOUS)


@dataclass(frozen=True)
class Rule:
    """What one code means, and what follows."""

    failure: Failure
    means: str
    tries: int = 3
    wait: timedelta | None = timedelta(minutes=5)  # None: until midnight in Los Angeles
    voice: bool = True  # whether a call to the same number makes sense

    @property
    def sentence(self) -> str:
        """What it means, to be read alone."""
        of_number = self.means.split()[0] in ("is", "takes", "opted", "cannot", "could", "was", "blocks", "waited")
        return f"The number {self.means}" if of_number else self.means[:1].upper() + self.means[1:]

    def next_try(self, tried: int, now: datetime, *, urgent: bool) -> datetime:
        """When it may be tried again, after so many tries; without jitter."""
        if self.wait is None:
            return pacific_midnight(now)
        return now + (URGENT_WAIT if urgent else self.wait * 3 ** max(tried - 1, 0))


URGENT_WAIT = timedelta(minutes=2)


@dataclass(frozen=True)
class Failures:
    """The rule of every code."""

    unknown: Rule
    codes: Mapping[int, Rule] = field(default_factory=dict)

    def of(self, code: int | None) -> Rule:
        """What follows a code; an unknown one has a safe default."""
        return self.codes.get(code or 0, self.unknown)

    def ours(self) -> list[int]:
        """The codes that say nothing about a recipient: they use up no try."""
        return [code for code, rule in self.codes.items() if rule.failure.stops_sender]


def pacific_midnight(now: datetime) -> datetime:
    """The next midnight in Los Angeles."""
    day = now.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime.combine(day, time(0), PACIFIC).astimezone(now.tzinfo)

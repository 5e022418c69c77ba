"""Bad days on demand: what happens to a request to the REST API, for the next few or until the weather changes."""

import threading
from dataclasses import dataclass
from enum import StrEnum


class Weather(StrEnum):
    """What becomes of a request. Those `after` are carried out first, so that only the answer is spoilt."""

    FAIR = "fair"
    TOO_MANY = "429"
    DOWN = "500"
    GHOST = "500-after"
    HANG = "hang"
    ANSWER_LOST = "answer-lost"
    DROPPED = "dropped"
    DROPPED_AFTER = "dropped-after"
    SLOW = "slow"
    HALF = "half-a-body"

    @classmethod
    def _missing_(cls, value: object) -> "Weather | None":
        wanted = str(value).strip().lower().replace(" ", "-").replace("_", "-")
        return next((one for one in cls if one.value == wanted), None)

    @property
    def is_after(self) -> bool:
        """The request is carried out all the same."""
        return self in (Weather.GHOST, Weather.ANSWER_LOST, Weather.DROPPED_AFTER, Weather.SLOW, Weather.HALF)


class Part(StrEnum):
    """A part of Twilio that may have a bad day while the others have a good one."""

    TEXTS = "texts"  # to be sent; their lists can be read
    LOOKUP = "lookup"


@dataclass
class Fault:
    """Something that will spoil `times` creations, of anything or of what goes `to` one number.

    A number is one of Twilio's codes: refused with it.
    """

    kind: Weather | int
    times: int
    to: str | None


class Sky:
    """The weather over the REST API, and the faults that are still to strike."""

    def __init__(self) -> None:
        self.weather = Weather.FAIR
        self.over = dict.fromkeys(Part, Weather.FAIR)  # parts of Twilio that have bad days of their own
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def expect(self, kind: Weather | int, times: int, to: str | None) -> None:
        """The next `times` creations of a text or call, or of those to one number, meet this."""
        with self._lock:
            self._faults.append(Fault(kind, times, to))

    def clear(self) -> None:
        """Fair weather, and nothing more to come."""
        with self._lock:
            self.weather = Weather.FAIR
            self.over = dict.fromkeys(Part, Weather.FAIR)
            self._faults.clear()

    def meets(self, *, creates: bool, to: str | None, part: Part | None = None) -> Weather | int:
        """What this request meets; a fault that strikes is used up."""
        with self._lock:
            if creates:
                for fault in self._faults:
                    if fault.to is None or fault.to == to:
                        fault.times -= 1
                        self._faults = [one for one in self._faults if one.times > 0]
                        return fault.kind
            return self.over[part] if part and self.weather is Weather.FAIR else self.weather

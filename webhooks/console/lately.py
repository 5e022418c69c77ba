"""What was made a moment ago, for everybody who asks for the same: fifty boards cost one look, and one drawing."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Lately(Generic[Made]):
    """Values by name, each made once and given to all who ask within so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._made: dict[Hashable, tuple[float, Made]] = {}

    def get(self, name: Hashable, make: Callable[[], Made], *, anew: bool = False) -> Made:
        """The value of this name, made now if the last one is too old, or `anew`. Raises what `make` raises."""
        with self._lock:
            now = time.monotonic()
            kept = self._made.get(name)
            if kept is not None and now < kept[0] and not anew:
                return kept[1]
            value = make()
            self._made = {each: old for each, old in self._made.items() if now < old[0]}
            self._made[name] = (now + self._seconds, value)
            return value

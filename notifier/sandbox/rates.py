"""How fast Twilio lets texts and calls out: a queue for each sender, as long as ten hours."""

import threading
import time
from dataclasses import dataclass

from notifier.sandbox.refusals import Refusal

LONGEST_QUEUE = 36_000.0


@dataclass(frozen=True)
class Rates:
    """Segments a second for each sender, and calls a second for the account; None is as fast as they come.

    `patience`: seconds that a queue may be long; what comes faster is lost with 30022, or refused with 429. None: it
    waits, up to ten hours.
    """

    segments: float | None = None
    calls: float | None = None
    patience: float | None = None


class TooFast(Exception):
    """More came than the rate and its patience allow."""


class Queue:
    """When each may go, if everyone before it goes first."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def join(self, sender: str, size: float, rate: float | None, patience: float | None = None) -> float:
        """The real seconds to wait; Refusal if the sender's queue is longer than ten hours, TooFast past `patience`."""
        if not rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            wait = max(self._free_at.get(sender, 0.0) - now, 0.0)
            if wait > LONGEST_QUEUE:
                raise Refusal(21611, sender)
            if patience is not None and wait > patience:
                raise TooFast
            self._free_at[sender] = now + wait + size / rate
            return wait

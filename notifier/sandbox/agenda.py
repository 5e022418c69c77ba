"""What happens next, and by whose hand: a few threads that do things when they are due, in order within a lane."""

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from itertools import count

log = logging.getLogger(__name__)


class Awaits(Enum):
    """What an errand is waiting for besides its time, and so whether settling hurries it."""

    NOTHING = "nothing"
    LATENESS = "lateness"
    PERSON = "person"


@dataclass(order=True)
class Errand:
    """One thing to do when it is due."""

    due: float
    order: int
    work: Callable[[], None] = field(compare=False)
    lane: str = field(compare=False)
    awaits: Awaits = field(compare=False)
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        """It is no longer wanted."""
        self.cancelled = True


class Agenda:
    """Runs errands on `hands` threads; errands that share a lane run one after another, in the order they fall due."""

    def __init__(self, hands: int = 32) -> None:
        self._changed = threading.Condition()
        self._coming: list[Errand] = []
        self._lanes: dict[str, deque[Errand]] = {}
        self._order = count()
        self._hurries = 0
        self._failures: list[BaseException] = []
        self._open = True
        self._hands = ThreadPoolExecutor(hands, thread_name_prefix="sandbox")
        self._timer = threading.Thread(target=self._keep_time, name="sandbox-agenda", daemon=True)
        self._timer.start()

    def later(self, seconds: float, work: Callable[[], None], *, lane: str, awaits: Awaits = Awaits.NOTHING) -> Errand:
        """Does `work` in so many real seconds, after what its lane has before it."""
        with self._changed:
            errand = Errand(time.monotonic() + max(seconds, 0), next(self._order), work, lane, awaits)
            if seconds <= 0 or (self._hurries and awaits is Awaits.NOTHING):
                self._begin(errand)
            else:
                heapq.heappush(self._coming, errand)
            self._changed.notify_all()
            return errand

    def settle(self, timeout: float, *, late: bool = False) -> None:
        """Hurries everything that waits for no person and returns when it is done; TimeoutError if that takes longer.

        With `late`, what was meant to come late comes now too.
        """
        with self._changed:
            self._hurries += 1
            try:
                self._bring_forward(late)
                if not self._changed.wait_for(self._is_still, timeout):
                    raise TimeoutError(f"the sandbox is still busy after {timeout} s: {sorted(self._lanes)}")
            finally:
                self._hurries -= 1
            failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def wait_for(self, lane: str, timeout: float) -> bool:
        """Waits until this lane has nothing due; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: lane not in self._lanes, timeout)

    def stop(self) -> None:
        """Ends what runs, forgets what is to come, and returns when every thread is gone."""
        with self._changed:
            self._open = False
            self._coming.clear()
            for lane in self._lanes.values():
                lane.clear()
            self._changed.notify_all()
        self._timer.join()
        self._hands.shutdown(wait=True, cancel_futures=True)

    def _is_still(self) -> bool:
        coming = (one for one in self._coming if one.awaits is Awaits.NOTHING and not one.cancelled)
        return not self._open or not (self._lanes or any(coming))

    def _bring_forward(self, late: bool) -> None:
        hurried = {Awaits.NOTHING, Awaits.LATENESS} if late else {Awaits.NOTHING}
        now = sorted(one for one in self._coming if one.awaits in hurried)
        self._coming = [one for one in self._coming if one.awaits not in hurried]
        heapq.heapify(self._coming)
        for errand in now:
            self._begin(errand)

    def _keep_time(self) -> None:
        with self._changed:
            while self._open:
                now = time.monotonic()
                while self._coming and self._coming[0].due <= now:
                    self._begin(heapq.heappop(self._coming))
                self._changed.wait(self._coming[0].due - now if self._coming else None)

    def _begin(self, errand: Errand) -> None:
        if not self._open:
            return
        if errand.lane in self._lanes:
            self._lanes[errand.lane].append(errand)
            return
        self._lanes[errand.lane] = deque([errand])
        self._run_next(errand.lane)

    def _run_next(self, lane: str) -> None:
        waiting = self._lanes[lane]
        while waiting and waiting[0].cancelled:
            waiting.popleft()
        if not waiting:
            del self._lanes[lane]
            self._changed.notify_all()
            return
        done = self._hands.submit(waiting.popleft().work)
        done.add_done_callback(lambda future: self._ended(lane, future))

    def _ended(self, lane: str, future: "Future[None]") -> None:
        with self._changed:
            if not future.cancelled() and (failure := future.exception()):
                log.error("the sandbox failed at an errand", exc_info=failure)
                self._failures.append(failure)
            if self._open:
                self._run_next(lane)
            else:
                self._lanes.pop(lane, None)
                self._changed.notify_all()

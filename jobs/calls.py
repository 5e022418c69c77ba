"""The calls to Twilio that this process has in flight: one thread makes them all, another writes down how they end.

Whoever begins a call need not wait for its end: one that hangs holds up nobody.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from notifier.provider import Accepted, Order, Outcome, Twilio, Unavailable, Uncertain
from notifier.runtime import current

IN_FLIGHT = 128
AHEAD = 1.5  # times as many are claimed as may be under way, so that none of these waits for a claim
BATCH = 250
LINGER = 0.03  # seconds in which more ends are awaited while many calls are under way
log = logging.getLogger(__name__)
Ends = list[tuple[Order, Outcome]]


class Calls:
    """All of one process. `record` writes ends down, and is asked again with those that it raises Again for."""

    def __init__(self, record: Callable[[Ends], None]) -> None:
        self._record = record
        self._changed = threading.Condition()
        self._under_way = 0  # calls, and those that wait for their turn
        self._open = 0  # calls, and ends that are not written down yet
        self._most = float(IN_FLIGHT)
        self._ended: SimpleQueue[tuple[Order, Outcome] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: list[threading.Thread] = []
        self._lines: set[Twilio] = set()
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    def room(self) -> int:
        """How many calls may begin now: fewer after Twilio said that it was too many, more again with each it takes."""
        with self._changed:
            return max(int(self._most * AHEAD) - self._under_way, 0)

    def begin(self, orders: Sequence[Order], lease_ends: float) -> None:
        """Make these calls, unless the lease (monotonic) is over before one begins."""
        if not orders:
            return
        with self._changed:
            loop = self._loop or self._start()
            self._under_way += len(orders)
            self._open += len(orders)
        line = current().twilio
        self._lines.add(line)
        loop.call_soon_threadsafe(self._spawn, loop, line, orders, lease_ends)

    def wait(self, timeout: float) -> bool:
        """Until every end is written down. False: it takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout)

    def wait_for_room(self, timeout: float) -> bool:
        """Until so many can begin that they are worth a claim."""
        with self._changed:
            return self._changed.wait_for(lambda: self._under_way <= self._most, timeout)

    def end(self, timeout: float = 20.0) -> None:
        """Wait for what is in flight, write it down, and leave no thread and no connection behind."""
        self.wait(timeout)
        with self._changed:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        for line in self._lines:
            asyncio.run_coroutine_threadsafe(line.close(), loop).result(5)
        self._lines.clear()
        self._ended.put(None)
        loop.call_soon_threadsafe(loop.stop)
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name="calls", daemon=True),
            threading.Thread(target=self._keep_books, name="books", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _spawn(self, loop: asyncio.AbstractEventLoop, line: Twilio, orders: Sequence[Order], lease_ends: float) -> None:
        for order in orders:
            task = loop.create_task(self._call(line, order, lease_ends))
            task.add_done_callback(_KEPT.discard)
            _KEPT.add(task)

    async def _call(self, line: Twilio, order: Order, lease_ends: float) -> None:
        try:
            async with self._slots:
                outcome = await self._outcome(line, order, lease_ends)
        except Exception as error:  # noqa: BLE001  a fault of ours after the call began: nobody knows
            outcome = Uncertain(type(error).__name__)
        with self._changed:
            self._under_way -= 1
            if isinstance(outcome, Unavailable) and outcome.too_many:
                self._most = max(self._most * 0.7, 2.0)
            elif isinstance(outcome, Accepted):
                self._most = min(self._most + 1 / self._most, float(IN_FLIGHT))
            self._changed.notify_all()
        self._ended.put((order, outcome))

    @staticmethod
    async def _outcome(line: Twilio, order: Order, lease_ends: float) -> Outcome:
        if time.monotonic() > lease_ends:  # this process was frozen: others may have settled this one since
            return Unavailable("held too long")
        return await line.send(order)  # no transaction is open here

    def _keep_books(self) -> None:
        while (first := self._ended.get()) is not None:
            if self._under_way > BATCH // 20:
                time.sleep(LINGER)
            ends = [first]
            over = False
            with suppress(Empty):
                while len(ends) < BATCH and not over:
                    more = self._ended.get_nowait()
                    over = more is None
                    ends += [more] if more else []
            self._write_down(ends)
            with self._changed:
                self._open -= len(ends)
                self._changed.notify_all()
            if over:
                return

    def _write_down(self, ends: Ends) -> None:
        """Until the database takes it. A process that dies before leaves a doubt, which Twilio's list settles."""
        while True:
            try:
                self._record(ends)
            except Again as error:
                log.warning("what Twilio said cannot be written down yet: %s", error)
                time.sleep(0.5)
            else:
                return


class Again(Exception):
    """Not now: the database is away or busy."""


_KEPT: set["asyncio.Task[None]"] = set()

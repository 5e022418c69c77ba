"""The demo's processes: each started in a group of its own, watched, started again, and stopped with all it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from notifier.errors import NotifierError

GRACE = 3.0  # real seconds to end by itself before it is ended
DEATHS, WITHIN = 3, 60.0  # so many deaths within so many seconds: it will not live


class KeepsDying(NotifierError):
    """A process of the demo does not stay alive."""


@dataclass
class Child:
    """One process and whatever it starts."""

    name: str
    command: Sequence[str | Path]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it (again), its words going to its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def is_running(self) -> bool:
        """Whether the process itself lives."""
        return self.process is not None and self.process.poll() is None

    def signal_group(self, number: signal.Signals) -> None:
        """Tell everything in its group; nothing, when the group is gone."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    def ask_to_end(self) -> None:
        """Once, and only the process itself, which ends its own; where it is dead, whatever it has left."""
        if self.process is not None and self.is_running:
            self.process.send_signal(signal.SIGTERM)
        else:
            self.signal_group(signal.SIGTERM)

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it said nothing"


class Children:
    """All of them, in the order of their start."""

    def __init__(self) -> None:
        self._all: list[tuple[Child, Mapping[str, str]]] = []

    def start(self, child: Child, environment: Mapping[str, str]) -> Child:
        """Start one and watch it from now on."""
        self._all.append((child, environment))
        child.start(environment)
        return child

    def look_after(self) -> None:
        """Start again what has died. Raises KeepsDying for one that will not live."""
        now = time.monotonic()
        for child, environment in self._all:
            if child.is_running:
                continue
            child.deaths = [death for death in child.deaths if now - death < WITHIN] + [now]
            if len(child.deaths) >= DEATHS:
                raise KeepsDying(f"The demo's {child.name} keeps dying, so all of it was stopped. See {child.log}.")
            child.signal_group(signal.SIGKILL)  # what it left would hold its port
            child.start(environment)

    def stop(self) -> None:
        """End every one and all that they started; the first that was started ends last."""
        started = [child for child, _ in self._all]
        _end(started[1:])
        _end(started[:1])
        self._all.clear()


def _end(children: Sequence[Child]) -> None:
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + GRACE
    for child in children:
        if child.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=max(0.0, deadline - time.monotonic()))
            child.signal_group(signal.SIGKILL)  # it and whatever it left
            child.process.wait()

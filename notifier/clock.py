"""The only clock. Call it as `clock.now()`, so that tests and the demo can move it."""

import os
import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from notifier.errors import Misconfigured


class Scale(NamedTuple):
    """It was `start` when the real clock stood at `real_epoch` (Unix seconds), and runs `speed` times as fast since."""

    start: datetime
    speed: float
    real_epoch: float


@lru_cache(maxsize=8)
def parse(value: str) -> Scale:
    """Reads NOTIFIER_CLOCK, such as `2026-03-01T08:00:00Z@600,1767000000`. Raises Misconfigured."""
    match = re.fullmatch(r"(?P<start>[^@]+)@(?P<speed>\d+(\.\d+)?),(?P<epoch>\d+(\.\d+)?)", value.strip())
    try:
        start = datetime.fromisoformat(match["start"]) if match else None
    except ValueError:
        start = None
    if match is None or start is None or start.tzinfo is None:
        raise Misconfigured("NOTIFIER_CLOCK must look like 2026-03-01T08:00:00Z@600,1767000000 (start@speed,Unix time)")
    return Scale(start.astimezone(UTC), float(match["speed"]), float(match["epoch"]))


def now() -> datetime:
    """The present, aware, in UTC: real unless NOTIFIER_CLOCK says otherwise."""
    if value := os.environ.get("NOTIFIER_CLOCK"):
        scale = parse(value)
        return scale.start + timedelta(seconds=(time.time() - scale.real_epoch) * scale.speed)
    return datetime.now(UTC)


def speed() -> float:
    """How many seconds of `now()` pass in a real second; 1 as well for a clock that stands still."""
    value = os.environ.get("NOTIFIER_CLOCK")
    return (parse(value).speed or 1.0) if value else 1.0


def is_rehearsal() -> bool:
    """Whether time is not the real one: a demo or a test, whose messages reach nobody."""
    return bool(os.environ.get("NOTIFIER_CLOCK"))


def real() -> datetime:
    """The real time, for what is never scaled: leases, leadership, back-off, sign-in, patience of reconcile."""
    return datetime.now(UTC)

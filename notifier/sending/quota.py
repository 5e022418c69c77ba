"""A carrier's daily limit: how many segments each sender has used since midnight in Los Angeles, kept in the ledger."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.core.failures import PACIFIC
from notifier.core.vocabulary import Channel
from notifier.db import add_once
from notifier.models import Counter
from notifier.sending.lanes import Lane


def left(session: Session, lane: Lane | None, room: float, *, cap: int, now: datetime) -> float:
    """How much of `room` this sender has left today. `cap` 0: as much as it likes; urgent messages (no lane) too."""
    if not cap or lane is None or lane.channel is not Channel.SMS:
        return room
    used = session.scalar(select(Counter.value).where(Counter.name == _name(lane.name, now)).with_for_update()) or 0
    return max(min(room, cap - used), 0)


def spend(session: Session, used: Mapping[str, int], *, now: datetime) -> None:
    """Remember what each sender has used today."""
    for lane, segments in used.items():
        if lane.startswith("sms:"):
            row, new = add_once(session, Counter(name=_name(lane, now), value=segments), Counter.name)
            if not new:
                more = update(Counter).where(Counter.name == row.name).values(value=Counter.value + segments)
                session.execute(more.execution_options(synchronize_session=False))


def _name(lane: str, now: datetime) -> str:
    return f"{now.astimezone(PACIFIC):%Y-%m-%d} {hashlib.sha256(lane.encode()).hexdigest()[:24]}"

"""What waits in each lane, and what of it cannot leave before its time is over: for the monitor, and for a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import tickets
from notifier.catalog import Catalog
from notifier.core.vocabulary import Role, Source, Urgency
from notifier.models import Message
from notifier.sending.lanes import Lane, all_lanes, in_lane

MOST = 50_000  # as far as a backlog is looked at


@dataclass(frozen=True)
class Backlog:
    """What waits in one lane, and how much of it cannot leave before its time is over."""

    lane: Lane
    due: int
    too_late: int
    matters: int  # of those too late, the ones that matter


def backlogs(session: Session, *, now: datetime, pace: float) -> list[Backlog]:
    """How every lane with something due stands. `pace`: seconds of `now` in a real second, because rates are real."""
    return [found for lane in all_lanes(session) if (found := _backlog(session, lane, now, pace)).due]


def _backlog(session: Session, lane: Lane, now: datetime, pace: float) -> Backlog:
    rows = session.execute(
        select(Message.not_after, Message.matters, func.coalesce(Message.segments, 1))
        .where(in_lane(lane), Message.due_at <= now)
        .order_by(Message.due_at, Message.template)
        .limit(MOST)
    ).all()
    turns = accumulate(size for _, _, size in rows)
    late = [
        matters
        for (not_after, matters, _), turn in zip(rows, turns, strict=True)
        if now + timedelta(seconds=turn / lane.rate) * pace > not_after
    ]
    return Backlog(lane, len(rows), len(late), sum(late))


def tell(session: Session, *, catalog: Catalog, now: datetime, pace: float) -> int:
    """A ticket for each sender that cannot get through what matters in time. Returns how many there are."""
    late = [backlog for backlog in backlogs(session, now=now, pace=pace) if backlog.matters]
    for backlog in late:
        subject = f"backlog:{backlog.lane.name}"
        if tickets.unresolved(session, subject, Role.COORDINATOR) is None:
            need = tickets.Need(
                site_key=backlog.lane.sites[0],
                subject=subject,
                role=Role.COORDINATOR,
                urgency=Urgency.SAME_DAY,
                kinds=("BACKLOG",),
                source=Source.SYSTEM,
                text=_words(backlog),
            )
            tickets.open_or_append(session, need, catalog=catalog, now=now)
    return len(late)


def _words(backlog: Backlog) -> str:
    sender, rate = backlog.lane.name.removeprefix("sms:"), backlog.lane.rate
    return (
        f"{backlog.due} messages wait to leave from {sender}, which may send {rate:g} a second: "
        f"{backlog.matters} that matter will not leave in time. Please see the outbox."
    )

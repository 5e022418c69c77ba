"""What monitors ask: how late the service is, and counts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, select, update
from sqlalchemy.orm import Session

from notifier.core.states import InboundState, MessageState, TicketState, WatchState
from notifier.models import (
    Counter,
    Inbound,
    Message,
    Ticket,
    Watch,
)
from notifier.queries.scope import at
from notifier.sending.lanes import PLANNED


@dataclass(frozen=True)
class Lateness:
    """Ages of the oldest overdue things, in the time of `clock.now()`; zero when nothing is late."""

    message: timedelta
    escalation: timedelta
    inbound: timedelta

    def by_name(self) -> dict[str, timedelta]:
        """The three by the name of what is late."""
        return {"message": self.message, "escalation": self.escalation, "inbound": self.inbound}


def lateness(session: Session, now: datetime) -> Lateness:
    """How late the service is: the ledger itself knows."""
    message = session.scalar(select(func.min(Message.due_at)).where(overdue(now)))
    escalation = session.scalar(
        select(func.min(Ticket.escalate_at)).where(Ticket.state == TicketState.OPEN, Ticket.escalate_at <= now)
    )
    untold = session.scalar(
        select(func.min(Watch.due_at)).where(Watch.state == WatchState.WAITING, Watch.due_at <= now)
    )
    escalation = min(filter(None, (escalation, untold)), default=None)
    inbound = session.scalar(
        select(func.min(Inbound.received_at)).where(Inbound.state == InboundState.RECEIVED, Inbound.received_at <= now)
    )
    return Lateness(*(now - moment if moment else timedelta() for moment in (message, escalation, inbound)))


def overdue(now: datetime) -> ColumnElement[bool]:
    """What is due and has not left, in the words that the partial indexes are written in."""
    return and_(PLANNED, Message.due_at <= now)


@dataclass(frozen=True)
class Figures:
    """Counts for the monitor."""

    messages: dict[str, int]  # by state
    tickets: dict[tuple[str, str, str], int]  # unresolved, by (urgency, role, state)
    backlog: int  # due and not left
    waiting: int  # inbound that nobody has read


def figures(session: Session, now: datetime) -> Figures:
    """Counts of what there is and what waits."""
    ours = select(Message.state, func.count()).where(*at(Message.site_key, ()))
    by_state = dict(session.execute(ours.group_by(Message.state)).all())
    unresolved = (
        select(Ticket.urgency, Ticket.role, Ticket.state, func.count())
        .where(Ticket.state != TicketState.RESOLVED, *at(Ticket.site_key, ()))
        .group_by(Ticket.urgency, Ticket.role, Ticket.state)
    )
    tickets = {
        (urgency.value, role.value, state.value): count for urgency, role, state, count in session.execute(unresolved)
    }
    return Figures(
        messages={state.value: by_state.get(state, 0) for state in MessageState},
        tickets=tickets,
        backlog=count(session, select(func.count()).select_from(Message).where(overdue(now))),
        waiting=count(session, select(func.count()).select_from(Inbound).where(Inbound.state == InboundState.RECEIVED)),
    )


def count(session: Session, found: Select[Any]) -> int:
    return session.scalar(found) or 0


def try_to_store(session: Session) -> None:
    """Ask the database to write nothing at all: a read-only or broken one refuses even that."""
    session.execute(update(Counter).where(false()).values(value=0).execution_options(synchronize_session=False))

"""Staff told that something has not happened: a watch whose moment has come becomes a ticket, once."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import enrolment, journal
from notifier.catalog import Catalog
from notifier.core import planning
from notifier.core.journey import Watch as Alarm
from notifier.core.states import TicketState, WatchState
from notifier.enrolment import telling
from notifier.models import TherapyPlan, Ticket, Watch


def due(session: Session, now: datetime, *, limit: int = 200) -> Sequence[uuid.UUID]:
    """Ids of the watches whose moment has come, the longest overdue first."""
    wanted = select(Watch.id).where(Watch.state == WatchState.WAITING, Watch.due_at <= now)
    return session.scalars(wanted.order_by(Watch.due_at).limit(limit)).all()


def tell(session: Session, watch_id: uuid.UUID, *, catalog: Catalog, now: datetime) -> bool:
    """Open the ticket that a watch stands for, if the facts still ask for it. False: they do not, or it was told."""
    watch = session.scalars(select(Watch).where(Watch.id == watch_id).with_for_update()).one()
    if watch.state is not WatchState.WAITING or watch.due_at > now:
        return False
    plan = session.get_one(TherapyPlan, watch.plan_id)
    layout = planning.lay_out(enrolment.facts_of(session, plan, now=now), catalog.journeys, now)
    alarm = next((each for each in layout.watches if each.key == watch.key and each.due_at <= now), None)
    if alarm is None:
        journal.advance(session, watch, WatchState.SETTLED, now=now, by=journal.SYSTEM)
    else:
        _tell(session, watch, alarm, plan, catalog=catalog, now=now)
    enrolment.replan(session, plan, catalog=catalog, now=now)
    return alarm is not None


def _tell(session: Session, watch: Watch, alarm: Alarm, plan: TherapyPlan, *, catalog: Catalog, now: datetime) -> None:
    ticket = _standing(session, alarm, plan)
    if ticket is None:
        what = alarm.role, alarm.urgency, alarm.kind, alarm.says
        ticket, is_new = telling.tell(session, plan, *what, catalog=catalog, by=journal.SYSTEM, now=now)
        if not is_new:
            journal.note(session, ticket, "ticket.noted", now=now, by=journal.SYSTEM, detail=alarm.says)
    journal.advance(session, watch, WatchState.TOLD, now=now, by=journal.SYSTEM, ticket_id=ticket.id)


def _standing(session: Session, alarm: Alarm, plan: TherapyPlan) -> Ticket | None:
    """The ticket that says so already: one a plan, until it is resolved."""
    open_ones = select(Ticket).where(
        Ticket.plan_id == plan.id, Ticket.role == alarm.role, Ticket.state != TicketState.RESOLVED
    )
    said = [ticket for ticket in session.scalars(open_ones) if alarm.kind in ticket.kinds]
    return said[0] if said and alarm.kind != "NO_ANSWER" else None

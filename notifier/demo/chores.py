"""The pharmacy's own day in the demo: what is booked happens on time, as its driver and its nurses would have it.

Run as a module it does so every second, beside the product's own processes.
"""

import logging
import signal
import threading
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import clock, enrolment, logs
from notifier.catalog import Catalog
from notifier.core.planning import SILENT, resolve_local
from notifier.core.states import EventState
from notifier.core.vocabulary import EventKind
from notifier.models import CareEvent, Patient, TherapyPlan
from notifier.runtime import current, reading, transaction

LEAVES = timedelta(minutes=-45)  # the driver, before the window opens
ARRIVES = timedelta(minutes=40)  # after it
LASTS = timedelta(minutes=60)  # a visit that says nothing else
CLOSES, OVER = time(12), timedelta(days=1)  # a plan is closed at noon of the day after its last
DAY = timedelta(days=1)
BY = "the demo"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chore:
    """One thing that happens by itself: an event moves on to a state, or (without one) a plan ends."""

    at: datetime
    row_id: UUID
    to: EventState | None = None


def next_for(
    kind: EventKind, state: EventState, starts_at: datetime, ends_at: datetime | None
) -> tuple[datetime, EventState] | None:
    """What happens next with an event, and when; None once it is over."""
    if kind is EventKind.DELIVERY and state is EventState.SCHEDULED:
        return starts_at + LEAVES, EventState.OUT_FOR_DELIVERY
    if kind is EventKind.DELIVERY and state is EventState.OUT_FOR_DELIVERY:
        return starts_at + ARRIVES, EventState.DONE
    return (ends_at or starts_at + LASTS, EventState.DONE) if state is EventState.SCHEDULED else None


def coming(session: Session) -> list[Chore]:
    """Every chore there is, the earliest first. Plans that are silent have none."""
    speaking = TherapyPlan.state.not_in(SILENT)
    events = select(CareEvent.id, CareEvent.kind, CareEvent.state, CareEvent.starts_at, CareEvent.ends_at)
    found = []
    for event_id, kind, state, starts_at, ends_at in session.execute(events.join(TherapyPlan).where(speaking)):
        if step := next_for(kind, state, starts_at, ends_at):
            found.append(Chore(step[0], event_id, step[1]))
    plans = select(TherapyPlan.id, TherapyPlan.ends_on, Patient.timezone).join(Patient)
    for plan_id, ends_on, zone in session.execute(plans.where(speaking)):
        found.append(Chore(resolve_local(ends_on, CLOSES, ZoneInfo(zone)) + OVER, plan_id))
    return sorted(found, key=lambda chore: chore.at)


def run(session: Session, *, catalog: Catalog, now: datetime) -> None:
    """Do what has come due."""
    for chore in coming(session):
        if chore.at > now:
            return
        if chore.to is None:
            plan = session.get_one(TherapyPlan, chore.row_id)
            enrolment.end(session, plan, "course complete", catalog=catalog, by=BY, now=now)
            continue
        event = session.get_one(CareEvent, chore.row_id)
        if event.kind is EventKind.DELIVERY:
            cold_ok = True if chore.to is EventState.DONE else None
            enrolment.set_delivery_status(session, event, chore.to, cold_ok=cold_ok, catalog=catalog, by=BY, now=now)
        else:
            enrolment.set_event(session, event, status=chore.to, catalog=catalog, by=BY, now=now)


def main() -> None:
    """Look every second, until told to stop."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    logs.configure(current().settings.log_format)
    rolled = clock.now()
    while not stop.wait(1.0):
        now = clock.now()
        try:
            with reading() as session:
                chores = coming(session)
            if chores and chores[0].at <= now:
                with transaction() as session:
                    run(session, catalog=current().catalog, now=now)
            if now - rolled >= DAY:  # the clock process does this by real time, which is too rare for a fast demo
                with transaction() as session:
                    enrolment.roll_forward(session, catalog=current().catalog, now=now)
                rolled = now
        except OperationalError:
            log.warning("the database is busy; trying again")


if __name__ == "__main__":
    main()

"""The dated facts that messages follow: deliveries, teaching, doses, visits."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal
from notifier.catalog import Catalog
from notifier.core.planning import SILENT
from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import EventKind, Role, Urgency
from notifier.details import DeliveryDetails, Item
from notifier.enrolment.facts import run_out
from notifier.enrolment.replanning import replan
from notifier.enrolment.telling import tell
from notifier.errors import Invalid, Refused
from notifier.models import CareEvent, TherapyPlan

PICKUP_LASTS = timedelta(hours=2)
A_DAY = timedelta(hours=24)

# --- deliveries ---------------------------------------------------------------------------------------------------


def schedule_delivery(
    session: Session, plan: TherapyPlan, details: DeliveryDetails, *, catalog: Catalog, by: str, now: datetime
) -> CareEvent:
    """A delivery is set. Raises Invalid, and Refused for a plan that is over.

    The caller has looked with `find_event`; the unique key refuses a second one.
    """
    _check_window(details.window_start, details.window_end)
    _check_not_over(plan)
    event = book(
        session,
        plan,
        EventKind.DELIVERY,
        details.window_start,
        details.window_end,
        by=by,
        now=now,
        external_id=details.external_id,
        items=[asdict(item) for item in details.items],
    )
    replan(session, plan, catalog=catalog, now=now, by=by)
    return event


def move_delivery(
    session: Session, event: CareEvent, start: datetime, end: datetime, *, catalog: Catalog, by: str, now: datetime
) -> bool:
    """Another window. False: it is the same. Raises Invalid, and Refused for a delivery that came or was cancelled."""
    _check_window(start, end)
    if (event.starts_at, event.ends_at) == (start, end):
        return False
    later = start > event.starts_at
    move(session, event, start, end, by=by, now=now)
    replan(session, event.plan, catalog=catalog, now=now, by=by)
    if later:
        _check_doses_on_hand(session, event, catalog=catalog, by=by, now=now)
    return True


def _check_doses_on_hand(session: Session, event: CareEvent, *, catalog: Catalog, by: str, now: datetime) -> None:
    """A box that comes later: a pharmacist looks whether what is there lasts, at once where it does not."""
    plan = event.plan
    if plan.first_dose_at > now or plan.state in SILENT:
        return
    ends = run_out(plan, session.scalars(select(CareEvent).where(CareEvent.plan_id == plan.id)).all())
    if ends is not None and ends > (event.ends_at or event.starts_at):
        return
    urgency, kind = (Urgency.URGENT, "OUT_OF_MED") if ends else (Urgency.SAME_DAY, "CHECK_DOSES_ON_HAND")
    what = "will be used up before then" if ends else "may not last until then: nobody has counted them"
    text = f"The delivery was moved to a later time. The doses on hand {what}."
    tell(session, plan, Role.PHARMACIST, urgency, kind, text, catalog=catalog, by=by, now=now)


def change_items(session: Session, event: CareEvent, items: Sequence[Item], *, by: str, now: datetime) -> bool:
    """What is in the box. False: it is the same."""
    listed = [asdict(item) for item in items]
    if event.items == listed:
        return False
    event.items = listed
    journal.note(session, event, "care_event.items_changed", now=now, by=by)
    return True


def set_delivery_status(
    session: Session,
    event: CareEvent,
    status: EventState | None = None,
    *,
    cold_ok: bool | None = None,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> None:
    """How a delivery goes, and whether it came cold enough. Raises Refused where it cannot go there any more."""
    if cold_ok is not None and cold_ok != event.cold_ok:
        event.cold_ok, event.cold_at = cold_ok, now
        journal.note(session, event, "care_event.cold", now=now, by=by, detail="yes" if cold_ok else "no")
    if status is not None:
        _set(session, event, status, by=by, now=now)
    replan(session, event.plan, catalog=catalog, now=now, by=by)


# --- teaching, doses, visits --------------------------------------------------------------------------------------


def schedule_education(
    session: Session, plan: TherapyPlan, at: datetime, mode: str, *, catalog: Catalog, by: str, now: datetime
) -> CareEvent:
    """A teaching visit, call or video is set. Raises Refused."""
    _check_not_over(plan)
    event = book(session, plan, EventKind.EDUCATION, at, None, by=by, now=now, mode=mode)
    replan(session, plan, catalog=catalog, now=now, by=by)
    return event


def set_education(
    session: Session,
    event: CareEvent,
    *,
    status: EventState | None = None,
    at: datetime | None = None,
    mode: str | None = None,
    done_at: datetime | None = None,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> None:
    """Another time or way, or how it went: done, missed (FAILED), cancelled. Raises Refused."""
    if mode and mode != event.mode:
        event.mode = mode
        journal.note(session, event, "care_event.mode", now=now, by=by, detail=mode)
    set_event(session, event, at=at, status=status, done_at=done_at, catalog=catalog, by=by, now=now)


def schedule_event(
    session: Session,
    plan: TherapyPlan,
    kind: EventKind,
    at: datetime,
    ends_at: datetime | None = None,
    *,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> CareEvent:
    """A dose, visit, draw or pickup is set; the first dose, of which a plan has one, is moved there. Raises Refused."""
    if ends_at:
        _check_window(at, ends_at, ("at", "ends_at"))
    _check_not_over(plan)
    dose = first_dose(session, plan) if kind is EventKind.FIRST_DOSE else None
    if dose is not None:
        set_event(session, dose, at=at, ends_at=ends_at, catalog=catalog, by=by, now=now)
        return dose
    if kind is EventKind.PICKUP and ends_at is None:
        ends_at = at + PICKUP_LASTS
    event = book(session, plan, kind, at, ends_at, by=by, now=now)
    _follow_first_dose(event)
    replan(session, plan, catalog=catalog, now=now, by=by)
    return event


def set_event(
    session: Session,
    event: CareEvent,
    *,
    at: datetime | None = None,
    ends_at: datetime | None = None,
    status: EventState | None = None,
    done_at: datetime | None = None,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> None:
    """Another time, or how it went (done `done_at`, if not now). Raises Invalid, and Refused where it is too late."""
    start, finish = at or event.starts_at, ends_at or event.ends_at
    if at and event.ends_at and not ends_at:
        finish = at + (event.ends_at - event.starts_at)
    if finish and ends_at:
        _check_window(start, finish, ("at", "ends_at"))
    if (start, finish) != (event.starts_at, event.ends_at):
        was = event.starts_at
        move(session, event, start, finish, by=by, now=now)
        _follow_first_dose(event)
        tell_prescriber_if_late(session, event, was, catalog=catalog, by=by, now=now)
    if status is not None:
        _set(session, event, status, by=by, now=now, at=done_at)
    replan(session, event.plan, catalog=catalog, now=now, by=by)


def find_event(session: Session, plan: TherapyPlan, kind: EventKind, external_id: str) -> CareEvent | None:
    """The plan's event that its maker knows by this id."""
    wanted = select(CareEvent).where(
        CareEvent.plan_id == plan.id, CareEvent.kind == kind, CareEvent.external_id == external_id
    )
    return session.scalars(wanted).one_or_none()


# --- any event ----------------------------------------------------------------------------------------------------


def book(
    session: Session,
    plan: TherapyPlan,
    kind: EventKind,
    start: datetime,
    end: datetime | None,
    *,
    by: str,
    now: datetime,
    **facts: Any,
) -> CareEvent:
    """Write a new event down. It is the caller who replans."""
    event = CareEvent(
        id=uuid.uuid4(),
        plan=plan,
        kind=kind,
        starts_at=start,
        ends_at=end,
        state=EventState.SCHEDULED,
        booked_at=now,
        **facts,
    )
    session.add(event)
    journal.note(session, event, f"{kind}.scheduled", now=now, by=by)
    return event


def move(session: Session, event: CareEvent, start: datetime, end: datetime | None, *, by: str, now: datetime) -> None:
    """Set another time, which must be said anew and confirmed anew."""
    if event.state in (EventState.DONE, EventState.CANCELLED):
        raise Refused(f"This {event.kind} is {event.state} and cannot be moved.")
    if event.state is not EventState.SCHEDULED:
        journal.advance(session, event, EventState.SCHEDULED, now=now, by=by, out_at=None)
    event.starts_at, event.ends_at, event.booked_at, event.confirmed_at = start, end, now, None
    event.moves += 1
    journal.note(session, event, f"{event.kind}.moved", now=now, by=by)
    session.flush()


def _set(
    session: Session, event: CareEvent, status: EventState, *, by: str, now: datetime, at: datetime | None = None
) -> None:
    if event.state is status:
        return
    facts: dict[str, Any] = {}
    if status is EventState.OUT_FOR_DELIVERY:
        facts["out_at"] = now
    elif status is EventState.DONE:
        facts["done_at"] = at or now
    else:
        facts["over_at"] = now
    session.flush()
    if not journal.advance(session, event, status, now=now, by=by, **facts):
        raise Refused(f"This {event.kind} is {event.state} and cannot become {status}.")


def tell_prescriber_if_late(
    session: Session, event: CareEvent, was: datetime, *, catalog: Catalog, by: str, now: datetime
) -> None:
    """A therapy that starts hours later than was near: the patient is told by a text, the prescriber by a nurse."""
    late = event.starts_at - was
    if event.kind is not EventKind.FIRST_DOSE or late <= catalog.journeys.late_start or was - now > A_DAY:
        return
    if event.plan.verified_at:
        text = "The first dose starts hours later than planned. Tell the prescriber; the patient gets a text."
        what = Role.NURSE, Urgency.URGENT, "TELL_PRESCRIBER", text
        tell(session, event.plan, *what, catalog=catalog, by=by, now=now)


def first_dose(session: Session, plan: TherapyPlan) -> CareEvent | None:
    """The plan's first dose, unless it was cancelled."""
    return session.scalars(
        select(CareEvent).where(
            CareEvent.plan_id == plan.id,
            CareEvent.kind == EventKind.FIRST_DOSE,
            CareEvent.state != EventState.CANCELLED,
        )
    ).first()


def _follow_first_dose(event: CareEvent) -> None:
    if event.kind is EventKind.FIRST_DOSE:
        event.plan.first_dose_at = event.starts_at


def _check_window(start: datetime, end: datetime, names: tuple[str, str] = ("window_start", "window_end")) -> None:
    if end <= start:
        raise Invalid({names[1]: f"must be after {names[0]}"})


def _check_not_over(plan: TherapyPlan) -> None:
    if plan.state in (PlanState.ENDED, PlanState.DECEASED):
        raise Refused(f"This plan is {plan.state}.")

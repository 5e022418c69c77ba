"""Therapy plans: received, verified, paused, resumed, ended."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal
from notifier.catalog import Catalog
from notifier.core.planning import SILENT
from notifier.core.states import MessageState, PlanState
from notifier.core.vocabulary import EventKind, Flag, Role, Urgency
from notifier.details import Item, PlanDetails
from notifier.enrolment import events
from notifier.enrolment.replanning import PEOPLE, replan, replan_all
from notifier.enrolment.telling import tell
from notifier.errors import Invalid, Refused
from notifier.models import Message, Patient, TherapyPlan

HOW_IT_IS_GIVEN = {"doses_per_day", "administration", "storage", "infusion_minutes"}
UNDER_WAY = (PlanState.TAUGHT, PlanState.FIRST_DOSE, PlanState.ACTIVE, PlanState.ENDING)
CHANGED = "The order changed while the therapy is under way. The patient was asked to wait for our call: please call."
CHECKLIST = ("medication", "dosing_schedule", "duration", "supplies", "storage")


def add_plan(
    session: Session, patient: Patient, details: PlanDetails, *, catalog: Catalog, by: str, now: datetime
) -> TherapyPlan:
    """A course of therapy, received and not yet verified, with its first dose as an event. Raises Invalid.

    The caller has looked with `find_plan`; the unique key refuses a second one.
    """
    if faults := details.faults(patient.timezone):
        raise Invalid(faults)
    plan = TherapyPlan(
        id=uuid.uuid4(),
        patient_id=patient.id,
        patient=patient,
        site_key=patient.site_key,
        state=PlanState.RECEIVED,
        checklist={},
        created_at=now,
        reminders_zone=patient.timezone if details.reminders else None,
        **columns(details),
    )
    session.add(plan)
    journal.note(session, plan, "therapy_plan.received", now=now, by=by)
    events.book(session, plan, EventKind.FIRST_DOSE, details.first_dose_at, _dose_ends(details), by=by, now=now)
    replan(session, plan, catalog=catalog, now=now, by=by)
    return plan


def change_plan(
    session: Session, plan: TherapyPlan, details: PlanDetails, *, catalog: Catalog, by: str, now: datetime
) -> bool:
    """Bring a plan to its order. False: nothing was new. Raises Invalid: the therapy and the line never change."""
    if faults := details.faults(plan.patient.timezone):
        raise Invalid(faults)
    for name in ("therapy", "line"):
        if getattr(plan, name) is not getattr(details, name):
            raise Invalid({name: "another one under the same plan; please end it and begin a new plan"})
    changed = [name for name, value in columns(details).items() if getattr(plan, name) != value]
    if not changed:
        return False
    moved, was = plan.first_dose_at != details.first_dose_at, plan.first_dose_at
    for name, value in columns(details).items():
        setattr(plan, name, value)
    if "reminders" in changed:
        plan.reminders_zone = plan.patient.timezone
    journal.note(session, plan, "therapy_plan.changed", now=now, by=by, detail=", ".join(changed))
    if HOW_IT_IS_GIVEN & set(changed) and plan.state in UNDER_WAY:
        _call_first(session, plan, catalog=catalog, by=by, now=now)
    if moved and (dose := events.first_dose(session, plan)):
        events.move(session, dose, details.first_dose_at, _dose_ends(details), by=by, now=now)
        events.tell_prescriber_if_late(session, dose, was, catalog=catalog, by=by, now=now)
    replan(session, plan, catalog=catalog, now=now, by=by)
    return True


def _call_first(session: Session, plan: TherapyPlan, *, catalog: Catalog, by: str, now: datetime) -> None:
    """A dose is given another way than the patient was taught: M24 asks to wait, and a pharmacist calls."""
    plan.changed_at = now
    what = Role.PHARMACIST, Urgency.SAME_DAY, "ORDER_CHANGED", CHANGED
    tell(session, plan, *what, catalog=catalog, by=by, now=now)


def supplies_ready(session: Session, plan: TherapyPlan, *, catalog: Catalog, by: str, now: datetime) -> None:
    """What the plan needs is being packed. Raises Refused before the order is checked, and for a plan that is over."""
    if plan.verified_at is None:
        raise Refused("Verify the order first: its five checks are not done.")
    if plan.supplies_ready_at is None:
        plan.supplies_ready_at = now
        journal.note(session, plan, "therapy_plan.supplies_ready", now=now, by=by)
        replan(session, plan, catalog=catalog, now=now, by=by)


def count_doses(session: Session, plan: TherapyPlan, left: int, *, catalog: Catalog, by: str, now: datetime) -> None:
    """The patient counted what is left: when it runs out follows from it."""
    plan.doses_left, plan.counted_at = left, now
    journal.note(session, plan, "therapy_plan.counted", now=now, by=by, detail=str(left))
    replan(session, plan, catalog=catalog, now=now, by=by)


def _dose_ends(details: PlanDetails) -> datetime | None:
    return details.first_dose_at + timedelta(minutes=details.infusion_minutes) if details.infusion_minutes else None


def details_of(plan: TherapyPlan) -> PlanDetails:
    """A plan's row as the order that it was."""
    same = (field.name for field in fields(PlanDetails))
    return PlanDetails(
        **{name: getattr(plan, name) for name in same if name not in ("supplies", "reminders", "flags")},
        supplies=tuple(Item(**item) for item in plan.supplies),
        reminders=tuple(time.fromisoformat(hour) for hour in plan.reminders),
        flags=tuple(Flag(flag) for flag in plan.flags),
    )


def columns(details: PlanDetails) -> dict[str, Any]:
    """An order as a plan's row holds it."""
    return asdict(details) | {
        "supplies": [asdict(item) for item in details.supplies],
        "reminders": [f"{hour:%H:%M}" for hour in details.reminders],
        "flags": [flag.value for flag in details.flags],
    }


def find_plan(session: Session, site: str, external_id: str) -> TherapyPlan | None:
    """The plan that a site knows by this id."""
    wanted = select(TherapyPlan).where(TherapyPlan.site_key == site, TherapyPlan.external_id == external_id)
    return session.scalars(wanted).unique().one_or_none()


def verify(
    session: Session, plan: TherapyPlan, checklist: Mapping[str, bool], *, catalog: Catalog, by: str, now: datetime
) -> tuple[str, ...]:
    """Mark the order as checked, all five points. Returns what is missing: then it is not, and a ticket says so.

    The caller keeps the transaction either way, so that the ticket stands. Raises Refused for a plan that is over.
    """
    missing = tuple(name for name in CHECKLIST if not checklist.get(name))
    plan.checklist = {name: bool(checklist.get(name)) for name in CHECKLIST}
    if missing:
        order_incomplete(session, plan, missing, catalog=catalog, by=by, now=now)
        return missing
    if plan.verified_at is None:
        if not journal.advance(session, plan, PlanState.VERIFIED, now=now, by=by, verified_at=now):
            raise Refused(f"This plan is {plan.state}: resume it first.")
        replan(session, plan, catalog=catalog, now=now, by=by)
    return ()


def order_incomplete(
    session: Session, plan: TherapyPlan, missing: Sequence[str], *, catalog: Catalog, by: str, now: datetime
) -> None:
    """A coordinator is told which of the five checks are missing."""
    text = f"Order incomplete. Missing: {', '.join(name.replace('_', ' ') for name in missing)}."
    what = Role.COORDINATOR, Urgency.SAME_DAY, "ORDER_INCOMPLETE", text
    tell(session, plan, *what, catalog=catalog, by=by, now=now)


def pause(
    session: Session,
    plan: TherapyPlan,
    reason: str,
    *,
    until: datetime | None = None,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> None:
    """Nothing but answers until it is resumed. Raises Refused for a plan that is paused already, or over."""
    stood = plan.state
    if stood is PlanState.PAUSED or not journal.advance(
        session, plan, PlanState.PAUSED, now=now, by=by, why=reason, resume_to=stood, paused_until=until, paused_at=now
    ):
        raise Refused(f"This plan is {plan.state} already.")
    replan(session, plan, catalog=catalog, now=now, by=by)


def resume(session: Session, plan: TherapyPlan, *, catalog: Catalog, by: str, now: datetime) -> None:
    """Go on where it was paused; what has gone stale meanwhile is not sent. Raises Refused for a plan not paused."""
    to = plan.resume_to or PlanState.RECEIVED
    if plan.state is not PlanState.PAUSED or not journal.advance(
        session, plan, to, now=now, by=by, resume_to=None, paused_until=None
    ):
        raise Refused(f"This plan is {plan.state}, not paused.")
    plan.why = None
    replan(session, plan, catalog=catalog, now=now, by=by)


def end(
    session: Session,
    plan: TherapyPlan,
    reason: str,
    *,
    deceased: bool = False,
    catalog: Catalog,
    by: str,
    now: datetime,
) -> None:
    """The therapy is over. For a patient who died every plan is, and nothing waits any more. Raises Refused if it was.

    Some last messages of an ended plan still go: how are you, when do we collect the gear.
    """
    to = PlanState.DECEASED if deceased else PlanState.ENDED
    if not journal.advance(
        session, plan, to, now=now, by=by, why=reason, resume_to=None, paused_until=None, ended_at=now
    ):
        raise Refused(f"This plan is {plan.state} already.")
    replan(session, plan, catalog=catalog, now=now, by=by)
    if not deceased:
        return
    for other in plan.patient.plans:
        if other is not plan and other.state is not PlanState.DECEASED:
            end(session, other, reason, deceased=True, catalog=catalog, by=by, now=now)
    waiting = select(Message).where(
        Message.patient_id == plan.patient_id, Message.staff_id.is_(None), Message.state == MessageState.PLANNED
    )
    for message in session.scalars(waiting).all():
        journal.advance(session, message, MessageState.CANCELLED, now=now, by=by, why="the patient died")


def to_roll_forward(session: Session, *, now: datetime) -> Sequence[uuid.UUID]:
    """Ids of the plans that speak, or whose pause is over."""
    speaking = TherapyPlan.state.not_in(SILENT)
    rested = (TherapyPlan.state == PlanState.PAUSED) & (TherapyPlan.paused_until <= now)
    return session.scalars(select(TherapyPlan.id).where(speaking | rested).order_by(TherapyPlan.id)).all()


def roll_forward(session: Session, *, catalog: Catalog, now: datetime, ids: Sequence[uuid.UUID] | None = None) -> None:
    """Plan what has come within the horizon, for these plans or for all; resume those paused until now."""
    ids = to_roll_forward(session, now=now) if ids is None else ids
    wanted = select(TherapyPlan).where(TherapyPlan.id.in_(ids)).options(*PEOPLE)
    plans = session.scalars(wanted).unique().all()
    for plan in plans:
        if plan.state is PlanState.PAUSED and plan.paused_until and plan.paused_until <= now:
            resume(session, plan, catalog=catalog, by=journal.SYSTEM, now=now)
    replan_all(session, [plan for plan in plans if plan.state not in SILENT], catalog=catalog, now=now)

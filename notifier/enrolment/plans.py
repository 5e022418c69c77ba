"""Therapy plans: received, verified, paused, resumed, ended."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal, tickets
from notifier.catalog import Catalog
from notifier.core.planning import SILENT
from notifier.core.states import MessageState, PlanState
from notifier.core.vocabulary import EventKind, Role, Source, Urgency
from notifier.details import PlanDetails
from notifier.enrolment import events
from notifier.enrolment.replanning import replan
from notifier.errors import Invalid, Refused
from notifier.models import Message, Patient, TherapyPlan

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
    moved = plan.first_dose_at != details.first_dose_at
    for name, value in columns(details).items():
        setattr(plan, name, value)
    journal.note(session, plan, "therapy_plan.changed", now=now, by=by, detail=", ".join(changed))
    if moved and (dose := events.first_dose(session, plan)):
        events.move(session, dose, details.first_dose_at, _dose_ends(details), by=by, now=now)
    replan(session, plan, catalog=catalog, now=now, by=by)
    return True


def _dose_ends(details: PlanDetails) -> datetime | None:
    return details.first_dose_at + timedelta(minutes=details.infusion_minutes) if details.infusion_minutes else None


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
        what = ", ".join(name.replace("_", " ") for name in missing)
        need = tickets.Need(
            site_key=plan.site_key,
            subject=f"patient:{plan.patient_id}",
            role=Role.COORDINATOR,
            urgency=Urgency.SAME_DAY,
            kinds=("ORDER_INCOMPLETE",),
            source=Source.SYSTEM,
            text=f"Order incomplete. Missing: {what}.",
            patient_id=plan.patient_id,
            plan_id=plan.id,
        )
        tickets.open_or_append(session, need, catalog=catalog, now=now, by=by)
        return missing
    if plan.verified_at is None:
        if not journal.advance(session, plan, PlanState.VERIFIED, now=now, by=by, verified_at=now):
            raise Refused(f"This plan is {plan.state}: resume it first.")
        replan(session, plan, catalog=catalog, now=now, by=by)
    return ()


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
        session, plan, PlanState.PAUSED, now=now, by=by, why=reason, resume_to=stood, paused_until=until
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
    if not journal.advance(session, plan, to, now=now, by=by, why=reason, resume_to=None, paused_until=None):
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


def roll_forward(session: Session, *, catalog: Catalog, now: datetime) -> None:
    """Plan what has come within the horizon, for every plan that speaks; resume those paused until now."""
    over = select(TherapyPlan).where(TherapyPlan.state == PlanState.PAUSED, TherapyPlan.paused_until <= now)
    for plan in session.scalars(over).unique().all():
        resume(session, plan, catalog=catalog, by=journal.SYSTEM, now=now)
    speaking = select(TherapyPlan).where(TherapyPlan.state.not_in(SILENT))
    for plan in session.scalars(speaking).unique().all():
        replan(session, plan, catalog=catalog, now=now)

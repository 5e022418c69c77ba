"""What a reply says about the box: which items are missing, which were found again, whether it came cold."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import enrolment, journal
from notifier.catalog import Catalog
from notifier.core import supplies, triage
from notifier.core.states import EventState, TicketState
from notifier.core.supplies import Named
from notifier.core.vocabulary import EventKind, Prompt, Role
from notifier.models import CareEvent, Message, TherapyPlan, Ticket

ABOUT_A_BOX = {"MISSING", "MISSING_MED", "DAMAGED", "WRONG_ITEM"}
WARM = {"TEMP_WARM"}
FRESH = timedelta(hours=24)  # so soon after it came, a warm drug is a warm box


def last_delivery(session: Session, plan: TherapyPlan) -> CareEvent | None:
    """The delivery that a patient speaks about: the last one that came, else the next."""
    found = session.scalars(
        select(CareEvent).where(CareEvent.plan_id == plan.id, CareEvent.kind == EventKind.DELIVERY)
    ).all()
    came = [event for event in found if event.done_at or event.out_at]
    if came:
        return max(came, key=lambda event: event.done_at or event.out_at or event.starts_at)
    return min(found, key=lambda event: event.starts_at, default=None)


def manifest(delivery: CareEvent) -> list[tuple[str, int]]:
    """What was sent: (item, how many), in the order of the list that the patient is sent."""
    return [(item["name"], int(item["quantity"])) for item in delivery.items]


def named(session: Session, text: str, kinds: Sequence[str], asked: Message | None, plan: TherapyPlan | None) -> Named:
    """The items of the last box that a reply says are missing, by their numbers or in words."""
    delivery = last_delivery(session, plan) if plan and ABOUT_A_BOX & set(kinds) else None
    if delivery is None:
        return ()
    items = manifest(delivery)
    by_number = supplies.by_number(text, items) if asked and asked.prompt is Prompt.MISSING_ITEMS else ()
    return by_number or tuple(triage.missing_items(text, items))


def found_again(session: Session, text: str, plan: TherapyPlan | None) -> tuple[CareEvent, Named] | None:
    """The delivery of which something turned up, and what is still missing; None: the text says no such thing."""
    delivery = last_delivery(session, plan) if plan else None
    if delivery is None or not delivery.missing:
        return None
    missing = tuple((item["name"], item["count"]) for item in delivery.missing)
    again = tuple(triage.missing_items(text, [(name, count or 0) for name, count in missing]))
    left = supplies.left_missing(missing, text, again)
    return (delivery, left) if again and left is not None else None


def write_missing(session: Session, delivery: CareEvent, missing: Named, *, by: str, now: datetime) -> None:
    """Keep what is missing of a box."""
    delivery.missing = [{"name": name, "count": count} for name, count in missing]
    what = "; ".join(f"{name}: {'?' if count is None else count}" for name, count in missing) or "nothing"
    journal.note(session, delivery, "care_event.missing", now=now, by=by, detail=what)


def note_on_ticket(session: Session, patient_id: object, text: str, *, by: str, now: datetime) -> Ticket | None:
    """Tell the delivery desk's open ticket what changed, without a page."""
    ticket = session.scalars(
        select(Ticket).where(
            Ticket.patient_id == patient_id, Ticket.role == Role.DELIVERY, Ticket.state != TicketState.RESOLVED
        )
    ).one_or_none()
    if ticket is not None:
        journal.note(session, ticket, "ticket.noted", now=now, by=by, detail=text)
    return ticket


def came_warm(session: Session, plan: TherapyPlan, *, catalog: Catalog, by: str, now: datetime) -> None:
    """A box that came lately and is warm does not open the way to a first dose."""
    delivery = last_delivery(session, plan)
    if delivery is None or delivery.state is not EventState.DONE or delivery.cold_ok is False:
        return
    if delivery.done_at and now - delivery.done_at <= FRESH:
        enrolment.set_delivery_status(session, delivery, cold_ok=False, catalog=catalog, by=by, now=now)

"""What other systems read, page by page."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from notifier.core.states import TicketState
from notifier.core.vocabulary import CANARY, EventKind, Role, Urgency
from notifier.errors import Missing
from notifier.models import (
    AuditEvent,
    CareEvent,
    ConsentRecord,
    Contact,
    Message,
    Patient,
    Staff,
    TherapyPlan,
    Ticket,
    TicketLink,
)
from notifier.queries.scope import VIEWED

Place = tuple[datetime, UUID]  # where a page of a list ends: an instant, and the id that tells its rows apart


def _after(at: Any, row_id: Any, place: Place | None) -> list[ColumnElement[bool]]:
    return [] if place is None else [or_(at > place[0], and_(at == place[0], row_id > place[1]))]


def _before(at: Any, row_id: Any, place: Place | None) -> list[ColumnElement[bool]]:
    return [] if place is None else [or_(at < place[0], and_(at == place[0], row_id < place[1]))]


def list_patients(
    session: Session, *, site: str | None, external_id: str | None, after: Place | None, limit: int
) -> Sequence[Patient]:
    """Patients with their people, the oldest record first, beginning after that place."""
    people = selectinload(Patient.contacts)
    found = select(Patient).where(Patient.site_key != CANARY, *_after(Patient.created_at, Patient.id, after))
    found = found.options(people)
    if site is not None:
        found = found.where(Patient.site_key == site)
    if external_id is not None:
        found = found.where(Patient.external_id == external_id)
    return session.scalars(found.order_by(Patient.created_at, Patient.id).limit(limit)).all()


def consents_of(session: Session, patient_ids: Iterable[UUID]) -> dict[UUID, list[ConsentRecord]]:
    """Every word of consent of these patients' people, by contact, the oldest first."""
    found = (
        select(ConsentRecord)
        .join(Contact, Contact.id == ConsentRecord.contact_id)
        .where(Contact.patient_id.in_(list(patient_ids)))
        .order_by(ConsentRecord.at, ConsentRecord.id)
    )
    words: dict[UUID, list[ConsentRecord]] = {}
    for row in session.scalars(found):
        words.setdefault(row.contact_id, []).append(row)
    return words


def plan(session: Session, plan_id: UUID) -> TherapyPlan:
    """One plan with its patient. Raises Missing."""
    row = session.get(TherapyPlan, plan_id)
    if row is None:
        raise Missing("There is no such plan.")
    return row


def event(session: Session, event_id: UUID, kinds: Iterable[EventKind]) -> CareEvent:
    """One dated thing of these kinds, with its plan. Raises Missing."""
    found = select(CareEvent).where(CareEvent.id == event_id, CareEvent.kind.in_(list(kinds)))
    row = session.scalars(found.options(joinedload(CareEvent.plan))).one_or_none()
    if row is None:
        raise Missing
    return row


def delivery_by_external_id(session: Session, site: str, external_id: str) -> CareEvent | None:
    """The delivery that the pharmacy's own system knows by this id."""
    found = (
        select(CareEvent)
        .join(TherapyPlan, TherapyPlan.id == CareEvent.plan_id)
        .where(TherapyPlan.site_key == site, CareEvent.kind == EventKind.DELIVERY, CareEvent.external_id == external_id)
    )
    return session.scalars(found.order_by(CareEvent.booked_at).limit(1)).first()


def list_messages(session: Session, patient_id: UUID, *, after: Place | None, limit: int) -> Sequence[Message]:
    """Everything said or to be said to a patient's people, by when it is or was due; pages to staff are not."""
    found = (
        select(Message)
        .where(
            Message.patient_id == patient_id,
            Message.staff_id.is_(None),
            *_after(Message.due_at, Message.id, after),
        )
        .options(joinedload(Message.contact))
    )
    return session.scalars(found.order_by(Message.due_at, Message.id).limit(limit)).all()


def list_tickets(
    session: Session,
    *,
    site: str | None,
    state: TicketState | None,
    urgency: Urgency | None,
    role: Role | None,
    patient_id: UUID | None,
    before: Place | None,
    limit: int,
) -> Sequence[Ticket]:
    """Tickets, the newest first, beginning before that place."""
    wanted: dict[Any, Any] = {
        Ticket.site_key: site,
        Ticket.state: state,
        Ticket.urgency: urgency,
        Ticket.role: role,
        Ticket.patient_id: patient_id,
    }
    found = select(Ticket).where(
        Ticket.site_key != CANARY,
        *(column == value for column, value in wanted.items() if value is not None),
        *_before(Ticket.opened_at, Ticket.id, before),
    )
    return session.scalars(found.order_by(Ticket.opened_at.desc(), Ticket.id.desc()).limit(limit)).all()


def ticket_by_id(session: Session, ticket_id: UUID) -> Ticket:
    """The ticket with this id. Raises Missing."""
    row = session.get(Ticket, ticket_id)
    if row is None:
        raise Missing("There is no such ticket.")
    return row


def journals_of(session: Session, ticket_ids: Sequence[UUID]) -> dict[UUID, list[AuditEvent]]:
    """The journals of these tickets, each oldest first; who merely looked is left out."""
    found = (
        select(AuditEvent)
        .where(
            AuditEvent.ticket_id.in_(ticket_ids), AuditEvent.subject_type == "ticket", AuditEvent.verb.not_in(VIEWED)
        )
        .order_by(AuditEvent.at, AuditEvent.id)
    )
    lines: dict[UUID, list[AuditEvent]] = {}
    for row in session.scalars(found):
        if row.ticket_id is not None:
            lines.setdefault(row.ticket_id, []).append(row)
    return lines


def links_of(session: Session, ticket_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The tickets that belong to each of these."""
    links: dict[UUID, list[UUID]] = {}
    for row in session.scalars(select(TicketLink).where(TicketLink.ticket_id.in_(ticket_ids))):
        links.setdefault(row.ticket_id, []).append(row.other_id)
    return links


def staff_member(session: Session, name: str) -> Staff | None:
    """The active member of staff with this key or id."""
    try:
        wanted = or_(Staff.key == name, Staff.id == UUID(name))
    except ValueError:
        wanted = Staff.key == name
    return session.scalars(select(Staff).where(wanted, Staff.active)).one_or_none()

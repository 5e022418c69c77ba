"""One ticket: its thread, its people and a token that changes with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session, joinedload

from notifier.core.states import MessageState, TicketState
from notifier.errors import Missing
from notifier.models import (
    Attempt,
    AuditEvent,
    Inbound,
    Message,
    Paged,
    Staff,
    Ticket,
)
from notifier.queries.scope import VIEWED, Sites, at


def ticket(session: Session, number: int, sites: Sites = ()) -> Ticket:
    """The ticket with this number. Raises Missing."""
    found = select(Ticket).where(Ticket.number == number, *at(Ticket.site_key, sites))
    row = session.scalars(found.options(joinedload(Ticket.patient), joinedload(Ticket.site))).one_or_none()
    if row is None:
        raise Missing(f"There is no ticket {number}.")
    return row


@dataclass(frozen=True)
class Thread:
    """All that was said and done around a ticket, each list oldest first."""

    inbound: Sequence[Inbound]
    messages: Sequence[Message]  # to the patient's people, as far as they left or were tried
    pages: Sequence[Message]  # to staff
    journal: Sequence[AuditEvent]


def thread(session: Session, ticket: Ticket, *, limit: int = 200) -> Thread:
    """The thread of a ticket, with what its patient was told and said before."""
    theirs = [Inbound.ticket_id == ticket.id]
    ours = [Message.ticket_id == ticket.id]
    if ticket.patient_id:
        theirs.append(Inbound.patient_id == ticket.patient_id)
        ours.append(Message.patient_id == ticket.patient_id)
    inbound = session.scalars(
        select(Inbound)
        .where(or_(*theirs), Inbound.staff_id.is_(None))
        .order_by(Inbound.received_at.desc())
        .limit(limit)
    ).all()
    left = [state for state in MessageState if state not in (MessageState.CANCELLED, MessageState.EXPIRED)]
    messages = session.scalars(
        select(Message)
        .where(
            or_(*ours),
            Message.staff_id.is_(None),
            Message.state.in_(left),
            or_(Message.state != MessageState.PLANNED, Message.ticket_id == ticket.id, Message.inbound_id.is_not(None)),
        )
        .options(joinedload(Message.contact), joinedload(Message.site))
        .order_by(Message.due_at.desc())
        .limit(limit)
    ).all()
    pages = session.scalars(
        select(Message)
        .where(
            or_(
                Message.ticket_id == ticket.id,
                Message.id.in_(select(Paged.message_id).where(Paged.ticket_id == ticket.id)),
            ),
            Message.staff_id.is_not(None),
        )
        .options(joinedload(Message.staff))
        .order_by(Message.created_at)
    ).all()
    journal = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.ticket_id == ticket.id, AuditEvent.subject_type == "ticket", AuditEvent.verb.not_in(VIEWED))
        .order_by(AuditEvent.at, AuditEvent.id)
    ).all()
    return Thread(inbound[::-1], messages[::-1], pages, journal)


def ticket_token(session: Session, ticket: Ticket) -> str:
    """Changes whenever the page of this ticket would look different."""
    mine: ColumnElement[bool] = AuditEvent.ticket_id == ticket.id
    if ticket.patient_id:
        mine = or_(mine, AuditEvent.patient_id == ticket.patient_id)
    return _journal_token(session, mine)


def patient_token(session: Session, patient_id: UUID) -> str:
    """Changes whenever the page of this patient would look different."""
    return _journal_token(session, AuditEvent.patient_id == patient_id)


def _journal_token(session: Session, mine: ColumnElement[bool]) -> str:
    # The count as well as the last id: of two transactions the one that numbers its line first may commit last.
    found = select(func.count(), func.max(AuditEvent.id)).where(mine, AuditEvent.verb.not_in(VIEWED))
    return "|".join(str(part) for part in session.execute(found).one())


def attempts(session: Session, messages: Iterable[Message]) -> dict[UUID, Attempt]:
    """The last attempt of each message: it holds Twilio's word on what went wrong."""
    ids = [message.attempt_id for message in messages if message.attempt_id]
    found = select(Attempt).where(Attempt.id.in_(ids))
    return {row.message_id: row for row in session.scalars(found)} if ids else {}


def earlier_ticket(session: Session, ticket: Ticket) -> Ticket | None:
    """The ticket that this one follows."""
    return session.get(Ticket, ticket.follows_id) if ticket.follows_id else None


def last_word(session: Session, ticket: Ticket) -> AuditEvent | None:
    """The last note on a ticket, or with what words it was closed."""
    told = select(AuditEvent).where(
        AuditEvent.ticket_id == ticket.id, AuditEvent.verb.in_(("ticket.noted", "ticket.resolved"))
    )
    return session.scalars(told.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(1)).first()


def other_tickets(session: Session, ticket: Ticket) -> Sequence[Ticket]:
    """The patient's other tickets, unresolved ones first, then the newest."""
    if not ticket.patient_id:
        return ()
    found = select(Ticket).where(Ticket.patient_id == ticket.patient_id, Ticket.id != ticket.id)
    resolved_last = case((Ticket.state == TicketState.RESOLVED, 1), else_=0)
    return session.scalars(found.order_by(resolved_last, Ticket.opened_at.desc()).limit(6)).all()


def colleagues(session: Session, sites: Sites = ()) -> Sequence[Staff]:
    """Everybody to whom a ticket may be given, by name."""
    people = session.scalars(select(Staff).where(Staff.active)).all()
    works = [
        person for person in people if person.roles and (not sites or not person.sites or {*sites} & {*person.sites})
    ]
    return sorted(works, key=lambda person: person.name)

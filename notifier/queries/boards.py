"""The board: which tickets wait, in which order, and a token that changes with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session, joinedload

from notifier.core.states import TicketState
from notifier.core.vocabulary import Urgency
from notifier.models import (
    Contact,
    Inbound,
    Ticket,
)
from notifier.queries.scope import Sites, at

RANK = case({urgency.value: urgency.rank for urgency in Urgency}, value=Ticket.urgency)


@dataclass(frozen=True)
class Wanted:
    """Which tickets a board shows: the filters of its address."""

    sites: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    owner_id: UUID | None = None
    states: tuple[TicketState, ...] = (TicketState.OPEN, TicketState.ACKNOWLEDGED)

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on Ticket."""
        found: list[ColumnElement[bool]] = [Ticket.state.in_(self.states), *at(Ticket.site_key, self.sites)]
        if self.roles:
            found.append(Ticket.role.in_(self.roles))
        if self.owner_id:
            found.append(Ticket.owner_id == self.owner_id)
        return found


def board(session: Session, wanted: Wanted, urgency: Urgency, limit: int) -> Sequence[Ticket]:
    """Tickets of one urgency, the least time left first (late ones on top); resolved ones newest first."""
    order = Ticket.resolved_at.desc() if wanted.states == (TicketState.RESOLVED,) else Ticket.respond_by
    found = (
        select(Ticket)
        .where(Ticket.urgency == urgency, *wanted.conditions())
        .options(joinedload(Ticket.patient), joinedload(Ticket.site))
        .order_by(order, Ticket.number)
        .limit(limit)
    )
    return session.scalars(found).all()


def board_counts(session: Session, wanted: Wanted) -> dict[Urgency, int]:
    """How many tickets of each urgency a board would show."""
    found = select(Ticket.urgency, func.count()).where(*wanted.conditions()).group_by(Ticket.urgency)
    return dict(session.execute(found).all())


def emergencies(session: Session, sites: Sites) -> Sequence[Ticket]:
    """Emergencies that nobody has, the oldest first."""
    found = select(Ticket).where(
        Ticket.urgency == Urgency.EMERGENCY, Ticket.state == TicketState.OPEN, *at(Ticket.site_key, sites)
    )
    return session.scalars(found.order_by(Ticket.opened_at).limit(20)).all()


def board_token(session: Session, sites: Sites) -> str:
    """Changes whenever a board would look different; cheap enough to ask each second."""
    unresolved = and_(Ticket.state != TicketState.RESOLVED, *at(Ticket.site_key, sites))
    found = select(
        func.count(),
        func.max(Ticket.number),
        func.max(Ticket.news_at),
        func.max(Ticket.acknowledged_at),
        func.sum(Ticket.step),
        func.sum(case((Ticket.state == TicketState.OPEN, 1), else_=0)),
        func.sum(RANK),
        func.count(Ticket.contacted_at),
        func.max(Ticket.ack_expires_at),
    ).where(unresolved)
    return "|".join(str(part) for part in session.execute(found).one())


def contacts(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, Contact]:
    """These contacts by id."""
    wanted = {each for each in ids if each}
    return {row.id: row for row in session.scalars(select(Contact).where(Contact.id.in_(wanted)))} if wanted else {}


def texts_told(session: Session, tickets: Iterable[Ticket]) -> dict[UUID, list[str]]:
    """What patients and their helpers wrote to each ticket, the first text first; not how staff answered a page."""
    ids = [ticket.id for ticket in tickets]
    told: dict[UUID, list[str]] = {}
    found = select(Inbound.ticket_id, Inbound.body).where(Inbound.ticket_id.in_(ids), Inbound.staff_id.is_(None))
    for ticket_id, body in session.execute(found.order_by(Inbound.received_at)) if ids else ():
        if ticket_id:
            told.setdefault(ticket_id, []).append(body)
    return told

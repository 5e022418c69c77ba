"""Who has a ticket on the screen: what is new to each person, and who else is there just now."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifier.models import Staff, TicketSeen

HERE = timedelta(seconds=50)  # a page that is open says so more often than this
AGAIN = timedelta(seconds=20)  # how finely it is kept


def saw(session: Session, ticket_id: uuid.UUID, staff_id: uuid.UUID, *, now: datetime, real_now: datetime) -> None:
    """This person has this ticket before them."""
    changed = session.scalars(
        update(TicketSeen)
        .where(TicketSeen.ticket_id == ticket_id, TicketSeen.staff_id == staff_id)
        .values(at=now, real_at=real_now)
        .returning(TicketSeen.ticket_id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is not None:
        return
    try:
        with session.begin_nested():
            session.add(TicketSeen(ticket_id=ticket_id, staff_id=staff_id, at=now, real_at=real_now))
    except IntegrityError:
        return  # another of their windows was faster


def is_stale(session: Session, ticket_id: uuid.UUID, staff_id: uuid.UUID, *, now: datetime, real_now: datetime) -> bool:
    """Whether `saw` has anything to add."""
    found = session.get(TicketSeen, (staff_id, ticket_id))
    return found is None or found.real_at < real_now - AGAIN or found.at > now


def others(session: Session, ticket_id: uuid.UUID, me: uuid.UUID | None, *, real_now: datetime) -> list[str]:
    """The names of those who have this ticket open just now, without mine."""
    found = (
        select(Staff)
        .join(TicketSeen, TicketSeen.staff_id == Staff.id)
        .where(TicketSeen.ticket_id == ticket_id, TicketSeen.real_at >= real_now - HERE, Staff.id != me)
    )
    return sorted(staff.name for staff in session.scalars(found))


def unseen(session: Session, staff_id: uuid.UUID, news: Mapping[uuid.UUID, datetime]) -> set[uuid.UUID]:
    """Of these tickets, named with when they last told something, those that did since this person last looked."""
    found = select(TicketSeen.ticket_id, TicketSeen.at).where(
        TicketSeen.staff_id == staff_id, TicketSeen.ticket_id.in_(news)
    )
    seen = {row.ticket_id: row.at for row in session.execute(found)} if news else {}
    return {ticket_id for ticket_id, at in news.items() if ticket_id not in seen or seen[ticket_id] < at}

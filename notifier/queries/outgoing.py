"""What goes out: what is coming, what failed, and how much waits."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.orm import Session, joinedload

from notifier.core.states import MessageState
from notifier.models import (
    Contact,
    Message,
)
from notifier.queries.monitors import overdue
from notifier.queries.scope import Sites, at

RECENT = timedelta(hours=48)  # how long a failed message asks for a hand


def coming(session: Session, sites: Sites, until: datetime, *, limit: int, offset: int = 0) -> Sequence[Message]:
    """What is planned to leave until then, the next first."""
    found = (
        select(Message)
        .where(Message.state == MessageState.PLANNED, Message.due_at < until, *at(Message.site_key, sites))
        .options(joinedload(Message.contact).joinedload(Contact.patient), joinedload(Message.site))
        .order_by(Message.due_at, Message.id)
        .limit(limit)
        .offset(offset)
    )
    return session.scalars(found).all()


def _needs_a_hand(sites: Sites, since: datetime) -> list[ColumnElement[bool]]:
    failed = and_(Message.state == MessageState.FAILED, Message.ended_at >= since)
    return [
        Message.contact_id.is_not(None),
        or_(failed, Message.state == MessageState.UNCERTAIN),
        *at(Message.site_key, sites),
    ]


def needing_a_hand(session: Session, sites: Sites, since: datetime, *, limit: int = 100) -> Sequence[Message]:
    """Messages to patients that failed since then or are in doubt, the newest first."""
    found = (
        select(Message)
        .where(*_needs_a_hand(sites, since))
        .options(joinedload(Message.contact).joinedload(Contact.patient), joinedload(Message.site))
        .order_by(Message.due_at.desc())
        .limit(limit)
    )
    return session.scalars(found).all()


def count_needing_a_hand(session: Session, sites: Sites, since: datetime) -> int:
    """How many of those there are."""
    return session.scalar(select(func.count()).select_from(Message).where(*_needs_a_hand(sites, since))) or 0


def sent_by_hour(session: Session, sites: Sites, start: datetime, end: datetime) -> Sequence[tuple[datetime, bool]]:
    """When each message between those instants left or is due, and whether it has left."""
    left = (MessageState.SENT, MessageState.DELIVERED)
    found = select(Message.due_at, Message.state).where(
        Message.due_at >= start,
        Message.due_at < end,
        Message.contact_id.is_not(None),
        Message.state.in_((*left, MessageState.PLANNED)),
        *at(Message.site_key, sites),
    )
    return [(due_at, state in left) for due_at, state in session.execute(found)]


def backlog_by_sender(session: Session, now: datetime) -> dict[tuple[str, str], int]:
    """What is due and waits for its turn, by (site, channel). What is urgent waits for none."""
    found = select(Message.site_key, Message.channel, func.count()).where(overdue(now), not_(Message.urgent))
    return {(site, channel): count for site, channel, count in session.execute(found.group_by("site_key", "channel"))}

"""What kind of line each number is: asked of Twilio once for whoever has it, while the first texts wait a little."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from notifier.core.line_types import LineType
from notifier.core.states import MessageState
from notifier.db import add_once
from notifier.models import Message, PhoneLine
from notifier.sealing import lookup

HOLD = timedelta(minutes=1)  # real; so long the messages of a journey wait for the answer about a new number
FRESH = timedelta(days=1)  # real; what was not asked about within is not asked about any more
LEASE = timedelta(minutes=1)  # real; nobody else asks meanwhile
AGAIN = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=4))  # real
AWAY = timedelta(seconds=5)  # real; while Twilio does not answer nobody else's number is asked about either


def want(session: Session, phone: str, *, now: datetime) -> LineType:
    """Have this number asked about, if it never was. Returns what is known of it."""
    row = PhoneLine(phone_hash=lookup(phone), phone=phone, wanted_at=now)
    known = session.get(PhoneLine, row.phone_hash)
    return (known or add_once(session, row, PhoneLine.phone_hash)[0]).kind


def kind_of(session: Session, phone_hash: str | None) -> LineType:
    """What is known of a number."""
    kind = session.scalar(select(PhoneLine.kind).where(PhoneLine.phone_hash == phone_hash)) if phone_hash else None
    return kind or LineType.UNKNOWN


def known(session: Session, hashes: Collection[str]) -> Mapping[str, PhoneLine]:
    """What is known of many numbers, by their hashes."""
    rows = session.scalars(select(PhoneLine).where(PhoneLine.phone_hash.in_(hashes)))
    return {row.phone_hash: row for row in rows}


def awaited_until(wanted_at: datetime, hold: timedelta) -> datetime:
    """Until when messages wait for the answer about a number that was wanted then."""
    return wanted_at + hold


# --- asking -------------------------------------------------------------------------------------------------------


class Number(NamedTuple):
    """A number that somebody is about to ask Twilio about."""

    phone_hash: str
    phone: str


def _due(now: datetime, real_now: datetime, pace: float) -> ColumnElement[bool]:
    return and_(
        PhoneLine.waits,
        PhoneLine.tries < len(AGAIN),
        PhoneLine.wanted_at > now - FRESH * pace,
        or_(PhoneLine.look_at.is_(None), PhoneLine.look_at <= real_now),
    )


def waiting(session: Session, *, now: datetime, real_now: datetime, pace: float) -> bool:
    """Whether any number is to be asked about now."""
    found = select(PhoneLine.phone_hash).where(_due(now, real_now, pace)).limit(1)
    return session.scalars(found).first() is not None


def take(session: Session, *, now: datetime, real_now: datetime, pace: float) -> Number | None:
    """The number that waits longest, for the caller alone to ask about. Each ask is counted, for each costs money."""
    row = session.scalars(
        select(PhoneLine)
        .where(_due(now, real_now, pace))
        .order_by(PhoneLine.wanted_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    row.tries += 1
    row.look_at = real_now + LEASE
    return Number(row.phone_hash, row.phone)


def put_off(session: Session, number: Number, *, real_now: datetime) -> None:
    """Twilio could not say: this one later, and later still; after the last try it stays unknown."""
    row = session.get_one(PhoneLine, number.phone_hash)
    row.look_at = real_now + AGAIN[min(row.tries, len(AGAIN)) - 1]
    row.waits = row.tries < len(AGAIN)
    session.flush()
    others = update(PhoneLine).where(PhoneLine.waits, or_(PhoneLine.look_at.is_(None), PhoneLine.look_at <= real_now))
    session.execute(others.values(look_at=real_now + AWAY).execution_options(synchronize_session=False))


def learned(session: Session, phone: str, kind: LineType, *, now: datetime) -> None:
    """Keep what a number is, whoever told: nobody need ask about it any more."""
    want(session, phone, now=now)
    row = session.scalars(select(PhoneLine).where(PhoneLine.phone_hash == lookup(phone)).with_for_update()).one()
    row.kind, row.asked_at, row.waits = kind, now, False
    session.flush()


def release(session: Session, phone_hash: str, hold: timedelta, *, now: datetime) -> None:
    """What waited for the answer about a number leaves now."""
    row = session.get_one(PhoneLine, phone_hash)
    session.execute(
        update(Message)
        .where(
            Message.to_hash == phone_hash,
            Message.state == MessageState.PLANNED,
            Message.step.is_not(None),
            Message.due_at == awaited_until(row.wanted_at, hold),
        )
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )

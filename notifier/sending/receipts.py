"""Receipts: kept as they come in, settled in batches. Late, doubled and disordered ones move nothing back."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from notifier import journal, reached
from notifier.catalog import Catalog
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Message, Receipt
from notifier.sending import stops
from notifier.sending.lanes import sender_of
from notifier.sending.outcomes import not_delivered

# Twilio's words for where a message or a call stands, as ours.
ON_ITS_WAY = {"accepted", "scheduled", "queued", "sending", "sent", "initiated", "ringing", "in-progress"}
ARRIVED = {"delivered", "read", "completed"}
DID_NOT_ARRIVE = {"undelivered", "failed", "canceled", "busy", "no-answer"}
FINAL = ARRIVED | DID_NOT_ARRIVE
LATER = timedelta(minutes=5)  # real time until one that we choked on is looked at again


def keep(
    session: Session,
    attempt_id: uuid.UUID,
    *,
    sid: str,
    status: str,
    error_code: int | None,
    answered_by: str | None,
    now: datetime,
    real_now: datetime,
) -> None:
    """Write a status callback down, in one statement: it is settled by a worker."""
    session.execute(
        insert(Receipt).values(
            attempt_id=attempt_id,
            provider_sid=sid,
            status=status,
            error_code=error_code,
            answered_by=answered_by,
            came_at=now,
            look_at=real_now,
        )
    )


def waiting(session: Session, *, real_now: datetime) -> bool:
    """Whether any receipt waits to be settled."""
    return session.scalar(select(Receipt.id).where(Receipt.look_at <= real_now).limit(1)) is not None


def count(session: Session) -> int:
    """How many stand, also those of nothing we know."""
    return session.scalar(select(func.count()).select_from(Receipt)) or 0


@dataclass(frozen=True)
class Settled:
    """One batch: how many were looked at, and which of them want a transaction of their own."""

    looked_at: int
    apart: Sequence[int]


def settle(session: Session, *, now: datetime, real_now: datetime, limit: int = 500) -> Settled:
    """Settle the receipts that only move messages forward, all in a few statements.

    What did not arrive is left for settle_one(), because calls and tickets may follow from it.
    """
    rows = session.scalars(
        select(Receipt)
        .where(Receipt.look_at <= real_now)
        .order_by(Receipt.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    known = _attempts(session, {row.attempt_id for row in rows if row.attempt_id})
    told: dict[uuid.UUID, _Told] = {}
    apart: list[int] = []
    difficult: set[uuid.UUID] = set()
    done: list[int] = []
    for row in rows:
        attempt = known.get(row.attempt_id) if row.attempt_id else None
        if attempt is None:
            row.look_at = None  # of nothing we know: kept until its SID is somebody's
            continue
        so_far = told.get(attempt.id) or _Told(attempt.provider_sid, attempt.provider_status, attempt.answered_by)
        if attempt.id in difficult or not so_far.is_plain(row, attempt.channel):
            difficult.add(attempt.id)
            apart.append(row.id)
            continue
        told[attempt.id] = so_far.after(row)
        done.append(row.id)
    _move_forward(session, told, known, now=now)
    session.flush()
    if done:
        session.execute(delete(Receipt).where(Receipt.id.in_(done)).execution_options(synchronize_session=False))
    return Settled(len(rows), apart)


@dataclass(frozen=True)
class _Told:
    """What Twilio has said of one attempt."""

    sid: str | None
    status: str | None
    answered_by: str | None

    def is_plain(self, receipt: Receipt, channel: Channel) -> bool:
        """Whether it only moves a message forward, or tells nothing new."""
        if self.sid not in (None, receipt.provider_sid):
            return False
        if self.status in FINAL:
            return self.status == receipt.status or receipt.status in ON_ITS_WAY
        if receipt.status in ON_ITS_WAY:
            return True
        return receipt.status in ARRIVED and channel is Channel.SMS  # a call that was taken may have reached nobody

    def after(self, receipt: Receipt) -> "_Told":
        """With this receipt heard as well."""
        status = self.status if self.status in FINAL else receipt.status
        return _Told(receipt.provider_sid, status, receipt.answered_by or self.answered_by)


def _attempts(session: Session, ids: set[uuid.UUID]) -> dict[uuid.UUID, Row[Any]]:
    if not ids:
        return {}
    rows: Any = session.execute(
        select(
            *(Attempt.id, Attempt.message_id, Attempt.provider_sid, Attempt.provider_status, Attempt.answered_by),
            *(Message.channel, Message.site_key),
        )
        .join(Message, Message.id == Attempt.message_id)
        .where(Attempt.id.in_(ids))
        .order_by(Attempt.id)
        .with_for_update(of=Attempt)
    )
    return {row.id: row for row in rows}


def _move_forward(
    session: Session, told: dict[uuid.UUID, _Told], known: dict[uuid.UUID, Row[Any]], *, now: datetime
) -> None:
    changed = {
        attempt_id: each
        for attempt_id, each in told.items()
        if (each.sid, each.status, each.answered_by) != tuple(known[attempt_id][2:5])
    }
    if not changed:
        return
    table: Any = Attempt.__table__
    facts = ("provider_sid", "provider_status", "answered_by")
    session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("attempt"))
        .values(**{name: bindparam(f"to_{name}", type_=table.c[name].type) for name in facts}),
        [
            {
                "attempt": attempt_id,
                "to_provider_sid": each.sid,
                "to_provider_status": each.status,
                "to_answered_by": each.answered_by,
            }
            for attempt_id, each in changed.items()
        ],
    )
    arrived = [attempt_id for attempt_id, each in changed.items() if each.status in ARRIVED]
    under_way = [attempt_id for attempt_id, each in changed.items() if each.status in ON_ITS_WAY]
    _advance(session, under_way, known, MessageState.SENT, now=now, sent_at=now)
    if arrived:
        _advance(session, arrived, known, MessageState.DELIVERED, now=now, ended_at=now)
        session.connection().execute(update(table).where(table.c.id.in_(arrived)).values(ended_at=now))
        never_sent = update(Message).where(
            Message.id.in_([known[attempt_id].message_id for attempt_id in arrived]), Message.sent_at.is_(None)
        )
        session.execute(never_sent.values(sent_at=now).execution_options(synchronize_session=False))
        _lift(session, [known[attempt_id].message_id for attempt_id in arrived])


def _advance(
    session: Session, attempts: list[uuid.UUID], known: dict[uuid.UUID, Row[Any]], to: MessageState, **given: Any
) -> None:
    messages = [known[attempt_id].message_id for attempt_id in attempts]
    only_if = (Message.attempt_id.in_(attempts),)
    journal.advance_all(session, Message, messages, to, by="twilio", only_if=only_if, **given)


def _lift(session: Session, messages: list[uuid.UUID]) -> None:
    """What has reached a phone shows that its sender works."""
    if stops.standing(session):
        arrived = session.scalars(select(Message).where(Message.id.in_(messages)))
        stops.lift(session, {sender_of(message.site, message.channel) for message in arrived}, arrived=True)


def settle_one(session: Session, receipt_id: int, *, catalog: Catalog, now: datetime, pace: float) -> None:
    """Settle one receipt and all that follows from it."""
    row = session.get(Receipt, receipt_id, with_for_update=True)
    if row is None or row.attempt_id is None:
        return
    record_receipt(
        session,
        row.attempt_id,
        sid=row.provider_sid,
        status=row.status,
        error_code=row.error_code,
        answered_by=row.answered_by,
        catalog=catalog,
        now=now,
        pace=pace,
    )
    session.delete(row)


def put_off(session: Session, receipt_id: int, *, real_now: datetime) -> None:
    """A fault of ours keeps this one from being settled: later again."""
    later = update(Receipt).where(Receipt.id == receipt_id).values(look_at=real_now + LATER)
    session.execute(later.execution_options(synchronize_session=False))


def find_owners(session: Session, *, real_now: datetime) -> int:
    """Receipts of nothing we knew whose SID has become somebody's are settled after all. Returns how many."""
    rows = session.execute(
        select(Receipt, Attempt.id)
        .join(Attempt, or_(Attempt.provider_sid == Receipt.provider_sid, Attempt.id == Receipt.attempt_id))
        .where(Receipt.look_at.is_(None))
        .limit(500)
    ).all()
    for receipt, attempt_id in rows:
        receipt.attempt_id, receipt.look_at = attempt_id, real_now
    return len(rows)


def record_receipt(
    session: Session,
    attempt_id: uuid.UUID,
    *,
    sid: str,
    status: str,
    error_code: int | None,
    answered_by: str | None = None,
    catalog: Catalog,
    now: datetime,
    pace: float = 1.0,
) -> None:
    """Write down what a status callback (or Twilio's list) says of one attempt. Forward only, whatever the order."""
    attempt = session.get(Attempt, attempt_id, with_for_update=True)  # two callbacks may come at once
    if attempt is None:
        return  # of an attempt that we never made
    message = session.get_one(Message, attempt.message_id)
    if attempt.provider_sid is None:
        attempt.provider_sid = sid
    elif attempt.provider_sid != sid:
        journal.note(session, message, "message.odd_receipt", now=now, by="twilio", detail=f"another SID: {status}")
        return
    answered_by = answered_by or attempt.answered_by
    attempt.answered_by = answered_by
    if attempt.provider_status in FINAL:
        if status in FINAL and status != attempt.provider_status:
            journal.note(session, message, "message.odd_receipt", now=now, by="twilio", detail=f"then {status}")
        if not (status in ARRIVED and attempt.provider_status in DID_NOT_ARRIVE):
            return
    attempt.provider_status = status
    attempt.error_code = error_code or attempt.error_code
    mine = (Message.attempt_id == attempt.id,)
    if status in ON_ITS_WAY:
        journal.advance(session, message, MessageState.SENT, now=now, by="twilio", only_if=mine, sent_at=now)
        return
    if status not in FINAL:
        return  # a word that Twilio has added since
    attempt.ended_at = now
    unreached = reached.what_became(message, attempt, status)
    if status in DID_NOT_ARRIVE or unreached:
        attempt.unreached = unreached
        missed: dict[str, Any] = {"catalog": catalog, "now": now, "pace": pace, "unreached": unreached}
        not_delivered(session, message, attempt, attempt.error_code, **missed)
        return
    facts: dict[str, Any] = {} if message.sent_at else {"sent_at": now}
    journal.advance(session, message, MessageState.DELIVERED, now=now, by="twilio", only_if=mine, ended_at=now, **facts)

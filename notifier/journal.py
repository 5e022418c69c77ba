"""The one door through which state changes, and the audit trail that each change leaves behind."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, insert, literal, null, or_, select, update
from sqlalchemy.orm import Session

from notifier.core.states import origins
from notifier.db import Base, Instant, Sealed, written
from notifier.models import AuditEvent, Inbound, Message, Patient, TherapyPlan, Ticket

SYSTEM = "notifier"


def advance(
    session: Session,
    row: Any,
    to: Any,
    /,
    *,
    now: datetime,
    by: str,
    why: str = "",
    only_if: tuple[ColumnElement[bool], ...] = (),
    **facts: Any,
) -> bool:
    """Move `row` to state `to`, if the table of moves allows it from where the row stands now.

    `facts` are columns set by the same statement; `only_if` are further conditions on the row; `why` stands in
    the journal, and on the row if it has such a column.
    False means that someone was faster or the news is stale: nothing changed, nothing was written.
    """
    cls = type(row)
    if hasattr(cls, "why"):
        facts["why"] = why or None  # the reason of an earlier move would be a lie about this one
    moved = session.scalars(
        update(cls)
        .where(cls.id == row.id, cls.state.in_(origins(to)), *only_if)
        .values(state=to, **facts)
        .returning(cls)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()
    if moved is None:
        session.refresh(row)
        return False
    note(session, row, f"{cls.__tablename__}.{to}", now=now, by=by, detail=why)
    return True


def advance_all(
    session: Session,
    cls: Any,
    ids: Sequence[uuid.UUID],
    to: Any,
    /,
    *,
    now: datetime,
    by: str,
    why: str = "",
    only_if: tuple[ColumnElement[bool], ...] = (),
    **facts: Any,
) -> list[uuid.UUID]:
    """advance() for many rows of one table in one statement. Returns the ids of those that moved."""
    if not ids:
        return []
    if hasattr(cls, "why"):
        facts["why"] = why or None
    moved = session.scalars(
        update(cls)
        .where(cls.id.in_(ids), cls.state.in_(origins(to)), *only_if)
        .values(state=to, **facts)
        .returning(cls.id)
        .execution_options(synchronize_session=False)
    ).all()
    _note_all(session, cls, moved, f"{cls.__tablename__}.{to}", now=now, by=by, why=why)
    return list(moved)


def advance_each(
    session: Session,
    cls: Any,
    facts: Mapping[uuid.UUID, Mapping[str, Any]],
    to: Any,
    /,
    *,
    now: datetime,
    by: str,
    why: str = "",
) -> None:
    """advance() for rows that this transaction holds locked, each with facts of its own (the same names for all).

    Raises Raced, and the transaction is to be given up, if one of them could not move: it was not held after all.
    """
    if not facts:
        return
    table = cls.__table__
    own = {name: bindparam(f"to_{name}", type_=table.c[name].type) for name in next(iter(facts.values()))}
    moved = session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("row_id"), or_(*(table.c.state == state for state in origins(to))))
        .values(state=to, why=why or None, **own),
        [{"row_id": row_id, **{f"to_{name}": each[name] for name in own}} for row_id, each in facts.items()],
    )
    if moved.rowcount != len(facts):
        raise Raced
    _note_all(session, cls, list(facts), f"{cls.__tablename__}.{to}", now=now, by=by, why=why)


class Raced(Exception):
    """Somebody else moved a row that this transaction thought its own."""


def _note_all(
    session: Session, cls: Any, ids: Sequence[uuid.UUID], verb: str, *, now: datetime, by: str, why: str
) -> None:
    """A line about each of these rows, written by one statement."""
    if not ids:
        return
    line = {
        "at": literal(now, Instant),
        "actor": literal(by, Sealed),
        "verb": literal(verb),
        "subject_type": literal(cls.__tablename__),
        "subject_id": written(cls.id),
        "patient_id": getattr(cls, "patient_id", null()),
        "ticket_id": getattr(cls, "ticket_id", null()),
        "detail": literal(why or None, Sealed),
    }
    lines = select(*line.values()).where(cls.id.in_(ids))
    session.execute(insert(AuditEvent).from_select(list(line), lines))


def note(session: Session, row: Base, verb: str, *, now: datetime, by: str, detail: str = "") -> AuditEvent:
    """Write one line about `row` into the journal: what was done, by whom, when."""
    patient_id, ticket_id = _belongs_to(row)
    line = AuditEvent(
        at=now,
        actor=by,
        verb=verb,
        subject_type=row.__tablename__,
        subject_id=str(getattr(row, "id", None) or getattr(row, "key", "")),
        patient_id=patient_id,
        ticket_id=ticket_id,
        detail=detail or None,
    )
    session.add(line)
    return line


def _belongs_to(row: Base) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    """The patient and the ticket whose story this row is part of."""
    if isinstance(row, Patient):
        return row.id, None
    if isinstance(row, Ticket):
        return row.patient_id, row.id
    if isinstance(row, Message | Inbound):
        return row.patient_id, row.ticket_id
    if isinstance(row, TherapyPlan):
        return row.patient_id, None
    if hasattr(row, "plan"):
        return row.plan.patient_id, None
    return getattr(row, "patient_id", None), getattr(row, "ticket_id", None)

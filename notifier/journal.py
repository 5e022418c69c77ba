"""The one door through which state changes, and the audit trail that each change leaves behind."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from notifier.core.states import origins
from notifier.db import Base
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
    return getattr(row, "patient_id", None), None

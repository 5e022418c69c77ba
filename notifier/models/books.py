"""The books: the audit trail, secrets, counters, who leads, what the console remembers."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from notifier.core.states import (
    ImportState,
)
from notifier.db import Base, Instant, Sealed, SealedJSON
from notifier.models.columns import key, word


class AuditEvent(Base):
    """One line of the journal; never edited."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("audit_by_patient", "patient_id", "at"),
        Index("audit_by_ticket", "ticket_id", "at"),
        Index("audit_by_subject", "subject_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(Sealed)
    verb: Mapped[str] = mapped_column(String(60))
    subject_type: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[uuid.UUID | None]
    ticket_id: Mapped[uuid.UUID | None]
    detail: Mapped[str | None] = mapped_column(Sealed)


class Secret(Base):
    """A key derived once and stored sealed: the one for look-ups."""

    __tablename__ = "secret"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Sealed)


class Counter(Base):
    """The last number given out: of tickets; or how many segments a sender has used on a day."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]


class Leader(Base):
    """Which process leads, until when (real time): the clock that ticks."""

    __tablename__ = "leader"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(Instant)


class Mark(Base):
    """An instant worth remembering between runs: how far Twilio's inbound list was read."""

    __tablename__ = "mark"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)


class IdempotentCall(Base):
    """An API call made under an Idempotency-Key, and its answer."""

    __tablename__ = "idempotent_call"
    __table_args__ = (UniqueConstraint("token_id", "key"),)

    id: Mapped[uuid.UUID] = key()
    token_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("api_token.id"))
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    response: Mapped[str | None] = mapped_column(Sealed)
    created_at: Mapped[datetime] = mapped_column(Instant)


class ConsoleSession(Base):
    """A signed-in browser; ending it signs that browser out at once."""

    __tablename__ = "console_session"

    id: Mapped[uuid.UUID] = key()
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    browser: Mapped[str] = mapped_column(String(80), default="", server_default="")  # "Chrome on Android"
    waits: Mapped[bool] = mapped_column(default=False, server_default=false())  # the code is still to come


class RecoveryCode(Base):
    """A code that opens the door once when the phone with the app is lost; only its hash is kept."""

    __tablename__ = "recovery_code"

    id: Mapped[uuid.UUID] = key()
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class TicketSeen(Base):
    """When somebody last had a ticket on the screen: what is new to them, and who else is there."""

    __tablename__ = "ticket_seen"

    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    real_at: Mapped[datetime] = mapped_column(Instant)  # by which it is known who is there just now


class ImportRun(Base):
    """A file that somebody dropped: first rehearsed row by row, then loaded, with what came of each row."""

    __tablename__ = "import_run"

    id: Mapped[uuid.UUID] = key()
    name: Mapped[str] = mapped_column(Sealed)
    content: Mapped[str | None] = mapped_column(Sealed)  # let go once it is loaded
    by: Mapped[str] = mapped_column(Sealed)
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    sites: Mapped[list[str]] = mapped_column(JSON, default=list)  # those that its rows may name; empty: every site
    state: Mapped[ImportState] = mapped_column(word(ImportState), default=ImportState.CHECKING)
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    fates: Mapped[list[Any]] = mapped_column(SealedJSON, default=list)  # [line, fate, [[column, reason], ...]]
    why: Mapped[str | None] = mapped_column(Sealed)  # of a file that is no such file
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)  # real time


class PageCheck(Base):
    """A page of ours that texts name: whether it was there when it was last looked for (real time)."""

    __tablename__ = "page_check"

    url: Mapped[str] = mapped_column(String(400), primary_key=True)
    alive: Mapped[bool]
    why: Mapped[str | None] = mapped_column(String(200))
    checked_at: Mapped[datetime] = mapped_column(Instant)

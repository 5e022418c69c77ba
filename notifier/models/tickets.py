"""What patients say, and what a human does about it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from notifier.core.states import (
    InboundState,
    TicketState,
)
from notifier.core.vocabulary import (
    Intent,
    PromiseStep,
    Role,
    Source,
    Urgency,
)
from notifier.db import Base, Instant, Sealed, SealedJSON
from notifier.models.columns import key, word
from notifier.models.patients import Patient
from notifier.models.pharmacy import Site, Staff


class Inbound(Base):
    """What someone texted, pressed or said; never edited."""

    __tablename__ = "inbound"
    __table_args__ = (
        Index(
            "inbound_waiting",
            "received_at",
            postgresql_where=text("state = 'received'"),
            sqlite_where=text("state = 'received'"),
        ),
        Index("inbound_by_patient", "patient_id", "received_at"),
    )

    id: Mapped[uuid.UUID] = key()
    provider_sid: Mapped[str] = mapped_column(String(80), unique=True)  # keypad: CallSid and the menu's step
    source: Mapped[Source] = mapped_column(word(Source))
    sender: Mapped[str] = mapped_column(Sealed)
    sender_hash: Mapped[str] = mapped_column(String(64), index=True)
    recipient: Mapped[str] = mapped_column(String(40))  # our number
    body: Mapped[str] = mapped_column(Sealed)
    media: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime] = mapped_column(Instant)
    message_id: Mapped[uuid.UUID | None]  # what it answers
    opt_out: Mapped[str | None] = mapped_column(String(5))  # what Twilio took it for: STOP, START, HELP
    call_id: Mapped[uuid.UUID | None]  # the call on which it was pressed or said
    hurry: Mapped[bool] = mapped_column(default=False)  # at a glance a red flag: read first
    contact_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.id"))
    patient_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("patient.id"))
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    state: Mapped[InboundState] = mapped_column(word(InboundState), default=InboundState.RECEIVED)
    intent: Mapped[Intent | None] = mapped_column(word(Intent))
    kinds: Mapped[list[str]] = mapped_column(JSON, default=list)
    urgency: Mapped[Urgency | None] = mapped_column(word(Urgency))
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(
        JSON, default=list
    )  # [{"kind", "span", "rule"}]: no words of theirs
    failures: Mapped[int] = mapped_column(default=0)  # how often triage failed on it


class Ticket(Base):
    """A need that a person must meet. One that is open always has a moment at which somebody is woken."""

    __tablename__ = "ticket"
    __table_args__ = (
        Index(
            "ticket_one_unresolved",
            "subject",
            "role",
            unique=True,
            postgresql_where=text("state != 'resolved'"),
            sqlite_where=text("state != 'resolved'"),
        ),
        Index(
            "ticket_climbing",
            "escalate_at",
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        Index(
            "ticket_lapsing",
            "ack_expires_at",
            postgresql_where=text("state = 'acknowledged'"),
            sqlite_where=text("state = 'acknowledged'"),
        ),
        Index(
            "ticket_red",
            "ladder_from",
            postgresql_where=text("state = 'open' AND urgency IN ('emergency', 'urgent')"),
            sqlite_where=text("state = 'open' AND urgency IN ('emergency', 'urgent')"),
        ),
        Index(
            "ticket_promised",
            "promise_due_at",
            postgresql_where=text("promise_due_at IS NOT NULL"),
            sqlite_where=text("promise_due_at IS NOT NULL"),
        ),
        Index("ticket_by_age", "opened_at"),
        Index("ticket_on_board", "state", "urgency", "resolved_at", "site_key"),
        CheckConstraint("state != 'open' OR escalate_at IS NOT NULL", name="open_wakes_somebody"),
        CheckConstraint(
            "state != 'acknowledged' OR (owner IS NOT NULL AND ack_expires_at IS NOT NULL)",
            name="acknowledged_has_owner",
        ),
        CheckConstraint("state != 'resolved' OR outcome IS NOT NULL", name="resolved_has_outcome"),
    )

    id: Mapped[uuid.UUID] = key()
    number: Mapped[int] = mapped_column(unique=True)
    site_key: Mapped[str] = mapped_column(ForeignKey("site.key"))
    subject: Mapped[str] = mapped_column(String(100))  # patient:<id>, sender:<hash>, site:<key>: whose need it is
    patient_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("patient.id"), index=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contact.id"))  # who told us
    sender: Mapped[str | None] = mapped_column(Sealed)  # a number that we do not know
    plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("therapy_plan.id"))
    role: Mapped[Role] = mapped_column(word(Role))
    kinds: Mapped[list[str]] = mapped_column(JSON)
    urgency: Mapped[Urgency] = mapped_column(word(Urgency))
    source: Mapped[Source] = mapped_column(word(Source))
    text: Mapped[str] = mapped_column(Sealed)
    state: Mapped[TicketState] = mapped_column(word(TicketState), default=TicketState.OPEN)
    step: Mapped[int] = mapped_column(default=0)  # rungs climbed since birth: counts up only
    rung: Mapped[int] = mapped_column(default=0)  # the next rung of the ladder
    ladder_from: Mapped[datetime] = mapped_column(Instant)  # when this climb began
    escalate_at: Mapped[datetime | None] = mapped_column(Instant)
    respond_by: Mapped[datetime] = mapped_column(Instant)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    owner: Mapped[str | None] = mapped_column(Sealed)  # the name shown; a token's or a person's
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.id"))
    acknowledged_at: Mapped[datetime | None] = mapped_column(Instant)
    ack_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    contacted_at: Mapped[datetime | None] = mapped_column(Instant)  # the patient was reached
    news_at: Mapped[datetime] = mapped_column(Instant)  # the last thing told
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str | None] = mapped_column(String(60))
    follows_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    merged_id: Mapped[uuid.UUID | None]  # the ticket that took it over
    target_minutes: Mapped[int | None]  # the row's own limit, kept so that respond_by can be computed again
    counts_from: Mapped[datetime] = mapped_column(Instant)  # when the need that rules was told
    promised_by: Mapped[datetime | None] = mapped_column(Instant)  # by when the patient was told that somebody calls
    promise_step: Mapped[PromiseStep | None] = mapped_column(word(PromiseStep))  # what comes next if nobody does
    promise_due_at: Mapped[datetime | None] = mapped_column(Instant)
    answers: Mapped[dict[str, str] | None] = mapped_column(SealedJSON)  # of the checklist, by question
    patient: Mapped[Patient | None] = relationship()
    site: Mapped[Site] = relationship()


class TicketLink(Base):
    """Two tickets that belong together: several teams' parts of one text, or linked by hand. Stored both ways."""

    __tablename__ = "ticket_link"

    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)


class Paged(Base):
    """A ticket that a page tells of: one for most pages, several for one that bundles them."""

    __tablename__ = "paged"
    __table_args__ = (Index("paged_by_ticket", "ticket_id"),)

    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("message.id"), primary_key=True)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)


class HandOver(Base):
    """A shift that began: what the one who came was told, and whether they confirmed."""

    __tablename__ = "hand_over"
    __table_args__ = (UniqueConstraint("site_key", "role", "staff_id", "began_at"),)

    id: Mapped[uuid.UUID] = key()
    site_key: Mapped[str] = mapped_column(ForeignKey("site.key"))
    role: Mapped[Role] = mapped_column(word(Role))
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    began_at: Mapped[datetime] = mapped_column(Instant)
    counts: Mapped[dict[str, int]] = mapped_column(JSON)  # what waited: by name, no words of anybody's
    confirm_by: Mapped[datetime | None] = mapped_column(Instant)  # when the supervisor hears that nobody confirmed
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    staff: Mapped[Staff] = relationship(lazy="joined")
    site: Mapped[Site] = relationship()


class Escalation(Base):
    """One rung climbed for one ticket: who was asked, or that nobody was there."""

    __tablename__ = "escalation"
    __table_args__ = (UniqueConstraint("ticket_id", "step"),)

    id: Mapped[uuid.UUID] = key()
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    step: Mapped[int]
    rung: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    staff_ids: Mapped[list[str]] = mapped_column(JSON)

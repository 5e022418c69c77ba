"""What we say: messages, each attempt at one, and what must be told unless something happens first."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from notifier.core.phone import Unreached
from notifier.core.states import (
    MessageState,
    WatchState,
)
from notifier.core.vocabulary import (
    Channel,
    Prompt,
)
from notifier.db import Base, Instant, Sealed, SealedJSON
from notifier.models.columns import key, word
from notifier.models.patients import Contact
from notifier.models.pharmacy import Site, Staff


class Message(Base):
    """One thing to tell one person, and how that is going. Its key says why it exists."""

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint("state != 'sending' OR lease_until IS NOT NULL", name="sending_has_lease"),
        Index(
            "message_due",
            "due_at",
            postgresql_where=text("state = 'planned'"),
            sqlite_where=text("state = 'planned'"),
        ),
        Index(
            "message_in_flight",
            "state",
            "lease_until",
            postgresql_where=text("state IN ('sending', 'uncertain', 'sent')"),
            sqlite_where=text("state IN ('sending', 'uncertain', 'sent')"),
        ),
        Index(
            "message_due_in_lane",
            "site_key",
            "channel",
            "due_at",
            "template",
            postgresql_where=text("state = 'planned' AND NOT urgent"),
            sqlite_where=text("state = 'planned' AND urgent = 0"),
        ),
        Index(
            "message_due_urgent",
            "due_at",
            "template",
            postgresql_where=text("state = 'planned' AND urgent"),
            sqlite_where=text("state = 'planned' AND urgent = 1"),
        ),
        Index(  # reports count a period from the index alone
            "message_by_day",
            "due_at",
            postgresql_include=("state", "channel", "prompt", "answered_at", "segments", "staff_id", "site_key"),
        ),
        Index(
            "message_pages",
            "due_at",
            postgresql_where=text("staff_id IS NOT NULL"),
            sqlite_where=text("staff_id IS NOT NULL"),
        ),
        Index(
            "message_troubled",
            "due_at",
            postgresql_where=text("state IN ('failed', 'uncertain')"),
            sqlite_where=text("state IN ('failed', 'uncertain')"),
        ),
        Index("message_by_patient", "patient_id", "due_at"),
        Index("message_by_ticket", "ticket_id"),
        Index("message_by_recipient", "to_hash", "due_at"),
        Index(
            "message_ringing",
            "sent_at",
            postgresql_where=text("state = 'sent' AND channel = 'voice' AND staff_id IS NOT NULL"),
            sqlite_where=text("state = 'sent' AND channel = 'voice' AND staff_id IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = key()
    key: Mapped[str] = mapped_column(String(250), unique=True)
    site_key: Mapped[str] = mapped_column(ForeignKey("site.key"))
    patient_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("patient.id"))
    plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("therapy_plan.id"), index=True)
    event_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("care_event.id"))
    contact_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.id"))
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    inbound_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("inbound.id"))  # the text that it answers
    to: Mapped[str] = mapped_column(Sealed)
    to_hash: Mapped[str] = mapped_column(String(64))
    channel: Mapped[Channel] = mapped_column(word(Channel))
    step: Mapped[str | None] = mapped_column(String(60))  # the journey's step; none: an answer, a page, a reply
    template: Mapped[str] = mapped_column(String(60))
    language: Mapped[str] = mapped_column(String(16))
    values: Mapped[dict[str, str]] = mapped_column(SealedJSON, default=dict)
    body: Mapped[str | None] = mapped_column(Sealed)  # the words as they left, frozen at claim
    template_version: Mapped[str | None] = mapped_column(
        String(12)
    )  # which words of the template, frozen with the body
    segments: Mapped[int | None]
    prompt: Mapped[Prompt | None] = mapped_column(word(Prompt))
    question: Mapped[str | None] = mapped_column(String(200))  # what is asked, whoever is asked and how often
    matters: Mapped[bool] = mapped_column(default=False)  # if it fails, another way is tried and then a human told
    urgent: Mapped[bool] = mapped_column(default=False)  # pages, answers: never behind a backlog
    any_hour: Mapped[bool] = mapped_column(default=False)  # exempt from quiet hours
    after_opt_out: Mapped[bool] = mapped_column(default=False)  # the one confirmation that may follow STOP
    state: Mapped[MessageState] = mapped_column(word(MessageState), default=MessageState.PLANNED)
    why: Mapped[str | None] = mapped_column(String(200))
    due_at: Mapped[datetime] = mapped_column(Instant)
    not_after: Mapped[datetime] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)  # real time; also when to look at a doubt again
    attempt_id: Mapped[uuid.UUID | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)  # when its question was answered
    contact: Mapped[Contact | None] = relationship()
    staff: Mapped[Staff | None] = relationship()
    site: Mapped[Site] = relationship()

    @property
    def speaks(self) -> str:
        """The message of the catalog whose words it speaks: its template's own, unless its step says otherwise."""
        return self.values.get("words", self.template) if self.values else self.template


class Attempt(Base):
    """One call to Twilio for a message; holds Twilio's word, where Message holds ours."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("message_id", "n"),)

    id: Mapped[uuid.UUID] = key()
    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("message.id"))
    n: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Instant)
    began: Mapped[datetime] = mapped_column(Instant)  # real time, by which a lost answer is looked for
    looked: Mapped[int] = mapped_column(default=0)  # how often Twilio's list was asked without finding it
    provider_sid: Mapped[str | None] = mapped_column(String(40), unique=True)
    provider_status: Mapped[str | None] = mapped_column(String(24))
    error_code: Mapped[int | None]
    answered_by: Mapped[str | None] = mapped_column(String(24))
    reached_at: Mapped[datetime | None] = mapped_column(Instant)  # a call: the right person pressed a key
    unreached: Mapped[Unreached | None] = mapped_column(word(Unreached))  # a call: what became of it instead
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    message: Mapped[Message] = relationship()


class Watch(Base):
    """A moment at which staff are told that something has not happened. Its key says why; its words are not kept."""

    __tablename__ = "watch"
    __table_args__ = (
        Index(
            "watch_due",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[uuid.UUID] = key()
    key: Mapped[str] = mapped_column(String(250), unique=True)
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("therapy_plan.id"), index=True)
    patient_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("patient.id"))
    step: Mapped[str] = mapped_column(String(60))
    state: Mapped[WatchState] = mapped_column(word(WatchState), default=WatchState.WAITING)
    due_at: Mapped[datetime] = mapped_column(Instant)
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)


class Receipt(Base):
    """A status callback as it came in; it goes once it is settled, so that few stand here."""

    __tablename__ = "receipt"
    __table_args__ = (Index("receipt_by_sid", "provider_sid"), Index("receipt_to_settle", "look_at"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    attempt_id: Mapped[uuid.UUID | None]  # as its address says; no foreign key, for we may know no such attempt
    provider_sid: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(24))
    error_code: Mapped[int | None]
    answered_by: Mapped[str | None] = mapped_column(String(24))
    came_at: Mapped[datetime] = mapped_column(Instant)
    look_at: Mapped[datetime | None] = mapped_column(Instant)  # real time; none: of nothing we know, until its SID is


class SenderStop(Base):
    """A sender of ours that cannot send until somebody mends it: tried again now and then."""

    __tablename__ = "sender_stop"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)  # of its lane; "account": all of them
    code: Mapped[int]
    since: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)  # when one message may try again
    tries: Mapped[int] = mapped_column(default=0)

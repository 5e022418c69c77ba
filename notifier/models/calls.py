"""Calls, and what was recorded in them."""

import uuid
from datetime import datetime

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from notifier.core.vocabulary import (
    Role,
)
from notifier.db import Base, Instant, Sealed, SealedBytes
from notifier.models.columns import key, word


class PhoneCall(Base):
    """One call while it is talked, in either direction: what waits to be confirmed, and who of us is rung for it."""

    __tablename__ = "phone_call"
    __table_args__ = (
        Index(
            "phone_call_unfinished",
            "began",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = key()
    provider_sid: Mapped[str] = mapped_column(String(40), unique=True)
    site_key: Mapped[str] = mapped_column(ForeignKey("site.key"))
    attempt_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("attempt.id"))  # ours; none: they rang us
    message_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("message.id"))
    staff_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.id"))  # a page: who was called
    patient_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("patient.id"))
    party: Mapped[str] = mapped_column(Sealed)  # their number
    ours: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(16))
    said: Mapped[str | None] = mapped_column(Sealed)  # words that nobody has confirmed yet
    said_at: Mapped[datetime | None] = mapped_column(Instant)
    inbound_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("inbound.id"))  # what the call is about
    role: Mapped[Role | None] = mapped_column(word(Role))  # the team that is rung
    people: Mapped[list[str]] = mapped_column(JSON, default=list)  # staff ids, in the order in which they are rung
    rings_until: Mapped[datetime | None] = mapped_column(Instant)  # until then a page waits: phones ring already
    taken_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.id"))
    talked_at: Mapped[datetime | None] = mapped_column(Instant)  # two people have spoken
    began: Mapped[datetime] = mapped_column(Instant)  # real time, by which one without an end is asked about
    looked: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class Recording(Base):
    """A message that somebody left on the phone: fetched from Twilio, kept sealed, forgotten there."""

    __tablename__ = "recording"
    __table_args__ = (
        Index(
            "recording_to_fetch",
            "look_at",
            postgresql_where=text("forgotten_at IS NULL"),
            sqlite_where=text("forgotten_at IS NULL"),
        ),
        Index(
            "recording_without_words",
            "words_by",
            postgresql_where=text("words_by IS NOT NULL"),
            sqlite_where=text("words_by IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = key()
    provider_sid: Mapped[str] = mapped_column(String(40), unique=True)
    call_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("phone_call.id"))
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    patient_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("patient.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    seconds: Mapped[int] = mapped_column(default=0)
    sound: Mapped[bytes | None] = mapped_column(SealedBytes, deferred=True)
    words: Mapped[str | None] = mapped_column(Sealed)  # its transcription, which went through triage
    words_by: Mapped[datetime | None] = mapped_column(Instant)  # real time, when a nurse is to listen if none came
    tries: Mapped[int] = mapped_column(default=0)
    look_at: Mapped[datetime] = mapped_column(Instant)  # real time, from when it is fetched, or forgotten, again
    fetched_at: Mapped[datetime | None] = mapped_column(Instant)
    forgotten_at: Mapped[datetime | None] = mapped_column(Instant)  # deleted at Twilio

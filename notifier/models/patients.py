"""Patients, who helps them, what they agreed to, and their therapy plans."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from notifier.core import names
from notifier.core.line_types import LineType
from notifier.core.states import (
    EventState,
    PlanState,
)
from notifier.core.vocabulary import (
    Administration,
    Channel,
    Consent,
    EventKind,
    Line,
    Storage,
    Therapy,
)
from notifier.db import Base, Instant, Sealed, SealedJSON
from notifier.models.columns import key, word
from notifier.models.pharmacy import Site
from notifier.sealing import lookup


class Patient(Base):
    """A person on home infusion."""

    __tablename__ = "patient"
    __table_args__ = (
        UniqueConstraint("site_key", "external_id"),
        Index("patient_by_name", "name_hash"),
        Index("patient_by_family", "family_hash"),
        Index("patient_by_age", "created_at", "id"),
    )

    id: Mapped[uuid.UUID] = key()
    site_key: Mapped[str] = mapped_column(ForeignKey("site.key"))
    external_id: Mapped[str] = mapped_column(String(100))
    given_name: Mapped[str] = mapped_column(Sealed)
    family_name: Mapped[str] = mapped_column(Sealed)
    name_hash: Mapped[str] = mapped_column(String(64))  # by which a sealed name is found: see _hash_names
    family_hash: Mapped[str] = mapped_column(String(64))
    postal_code: Mapped[str | None] = mapped_column(Sealed)
    timezone: Mapped[str] = mapped_column(String(64))
    welcomed: Mapped[bool] = mapped_column(default=False)  # the consent text went out before we knew the patient
    held_until: Mapped[datetime | None] = mapped_column(
        Instant
    )  # after a crisis: no reminder without a nurse's release
    created_at: Mapped[datetime] = mapped_column(Instant)
    site: Mapped[Site] = relationship(lazy="joined")
    contacts: Mapped[list["Contact"]] = relationship(back_populates="patient", order_by="Contact.created_at")
    plans: Mapped[list["TherapyPlan"]] = relationship(back_populates="patient", order_by="TherapyPlan.created_at")

    @property
    def name(self) -> str:
        """Given and family name, for the console only."""
        return f"{self.given_name} {self.family_name}"

    @property
    def contact(self) -> "Contact":
        """The patient's own phone."""
        return next(contact for contact in self.contacts if contact.relation == "self")


@event.listens_for(Patient, "before_insert")
@event.listens_for(Patient, "before_update")
def _hash_names(_mapper: Any, _connection: Any, patient: Patient) -> None:
    whole, family = names.keys(patient.given_name, patient.family_name)
    patient.name_hash, patient.family_hash = lookup(whole), lookup(family)


class Contact(Base):
    """A phone we may use for a patient: the patient's own (relation "self") or a caregiver's."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("patient_id", "phone_hash"), Index("contact_by_phone", "phone_hash"))

    id: Mapped[uuid.UUID] = key()
    patient_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("patient.id"))
    relation: Mapped[str] = mapped_column(String(40), default="self")
    name: Mapped[str] = mapped_column(Sealed)
    phone: Mapped[str] = mapped_column(Sealed)
    phone_hash: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    channel: Mapped[Channel] = mapped_column(word(Channel))  # by which they are reached
    chosen: Mapped[Channel | None] = mapped_column(word(Channel))  # what was asked for, where a landline is called
    receives: Mapped[list[str]] = mapped_column(JSON, default=list)  # topics, for caregivers
    sms_consent: Mapped[Consent] = mapped_column(word(Consent), default=Consent.UNKNOWN)
    voice_consent: Mapped[Consent] = mapped_column(word(Consent), default=Consent.UNKNOWN)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    patient: Mapped[Patient] = relationship(back_populates="contacts")

    @property
    def is_patient(self) -> bool:
        """The patient's own phone, not a caregiver's."""
        return self.relation == "self"

    @property
    def wish(self) -> Channel:
        """By which channel they were to be reached, whatever their phone takes."""
        return self.chosen or self.channel

    def consent(self, channel: Channel) -> Consent:
        """What this person agreed to, on this number, by this channel."""
        return self.sms_consent if channel is Channel.SMS else self.voice_consent


class PhoneLine(Base):
    """What kind of line a number is, whoever has it: a patient, a helper, a member of staff."""

    __tablename__ = "phone_line"
    __table_args__ = (
        Index(
            "phone_line_to_ask",
            "wanted_at",
            postgresql_where=text("waits"),
            sqlite_where=text("waits = 1"),
        ),
    )

    phone_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    phone: Mapped[str] = mapped_column(Sealed)
    kind: Mapped[LineType] = mapped_column(word(LineType), default=LineType.UNKNOWN)
    wanted_at: Mapped[datetime] = mapped_column(Instant)  # when somebody first had this number
    asked_at: Mapped[datetime | None] = mapped_column(Instant)  # when we were told
    waits: Mapped[bool] = mapped_column(default=True)  # Twilio is still to be asked
    tries: Mapped[int] = mapped_column(default=0)  # how often it was: each costs money
    look_at: Mapped[datetime | None] = mapped_column(Instant)  # real time, from when it may be asked (again)


class ConsentRecord(Base):
    """One word of consent, given or withdrawn; never edited. The newest rules, and stands on the contact."""

    __tablename__ = "consent_record"

    id: Mapped[uuid.UUID] = key()
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    phone_hash: Mapped[str] = mapped_column(String(64))
    channel: Mapped[Channel] = mapped_column(word(Channel))
    consent: Mapped[Consent] = mapped_column(word(Consent))
    source: Mapped[str] = mapped_column(String(200))  # "intake form v3", "text message", the staff member's name
    wording: Mapped[str | None] = mapped_column(String(60))  # the version of what the person read or heard before
    at: Mapped[datetime] = mapped_column(Instant)


class TherapyPlan(Base):
    """A course of therapy: its journey state and its rhythm. The therapy is never named in a message."""

    __tablename__ = "therapy_plan"
    __table_args__ = (UniqueConstraint("site_key", "external_id"), Index("plan_by_state", "state"))

    id: Mapped[uuid.UUID] = key()
    patient_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    site_key: Mapped[str] = mapped_column(ForeignKey("site.key"))
    external_id: Mapped[str] = mapped_column(String(100))
    therapy: Mapped[Therapy] = mapped_column(word(Therapy))
    line: Mapped[Line] = mapped_column(word(Line))
    storage: Mapped[Storage] = mapped_column(word(Storage))
    administration: Mapped[Administration] = mapped_column(word(Administration))
    first_dose_at: Mapped[datetime] = mapped_column(Instant)
    doses_per_day: Mapped[int]
    ends_on: Mapped[date]
    supplies: Mapped[list[dict[str, Any]]] = mapped_column(SealedJSON, default=list)  # [{"name", "quantity"}]
    infusion_minutes: Mapped[int | None]
    reminders: Mapped[list[str]] = mapped_column(JSON, default=list)  # local times that the patient chose: "20:00"
    reminders_zone: Mapped[str | None] = mapped_column(String(64))  # where they count; none: where the patient is
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)
    prescriber: Mapped[str | None] = mapped_column(Sealed)
    cover_ends_on: Mapped[date | None]
    state: Mapped[PlanState] = mapped_column(word(PlanState), default=PlanState.RECEIVED)
    resume_to: Mapped[PlanState | None] = mapped_column(word(PlanState))  # where a paused plan goes on
    paused_until: Mapped[datetime | None] = mapped_column(Instant)
    why: Mapped[str | None] = mapped_column(Sealed)  # why it is paused or ended
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    supplies_ready_at: Mapped[datetime | None] = mapped_column(Instant)
    changed_at: Mapped[datetime | None] = mapped_column(Instant)  # the order became another one while under way
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    doses_left: Mapped[int | None]  # by the last count
    counted_at: Mapped[datetime | None] = mapped_column(Instant)
    checklist: Mapped[dict[str, bool]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(Instant)
    patient: Mapped[Patient] = relationship(back_populates="plans", lazy="joined")
    events: Mapped[list["CareEvent"]] = relationship(back_populates="plan", order_by="CareEvent.starts_at")


class CareEvent(Base):
    """One dated thing we speak about: a delivery, a teaching visit, the first dose, a lab draw."""

    __tablename__ = "care_event"
    __table_args__ = (
        UniqueConstraint("plan_id", "kind", "external_id"),
        Index("event_by_day", "kind", "starts_at"),
    )

    id: Mapped[uuid.UUID] = key()
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("therapy_plan.id"), index=True)
    kind: Mapped[EventKind] = mapped_column(word(EventKind))
    external_id: Mapped[str] = mapped_column(String(100), default=lambda: str(uuid.uuid4()))
    starts_at: Mapped[datetime] = mapped_column(Instant)  # a delivery: the window's start
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    items: Mapped[list[dict[str, Any]]] = mapped_column(SealedJSON, default=list)  # a delivery: [{"name", "quantity"}]
    mode: Mapped[str | None] = mapped_column(String(16))  # teaching: visit, phone, video
    state: Mapped[EventState] = mapped_column(word(EventState), default=EventState.SCHEDULED)
    booked_at: Mapped[datetime] = mapped_column(Instant)  # when this time was set: a move sets it anew
    out_at: Mapped[datetime | None] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)  # the patient said yes to this time
    received_at: Mapped[datetime | None] = mapped_column(Instant)  # the patient said that all is there
    cold_ok: Mapped[bool | None]
    cold_at: Mapped[datetime | None] = mapped_column(Instant)  # when that was said
    over_at: Mapped[datetime | None] = mapped_column(Instant)  # when it failed or was cancelled
    moves: Mapped[int] = mapped_column(default=0)  # how often it was given another time
    missing: Mapped[list[dict[str, Any]] | None] = mapped_column(SealedJSON)  # a delivery: [{"name", "count"}]
    plan: Mapped[TherapyPlan] = relationship(back_populates="events")

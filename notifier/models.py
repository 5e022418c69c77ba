"""The tables, their unique keys and their check constraints. Statuses move through journal.py and nowhere else."""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from notifier.core import names
from notifier.core.line_types import LineType
from notifier.core.phone import Unreached
from notifier.core.states import (
    EventState,
    ImportState,
    InboundState,
    MessageState,
    PlanState,
    TicketState,
    WatchState,
)
from notifier.core.vocabulary import (
    Administration,
    Channel,
    Consent,
    EventKind,
    Intent,
    Line,
    Pages,
    PromiseStep,
    Prompt,
    Role,
    Source,
    Storage,
    Therapy,
    Urgency,
)
from notifier.db import Base, Instant, Sealed, SealedBytes, SealedJSON
from notifier.sealing import lookup


def word(enum: type[StrEnum]) -> Enum:
    """A column that holds one word of an enum, as text."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


def key() -> Mapped[uuid.UUID]:
    """A primary key that nobody can guess."""
    return mapped_column(primary_key=True, default=uuid.uuid4)


# --- the pharmacy -------------------------------------------------------------------------------------------------


class Site(Base):
    """A pharmacy's branch: the numbers it sends from and what patients are told to call."""

    __tablename__ = "site"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    brand: Mapped[str] = mapped_column(String(60))  # the sender's name at the start of each text
    timezone: Mapped[str] = mapped_column(String(64))
    sms_from: Mapped[str | None] = mapped_column(String(34))
    messaging_service: Mapped[str | None] = mapped_column(String(34))
    voice_from: Mapped[str | None] = mapped_column(String(34))
    phone: Mapped[str] = mapped_column(String(34))  # the 24/7 number that patients are told
    languages: Mapped[list[str]] = mapped_column(JSON)
    quiet_hours: Mapped[str] = mapped_column(String(11), default="20:00-08:00")
    sender_rate: Mapped[float] = mapped_column(default=1.0)  # segments a second
    call_rate: Mapped[float] = mapped_column(default=1.0)  # calls a second
    business_hours: Mapped[str | None] = mapped_column(String(11))  # "08:00-17:00": when the office works
    business_days: Mapped[list[str]] = mapped_column(JSON, default=list)  # empty: Monday to Friday
    holidays: Mapped[str] = mapped_column(String(12), default="")  # "US", "US-OR": whose public holidays rest


class Staff(Base):
    """A person who works here: signs in, is paged, owns tickets. The last resort is one too, without roles."""

    __tablename__ = "staff"
    __table_args__ = (Index("staff_by_second_phone", "second_phone_hash", unique=True),)

    id: Mapped[uuid.UUID] = key()
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(Sealed)
    email: Mapped[str | None] = mapped_column(Sealed)
    email_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    phone: Mapped[str | None] = mapped_column(Sealed)
    phone_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    roles: Mapped[list[str]] = mapped_column(JSON, default=list)
    sites: Mapped[list[str]] = mapped_column(JSON, default=list)  # empty: every site
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    pages: Mapped[Pages] = mapped_column(word(Pages), default=Pages.SMS)
    second_phone: Mapped[str | None] = mapped_column(Sealed)
    second_phone_hash: Mapped[str | None] = mapped_column(String(64))
    reach: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # [{"by", "after", "phone"}]: in turn
    phone_verified_at: Mapped[datetime | None] = mapped_column(Instant)  # it answered us
    texts_stopped_at: Mapped[datetime | None] = mapped_column(Instant)  # it sent STOP: pages come by call
    password_hash: Mapped[str | None] = mapped_column(String(200))
    totp_secret: Mapped[str | None] = mapped_column(Sealed)  # of the second step at the door
    totp_since: Mapped[datetime | None] = mapped_column(Instant)  # none: not in use yet
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # the last code's: no code opens twice
    active: Mapped[bool] = mapped_column(default=True)
    phone_code: Mapped[str | None] = mapped_column(String(64))  # of a test page, by its keyed hash
    phone_code_until: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def phone_rings(self) -> bool:
        """Whether pages are known to arrive on the phone that they have now."""
        return self.phone_verified_at is not None and self.texts_stopped_at is None


class OnCallShift(Base):
    """Who holds which rung of a role: always, in a weekly pattern, or from when to when."""

    __tablename__ = "on_call_shift"

    id: Mapped[uuid.UUID] = key()
    site: Mapped[str] = mapped_column(String(64))  # "*": every site
    role: Mapped[Role] = mapped_column(word(Role))
    rung: Mapped[int] = mapped_column(default=0)  # 0 is asked first
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    days: Mapped[list[str]] = mapped_column(JSON, default=list)  # ["mon", ...]; empty: every day
    hours: Mapped[str | None] = mapped_column(String(11))  # "19:00-07:00" in the site's zone
    starts_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    is_override: Mapped[bool] = mapped_column(default=False)
    turn: Mapped[int] = mapped_column(default=0)  # this person's place among those who take turns
    turns: Mapped[int] = mapped_column(default=1)  # how many they are; 1: nobody takes turns
    turn_days: Mapped[int] = mapped_column(default=7)
    made_by: Mapped[str | None] = mapped_column(Sealed)  # a cover made in the console; none: the file's
    staff: Mapped[Staff] = relationship(lazy="joined")


class Ladder(Base):
    """The rungs for one urgency: [{"who", "by", "after" (minutes)}], as pharmacy.toml gave them."""

    __tablename__ = "ladder"

    urgency: Mapped[Urgency] = mapped_column(word(Urgency), primary_key=True)
    rungs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class ApiToken(Base):
    """Another system's key to the API; only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[uuid.UUID] = key()
    name: Mapped[str] = mapped_column(String(100), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


# --- patients and plans -------------------------------------------------------------------------------------------


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


# --- what we say --------------------------------------------------------------------------------------------------


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


# --- on the phone -------------------------------------------------------------------------------------------------


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


# --- what they say, and what a human does about it ------------------------------------------------------------------


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


# --- the books ----------------------------------------------------------------------------------------------------


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

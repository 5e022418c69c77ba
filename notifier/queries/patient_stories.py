"""Patients: one, all, found by name or phone, and all that was and will be around one."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, defer, joinedload, lazyload, load_only, selectinload

from notifier.core import names
from notifier.core.vocabulary import EventKind
from notifier.db import local_day
from notifier.errors import Missing
from notifier.models import (
    AuditEvent,
    CareEvent,
    ConsentRecord,
    Contact,
    Inbound,
    Message,
    Patient,
    TherapyPlan,
    Ticket,
)
from notifier.queries.scope import VIEWED, Sites, at
from notifier.sealing import lookup


def patient(session: Session, patient_id: UUID, sites: Sites = ()) -> Patient:
    """One patient with people and plans. Raises Missing."""
    found = select(Patient).where(Patient.id == patient_id, *at(Patient.site_key, sites))
    row = session.scalars(found.options(*_WHOLE)).one_or_none()
    if row is None:
        raise Missing("There is no such patient.")
    return row


_LISTED = (  # what a row of a list tells
    selectinload(Patient.contacts),
    selectinload(Patient.plans).options(
        load_only(TherapyPlan.state, TherapyPlan.created_at), lazyload(TherapyPlan.patient)
    ),
)
_WHOLE = (selectinload(Patient.contacts), selectinload(Patient.plans).selectinload(TherapyPlan.events))


def plans(session: Session, patient_id: UUID) -> Sequence[TherapyPlan]:
    """A patient's plans with their events, the newest first."""
    found = select(TherapyPlan).where(TherapyPlan.patient_id == patient_id).options(selectinload(TherapyPlan.events))
    return session.scalars(found.order_by(TherapyPlan.created_at.desc())).all()


def patients(session: Session, sites: Sites, *, limit: int, offset: int = 0) -> Sequence[Patient]:
    """Patients, the newest first, with their plans."""
    found = select(Patient).where(*at(Patient.site_key, sites)).options(*_LISTED)
    return session.scalars(
        found.order_by(Patient.created_at.desc(), Patient.id.desc()).limit(limit).offset(offset)
    ).all()


def count_patients(session: Session, sites: Sites) -> int:
    """How many patients there are."""
    return session.scalar(select(func.count()).select_from(Patient).where(*at(Patient.site_key, sites))) or 0


def find_patients(session: Session, sites: Sites, words: str, phone: str | None, *, limit: int = 50) -> list[Patient]:
    """Patients by the pharmacy's own number, by a phone (E.164) of theirs or a caregiver's, or by name.

    Names are sealed: the whole name is found (either part first), or the family name alone, never a part of one.
    """
    ids = set(session.scalars(select(Patient.id).where(Patient.external_id == words, *at(Patient.site_key, sites))))
    if phone:
        ids |= set(session.scalars(select(Contact.patient_id).where(Contact.phone_hash == lookup(phone))))
    if not ids:
        hashes = [lookup(name) for name in names.wanted(words) if name]
        named = or_(Patient.name_hash.in_(hashes), Patient.family_hash.in_(hashes))
        ids = set(session.scalars(select(Patient.id).where(named, *at(Patient.site_key, sites)).limit(limit)))
    found = select(Patient).where(Patient.id.in_(ids), *at(Patient.site_key, sites)).options(*_LISTED)
    return sorted(session.scalars(found.limit(limit)) if ids else (), key=lambda row: (row.family_name, row.given_name))


def sharers(session: Session, patient: Patient) -> Sequence[Contact]:
    """Other patients' people on the phones of this one's: what is said to them may be read by the wrong eyes."""
    hashes = [contact.phone_hash for contact in patient.contacts if contact.active]
    found = select(Contact).where(Contact.phone_hash.in_(hashes), Contact.patient_id != patient.id, Contact.active)
    return session.scalars(found.options(joinedload(Contact.patient))).all()


def on_phone(session: Session, phone_hash: str) -> int:
    """How many people we may tell on this phone."""
    found = select(func.count()).select_from(Contact).where(Contact.phone_hash == phone_hash, Contact.active)
    return session.scalar(found) or 0


def wrong_numbers(session: Session, patient: Patient) -> set[str]:
    """The hashes of this patient's phones from which somebody told us, last of all, that it is not theirs."""
    hashes = [contact.phone_hash for contact in patient.contacts if contact.active]
    found = (
        select(Inbound.sender_hash, Inbound.kinds)
        .where(Inbound.sender_hash.in_(hashes), Inbound.patient_id == patient.id)
        .order_by(Inbound.received_at)
    )
    last = {row.sender_hash: row.kinds for row in session.execute(found)}
    return {phone for phone, kinds in last.items() if "WRONG_NUMBER" in kinds}


@dataclass(frozen=True)
class Story:
    """All that was and will be around one patient, each list oldest first."""

    messages: Sequence[Message]
    inbound: Sequence[Inbound]
    tickets: Sequence[Ticket]
    consents: Sequence[ConsentRecord]
    journal: Sequence[AuditEvent]
    views: Sequence[AuditEvent]  # newest first


def story(session: Session, patient_id: UUID, *, limit: int = 300) -> Story:
    """What a patient's page shows beside people, plans and events."""
    messages = session.scalars(
        select(Message)
        .where(Message.patient_id == patient_id, Message.staff_id.is_(None))
        .options(joinedload(Message.contact), joinedload(Message.site))
        .order_by(Message.due_at.desc())
        .limit(limit)
    ).all()
    inbound = session.scalars(
        select(Inbound)
        .where(Inbound.patient_id == patient_id, Inbound.staff_id.is_(None))
        .order_by(Inbound.received_at.desc())
        .limit(limit)
    ).all()
    tickets = session.scalars(
        select(Ticket).where(Ticket.patient_id == patient_id).order_by(Ticket.opened_at.desc()).limit(limit)
    ).all()
    consents = session.scalars(
        select(ConsentRecord)
        .join(Contact, Contact.id == ConsentRecord.contact_id)
        .where(Contact.patient_id == patient_id)
        .order_by(ConsentRecord.at)
    ).all()
    journal = session.scalars(
        select(AuditEvent)
        .where(
            AuditEvent.patient_id == patient_id,
            AuditEvent.subject_type.in_(("patient", "contact", "therapy_plan", "care_event")),
            AuditEvent.verb.not_in(VIEWED),
        )
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(limit)
    ).all()
    return Story(
        messages[::-1], inbound[::-1], tickets[::-1], consents, journal[::-1], views(session, patient_id, limit=8)
    )


def views(session: Session, patient_id: UUID, *, limit: int) -> Sequence[AuditEvent]:
    """Who read about this patient, the newest first."""
    found = select(AuditEvent).where(AuditEvent.patient_id == patient_id, AuditEvent.verb.in_(VIEWED))
    return session.scalars(found.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)).all()


def viewed_since(session: Session, row: Patient | Ticket, by: str, since: datetime) -> bool:
    """Whether this person's reading of this page is in the journal already."""
    found = select(AuditEvent).where(
        AuditEvent.subject_id == str(row.id), AuditEvent.verb.in_(VIEWED), AuditEvent.at >= since
    )
    return any(line.actor == by for line in session.scalars(found))


class EventDay(NamedTuple):
    """The dated things of one local day: the first of them, in the order of their beginning, and how many."""

    date: date
    ids: tuple[UUID, ...]
    many: int


def event_days(
    session: Session, sites: Sites, kinds: Iterable[EventKind], start: datetime, end: datetime, *, first: int
) -> list[EventDay]:
    """On which days dated things of these kinds begin for their patients, at most `first` ids of each day.

    The database sorts and counts them, for a month may hold many.
    """
    begins = (
        select(CareEvent.id, CareEvent.starts_at, local_day(CareEvent.starts_at, Patient.timezone).label("day"))
        .join(TherapyPlan, TherapyPlan.id == CareEvent.plan_id)
        .join(Patient, Patient.id == TherapyPlan.patient_id)
        .where(
            CareEvent.kind.in_(list(kinds)),
            CareEvent.starts_at >= start,
            CareEvent.starts_at < end,
            *at(TherapyPlan.site_key, sites),
        )
        .subquery()
    )
    same: dict[str, Any] = {"partition_by": begins.c.day}
    order = (begins.c.starts_at, begins.c.id)
    counted = select(
        begins.c.day,
        begins.c.id,
        func.row_number().over(order_by=order, **same).label("place"),
        func.count().over(**same).label("many"),
    ).subquery()
    rows = session.execute(
        select(counted).where(counted.c.place <= first).order_by(counted.c.day, counted.c.place)
    ).all()
    return [
        EventDay(date.fromisoformat(day), tuple(row.id for row in each), each[0].many)
        for day, group in itertools.groupby(rows, key=lambda row: row.day)
        if (each := list(group))
    ]


def events_with_patients(session: Session, ids: Iterable[UUID]) -> Sequence[CareEvent]:
    """These dated things with their patients, without what is in the boxes."""
    found = (
        select(CareEvent)
        .where(CareEvent.id.in_(list(ids)))
        .options(
            defer(CareEvent.items),
            joinedload(CareEvent.plan).options(
                load_only(TherapyPlan.patient_id),
                joinedload(TherapyPlan.patient).options(
                    load_only(Patient.given_name, Patient.family_name, Patient.timezone), lazyload(Patient.site)
                ),
            ),
        )
        .order_by(CareEvent.starts_at, CareEvent.id)
    )
    return session.scalars(found).unique().all()

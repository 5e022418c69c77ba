"""A phone that takes calls only: whoever has it is called, and where we may not, a person asks."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal, phone_lines, tickets
from notifier.catalog import Catalog
from notifier.core import line_types
from notifier.core.line_types import LineType
from notifier.core.vocabulary import Channel, Role, Source, Urgency
from notifier.enrolment.replanning import replan_all, welcome
from notifier.models import Contact, Patient
from notifier.sealing import lookup

TOLD = {Channel.VOICE: "contact.landline", Channel.SMS: "contact.takes_texts"}


def suit(session: Session, contact: Contact, *, catalog: Catalog, by: str, now: datetime, ask: bool = True) -> bool:
    """Have a contact reached as their phone can be. True: the channel is another now; the caller replans.

    `ask`: whether a coordinator is told where nothing may be said to them at all.
    """
    whose = "The patient's phone" if contact.is_patient else "A helper's phone"
    wish = contact.wish
    way = line_types.way(
        wish,
        phone_lines.kind_of(session, contact.phone_hash),
        texts=contact.sms_consent,
        calls=contact.voice_consent,
        whose=whose,
    )
    changed = way.channel is not contact.channel
    if changed:
        contact.channel, contact.chosen = way.channel, wish if wish is not way.channel else None
        journal.note(session, contact, TOLD[way.channel], now=now, by=by)
        session.flush()
    if way.todo and (ask or changed):
        _ask(session, contact, way.todo, catalog=catalog, by=by, now=now)
    return changed


def learn(session: Session, phone: str, kind: LineType, *, catalog: Catalog, by: str, now: datetime) -> None:
    """What a number is has become known: those who have it are reached by what it takes, from the next message on."""
    phone_lines.learned(session, phone, kind, now=now)
    of_it = select(Contact).where(Contact.phone_hash == lookup(phone), Contact.active).order_by(Contact.created_at)
    for contact in session.scalars(of_it).all():
        if suit(session, contact, catalog=catalog, by=by, now=now, ask=False):
            patient = session.get_one(Patient, contact.patient_id)
            welcome(session, patient, catalog=catalog, now=now, by=by)
            replan_all(session, patient.plans, catalog=catalog, now=now, by=by)


def refused(session: Session, phone: str, code: int | None, *, catalog: Catalog, by: str, now: datetime) -> bool:
    """A carrier says that this number takes calls only. False: it may be a mobile out of reach."""
    kind = line_types.after_refusal(phone_lines.kind_of(session, lookup(phone)), code)
    learn(session, phone, kind, catalog=catalog, by=by, now=now)
    return not kind.takes_texts


def texted(session: Session, phone: str, *, catalog: Catalog, by: str, now: datetime) -> None:
    """A text came from this phone: it is no landline, whatever was said of it."""
    if not phone_lines.kind_of(session, lookup(phone)).takes_texts:
        learn(session, phone, LineType.OTHER, catalog=catalog, by=by, now=now)


def _ask(session: Session, contact: Contact, todo: str, *, catalog: Catalog, by: str, now: datetime) -> None:
    patient = session.get_one(Patient, contact.patient_id)
    need = tickets.Need(
        site_key=patient.site_key,
        subject=f"patient:{patient.id}",
        role=Role.COORDINATOR,
        urgency=Urgency.SAME_DAY,
        kinds=("UNREACHABLE",),
        source=Source.SYSTEM,
        text=todo,
        patient_id=patient.id,
        contact_id=contact.id,
    )
    tickets.open_or_append(session, need, catalog=catalog, now=now, by=by)

"""Who is told, on which phone, in which language, and what each person agreed to."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal, phone_lines
from notifier.catalog import Catalog
from notifier.core.planning import SILENT
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent, Role, Urgency
from notifier.details import CaregiverDetails, ConsentDetails, PatientDetails, is_zone
from notifier.enrolment.landlines import suit
from notifier.enrolment.replanning import replan_all, welcome
from notifier.enrolment.telling import tell
from notifier.errors import Invalid
from notifier.models import ConsentRecord, Contact, Message, Patient, Site, TherapyPlan
from notifier.sealing import lookup

DOSES_STAY = "The patient is in another time zone. Reminders of doses stay at their old hours until new ones are set."
WHERE_TO = "The patient is in another time zone. Please find out where deliveries and visits go meanwhile."


def enrol(session: Session, details: PatientDetails, *, catalog: Catalog, by: str, now: datetime) -> Patient:
    """A new patient with their phone, helpers and consents; the consent text is planned. Raises Invalid.

    The caller has looked with `find_patient`; of two who look at once, the ledger's unique key refuses the second.
    """
    site = session.get(Site, details.site)
    if site is None:
        raise Invalid({"site": "no such site"})
    zone = details.timezone or site.timezone
    if not is_zone(zone):
        raise Invalid({"timezone": "no such time zone"})
    patient = Patient(
        id=uuid.uuid4(),
        site=site,
        site_key=site.key,
        external_id=details.external_id,
        given_name=details.given_name,
        family_name=details.family_name,
        postal_code=details.postal_code,
        timezone=zone,
        welcomed=details.welcomed,
        created_at=now,
    )
    own = Contact(
        id=uuid.uuid4(),
        patient_id=patient.id,
        relation="self",
        name=f"{details.given_name} {details.family_name}",
        phone=details.phone,
        phone_hash=lookup(details.phone),
        language=details.language or site.languages[0],
        channel=details.channel,
        receives=[],
        sms_consent=Consent.UNKNOWN,
        voice_consent=Consent.UNKNOWN,
        active=True,
        created_at=now,
    )
    patient.contacts.append(own)
    session.add(patient)
    session.flush()
    journal.note(session, patient, "patient.enrolled", now=now, by=by)
    _consents(session, own, details.consents, by=by, now=now)
    _caregivers(session, patient, details.caregivers, by=by, now=now)
    _know_lines(session, patient, catalog=catalog, by=by, now=now)
    welcome(session, patient, catalog=catalog, now=now, by=by)
    phones = {contact.phone_hash for contact in patient.contacts}
    _replan_sharers(session, patient, phones, catalog=catalog, now=now)
    return patient


def amend(
    session: Session, patient: Patient, changes: Mapping[str, Any], *, catalog: Catalog, by: str, now: datetime
) -> bool:
    """Change what is given of a PatientDetails' fields, and replan what is not yet sent. False: nothing was new.

    `caregivers` is the whole list; `consents` are added to those there are. Raises Invalid.
    """
    own, changed = patient.contact, []
    for name in ("given_name", "family_name", "postal_code", "timezone", "welcomed"):
        if name in changes and changes[name] != getattr(patient, name):
            if name == "timezone" and not is_zone(changes[name]):
                raise Invalid({"timezone": "no such time zone"})
            setattr(patient, name, changes[name])
            changed.append(name)
    own.name = patient.name
    if "language" in changes and changes["language"] != own.language:
        own.language = changes["language"]
        changed.append("language")
    if "channel" in changes and _choose(own, changes["channel"]):
        changed.append("channel")
    if "phone" in changes and changes["phone"] != own.phone:
        if any(contact.phone_hash == lookup(changes["phone"]) for contact in patient.contacts):
            raise Invalid({"phone": "is a helper's number"})
        left = own.phone_hash
        own.phone, own.phone_hash = changes["phone"], lookup(changes["phone"])
        _carry_consent(session, own, by=by, now=now)
        _replan_sharers(session, patient, {left, own.phone_hash}, catalog=catalog, now=now)
        changed.append("phone")
    if _consents(session, own, changes.get("consents", ()), by=by, now=now):
        changed.append("consents")
    if "caregivers" in changes and _caregivers(session, patient, changes["caregivers"], by=by, now=now):
        changed.append("caregivers")
    if not changed:
        return False
    journal.note(session, patient, "patient.amended", now=now, by=by, detail=", ".join(changed))
    if {"phone", "channel", "consents", "caregivers"} & set(changed):
        _know_lines(session, patient, catalog=catalog, by=by, now=now)
    welcome(session, patient, catalog=catalog, now=now, by=by)
    replan_all(session, patient.plans, catalog=catalog, now=now, by=by)
    if "timezone" in changed:
        _another_zone(session, patient, catalog=catalog, by=by, now=now)
    return True


def _choose(contact: Contact, channel: Channel) -> bool:
    """Another way to be reached is asked for. False: it was before."""
    if contact.wish is channel:
        return False
    contact.channel, contact.chosen = channel, None
    return True


def _know_lines(session: Session, patient: Patient, *, catalog: Catalog, by: str, now: datetime) -> None:
    """Numbers that are new are asked about; whoever has a landline is called."""
    for contact in patient.contacts:
        if contact.active:
            phone_lines.want(session, contact.phone, now=now)
            suit(session, contact, catalog=catalog, by=by, now=now)


def _another_zone(session: Session, patient: Patient, *, catalog: Catalog, by: str, now: datetime) -> None:
    """Our reminders follow the patient's clock; a dose is never shifted by us: the pharmacist and the desk are told."""
    for plan in patient.plans:
        if plan.state in SILENT:
            continue
        if plan.reminders:
            what = Role.PHARMACIST, Urgency.SAME_DAY, "ZONE_CHANGED", DOSES_STAY
            tell(session, plan, *what, catalog=catalog, by=by, now=now)
        what = Role.COORDINATOR, Urgency.SAME_DAY, "ZONE_CHANGED", WHERE_TO
        tell(session, plan, *what, catalog=catalog, by=by, now=now)


def _carry_consent(session: Session, contact: Contact, *, by: str, now: datetime) -> None:
    """What was agreed to for the old number is written down for the new one: consent belongs to a number."""
    for channel in Channel:
        if contact.consent(channel) is not Consent.UNKNOWN:
            source = f"carried over to a new number by {by}"[:200]
            record_consent(session, contact, channel, contact.consent(channel), source, by=by, now=now)


def _replan_sharers(
    session: Session, patient: Patient, phones: Collection[str], *, catalog: Catalog, now: datetime
) -> None:
    """Those who share a phone with the patient, or did: from now on their texts say of whom they speak, or no more."""
    others = select(TherapyPlan).where(
        TherapyPlan.patient_id.in_(select(Contact.patient_id).where(Contact.phone_hash.in_(phones), Contact.active)),
        TherapyPlan.patient_id != patient.id,
        TherapyPlan.state.not_in(SILENT),
    )
    session.flush()
    replan_all(session, session.scalars(others).unique().all(), catalog=catalog, now=now)


def record_consent(
    session: Session,
    contact: Contact,
    channel: Channel,
    consent: Consent,
    source: str,
    *,
    by: str,
    now: datetime,
    at: datetime | None = None,
    wording: str | None = None,
) -> bool:
    """Write one word of consent down, given or withdrawn `at` (default: now). False: it is known, or older news.

    Withdrawn: what was to leave by that channel is cancelled at once. Given: the caller replans.
    """
    said = at or now
    newest = None
    if contact.consent(channel) is not Consent.UNKNOWN:
        newest = session.scalars(
            select(ConsentRecord)
            .where(ConsentRecord.contact_id == contact.id, ConsentRecord.channel == channel)
            .order_by(ConsentRecord.at.desc())
            .limit(1)
        ).first()
    if (
        newest
        and newest.phone_hash == contact.phone_hash
        and (newest.at > said or (newest.at == said and contact.consent(channel) is consent))
    ):
        return False
    record = ConsentRecord(
        contact_id=contact.id,
        phone_hash=contact.phone_hash,
        channel=channel,
        consent=consent,
        source=source,
        wording=wording,
        at=said,
    )
    session.add(record)
    if channel is Channel.SMS:
        contact.sms_consent = consent
    else:
        contact.voice_consent = consent
    journal.note(session, contact, f"consent.{consent}", now=now, by=by, detail=f"{channel}: {source}")
    if consent is Consent.WITHDRAWN:
        _silence(session, contact, channel, by=by, now=now)
    return True


def _silence(session: Session, contact: Contact, channel: Channel, *, by: str, now: datetime) -> None:
    unsent = select(Message).where(
        Message.contact_id == contact.id,
        Message.channel == channel,
        Message.state == MessageState.PLANNED,
        Message.after_opt_out.is_(False),
    )
    for message in session.scalars(unsent).all():
        journal.advance(session, message, MessageState.CANCELLED, now=now, by=by, why=f"consent to {channel} withdrawn")


def _consents(
    session: Session, contact: Contact, consents: Sequence[ConsentDetails], *, by: str, now: datetime
) -> bool:
    """Record those that are new, the oldest first."""
    new = [
        record_consent(
            session, contact, word.channel, word.consent, word.source, by=by, now=now, at=word.at, wording=word.wording
        )
        for word in sorted(consents, key=lambda word: word.at)
    ]
    return any(new)


def _caregivers(
    session: Session, patient: Patient, caregivers: Sequence[CaregiverDetails], *, by: str, now: datetime
) -> bool:
    """Make the patient's helpers those in the list; one who is left out is told nothing more."""
    known = {contact.phone_hash: contact for contact in patient.contacts}
    changed, kept = False, {patient.contact.phone_hash}
    for details in caregivers:
        phone_hash = lookup(details.phone)
        if phone_hash in kept:
            raise Invalid({"caregivers": "each needs a phone of their own, not the patient's"})
        kept.add(phone_hash)
        facts: dict[str, Any] = {
            "relation": details.relationship,
            "name": details.name,
            "language": details.language or patient.contact.language,
            "receives": [topic.value for topic in details.receives],
            "active": True,
        }
        contact = known.get(phone_hash)
        if contact is None:
            contact = Contact(
                id=uuid.uuid4(),
                patient_id=patient.id,
                phone=details.phone,
                phone_hash=phone_hash,
                channel=details.channel,
                sms_consent=Consent.UNKNOWN,
                voice_consent=Consent.UNKNOWN,
                created_at=now,
                **facts,
            )
            patient.contacts.append(contact)
            session.flush()
            journal.note(session, contact, "caregiver.added", now=now, by=by)
            changed = True
        for name, value in facts.items():
            if getattr(contact, name) != value:
                setattr(contact, name, value)
                changed = True
        changed |= _choose(contact, details.channel)
        changed |= _consents(session, contact, details.consents, by=by, now=now)
    for contact in patient.contacts:
        if contact.active and contact.phone_hash not in kept:
            contact.active = False
            journal.note(session, contact, "caregiver.removed", now=now, by=by)
            changed = True
    return changed


def find_patient(session: Session, site: str, external_id: str) -> Patient | None:
    """The patient that a site knows by this id."""
    wanted = select(Patient).where(Patient.site_key == site, Patient.external_id == external_id)
    return session.scalars(wanted).unique().one_or_none()

"""Another way for what matters and did not arrive: a call, then the caregiver, then a person of ours."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import tickets
from notifier.catalog import Catalog
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent, Role, Source, Urgency
from notifier.db import add_once
from notifier.models import Contact, Message, Patient

FALLBACK = "fallback:"  # then the id of the message whose place it takes, and of the caregiver
IN_VAIN = (MessageState.FAILED, MessageState.EXPIRED, MessageState.CANCELLED)


def when_it_mattered(
    session: Session, message: Message, reason: str, *, catalog: Catalog, now: datetime, may_call: bool = True
) -> None:
    """A message that mattered did not arrive: by voice, if that was agreed to; else a caregiver; else a coordinator."""
    contact = message.contact
    if not message.matters or contact is None:
        return
    if may_call and by_call(session, message, catalog=catalog, now=now):
        return
    if now < message.not_after:
        origin = _origin(session, message)
        for caregiver, channel in _caregivers(session, origin, contact, catalog):
            key = f"{FALLBACK}{origin.id}:{caregiver.id}"
            if _plant(session, message, caregiver, channel, key=key, now=now):
                return
    unreachable(session, message, contact, reason, catalog=catalog, now=now)


def by_call(session: Session, message: Message, *, catalog: Catalog, now: datetime) -> bool:
    """A call takes a text's place, where calls were agreed to and there is time. False: it does not."""
    contact = message.contact
    if contact is None or now >= message.not_after or message.channel is not Channel.SMS:
        return False
    if not _may(contact, Channel.VOICE, message, catalog):
        return False
    _plant(session, message, contact, Channel.VOICE, key=f"{FALLBACK}{message.id}", now=now)
    return True


def unreachable(
    session: Session, message: Message, contact: Contact, reason: str, *, catalog: Catalog, now: datetime
) -> None:
    """Nobody was reached by any way there is: a coordinator calls."""
    text = f"{message.template} by {message.channel} did not arrive: {reason}. Please call."
    _tell(session, message, contact, text, "UNREACHABLE", catalog=catalog, now=now)


def tell_of_number(session: Session, message: Message, reason: str, *, catalog: Catalog, now: datetime) -> None:
    """A number that does not work: a coordinator finds the right one, whatever the message was."""
    if message.contact is not None:
        text = f"A phone number {reason}. Please find the right one."
        _tell(session, message, message.contact, text, "UNREACHABLE", catalog=catalog, now=now)


def _tell(
    session: Session, message: Message, contact: Contact, text: str, kind: str, *, catalog: Catalog, now: datetime
) -> None:
    patient = session.get_one(Patient, contact.patient_id)
    need = tickets.Need(
        site_key=message.site_key,
        subject=f"patient:{patient.id}",
        role=Role.COORDINATOR,
        urgency=Urgency.SAME_DAY,
        kinds=(kind,),
        source=Source.SYSTEM,
        text=text,
        patient_id=patient.id,
        contact_id=contact.id,
        plan_id=message.plan_id,
    )
    tickets.open_or_append(session, need, catalog=catalog, now=now)


def _may(contact: Contact, channel: Channel, message: Message, catalog: Catalog) -> bool:
    """Whether this person agreed to hear from us by this channel, and this message can go by it."""
    if contact.consent(channel) is not Consent.GIVEN or not contact.active:
        return False
    return channel is Channel.SMS or catalog.has_voice(message.template)


def _caregivers(
    session: Session, origin: Message, contact: Contact, catalog: Catalog
) -> Iterator[tuple[Contact, Channel]]:
    """Who else may hear this, by the channel each agreed to, and has not been told it."""
    if not contact.is_patient or not (topic := catalog.topic_of(origin.step)):
        return
    for other in session.get_one(Patient, contact.patient_id).contacts:
        if other.is_patient or topic not in other.receives or _was_told(session, origin, other.id):
            continue
        both = (other.channel, *(channel for channel in Channel if channel is not other.channel))
        if channel := next((each for each in both if _may(other, each, origin, catalog)), None):
            yield other, channel


def _was_told(session: Session, origin: Message, contact_id: UUID) -> bool:
    """Whether the plan itself tells this person the same: its key differs in the person alone."""
    key = f"{origin.key.rpartition(':')[0]}:{contact_id}"
    theirs = session.scalar(select(Message.state).where(Message.key == key))
    return theirs is not None and theirs not in IN_VAIN


def _origin(session: Session, message: Message) -> Message:
    """The message whose place this one took."""
    if not message.key.startswith(FALLBACK):
        return message
    return _origin(session, session.get_one(Message, UUID(message.key.split(":")[1])))


def _plant(session: Session, message: Message, contact: Contact, channel: Channel, *, key: str, now: datetime) -> bool:
    other = Message(
        key=key,
        site_key=message.site_key,
        patient_id=message.patient_id,
        plan_id=message.plan_id,
        event_id=message.event_id,
        contact_id=contact.id,
        ticket_id=message.ticket_id,
        to=contact.phone,
        to_hash=contact.phone_hash,
        channel=channel,
        step=message.step,
        template=message.template,
        language=contact.language if contact.id != message.contact_id else message.language,
        values=message.values,
        prompt=message.prompt,
        question=message.question,
        matters=message.matters,
        urgent=message.urgent,
        any_hour=message.any_hour,
        due_at=now,
        not_after=message.not_after,
        created_at=now,
    )
    return add_once(session, other, Message.key)[1]

"""`notifier preview`: a patient's whole schedule as the patient will receive it."""

import contextlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from notifier import enrolment
from notifier.catalog import Catalog
from notifier.core import planning, wording
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.errors import Missing
from notifier.models import Message, Patient
from notifier.saying import words

WHOLE = timedelta(days=400)  # longer than any order


def lines(session: Session, patient: str, *, catalog: Catalog, now: datetime) -> Iterator[str]:
    """One message after the other: local time, channel, recipient, state, segments, and the words. Raises Missing."""
    found = _patient(session, patient)
    messages = session.scalars(
        select(Message)
        .where(Message.patient_id == found.id, Message.staff_id.is_(None))
        .order_by(Message.due_at, Message.key)
    ).all()
    messages = sorted([*messages, *_later(session, found, catalog, now)], key=lambda each: (each.due_at, each.key))
    zone = ZoneInfo(found.timezone)
    coming = sum(message.due_at >= now for message in messages)
    yield f"{len(messages)} messages, {coming} to come; times are {found.timezone}"
    for message in messages:
        body = message.body or words(message, catalog)
        yield ""
        yield f"{_head(message, zone)}  {_size(message, body)}"
        yield f"  {body}"


def _later(session: Session, patient: Patient, catalog: Catalog, now: datetime) -> list[Message]:
    """What will be written down when its day comes nearer: planned now, to the end of the therapy, and not kept."""
    known = set(session.scalars(select(Message.key).where(Message.patient_id == patient.id)))
    contacts = {contact.id: contact for contact in patient.contacts}
    return [
        Message(
            key=draft.key,
            site=patient.site,
            contact=contacts[draft.contact_id],
            channel=draft.channel,
            template=draft.template,
            language=draft.language,
            values=draft.values,
            state=MessageState.PLANNED,
            due_at=draft.due_at,
            not_after=draft.not_after,
        )
        for plan in patient.plans
        for draft in planning.plan(enrolment.facts_of(session, plan, now=now), catalog.journeys, now, WHOLE)
        if draft.key not in known
    ]


def _head(message: Message, zone: ZoneInfo) -> str:
    due = message.due_at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")
    contact = message.contact
    who = "unknown number" if contact is None else "patient" if contact.is_patient else contact.relation
    why = f" ({message.why})" if message.why else ""
    return f"{due}  {message.channel:5}  to {who}  {message.template}  {message.state}{why}"


def _size(message: Message, body: str) -> str:
    """Into how many segments a text is cut; a call has none."""
    if message.channel is Channel.VOICE:
        return "call"
    count, alphabet = wording.segments(body)
    return f"{count} segment{'s' if count != 1 else ''} {alphabet}"


def _patient(session: Session, wanted: str) -> Patient:
    """By our id or by the pharmacy's own number."""
    by = [Patient.external_id == wanted]
    with contextlib.suppress(ValueError):  # then it is the pharmacy's own number
        by.append(Patient.id == uuid.UUID(wanted))
    found = session.scalars(select(Patient).where(or_(*by))).unique().all()
    if not found:
        raise Missing(f"there is no patient {wanted}")
    if len(found) > 1:
        raise Missing(f"several sites have a patient {wanted}: give our id instead")
    return found[0]

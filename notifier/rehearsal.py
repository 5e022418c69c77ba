"""What would happen: the effect of a change on a patient's messages, and of words that a patient may send.

Everything here runs the true verbs in a session that the caller never commits.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from notifier import enrolment, inbox, saying
from notifier.catalog import Catalog
from notifier.core import planning
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Source, Urgency
from notifier.models import Contact, Inbound, Message, Patient, Ticket

WHOLE = timedelta(days=400)  # longer than any order


class Change(StrEnum):
    """What becomes of a message."""

    NEW = "new"
    MOVED = "moved"
    REWORDED = "reworded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Planned:
    """One message that is to leave, as a value that outlives its session."""

    key: str
    title: str  # the step, else the template
    to: str
    is_patient: bool
    channel: Channel
    language: str
    due_at: datetime
    words: str


@dataclass(frozen=True)
class Difference:
    """One message before and after a change; `before` is None for a new one, `after` for one that no longer leaves."""

    change: Change
    before: Planned | None
    after: Planned | None

    @property
    def told(self) -> Planned:
        """As it will be, or as it would have been."""
        found = self.after or self.before
        assert found is not None
        return found


def planned(session: Session, patient_id: uuid.UUID, *, catalog: Catalog, now: datetime) -> dict[str, Planned]:
    """All that is to leave to a patient's people, to the end of every plan, by key."""
    session.flush()
    standing = session.scalars(
        select(Message)
        .where(Message.patient_id == patient_id, Message.staff_id.is_(None), Message.state == MessageState.PLANNED)
        .options(joinedload(Message.contact), joinedload(Message.site))
        .execution_options(populate_existing=True)
    ).all()
    found = {
        message.key: _value(message, catalog) for message in [*standing, *later(session, patient_id, catalog, now)]
    }
    return dict(sorted(found.items(), key=lambda pair: (pair[1].due_at, pair[0])))


def later(session: Session, patient_id: uuid.UUID, catalog: Catalog, now: datetime) -> list[Message]:
    """What will be written down when its day comes nearer: planned to the end of each therapy, and not kept."""
    patient = session.get_one(Patient, patient_id)
    known = set(session.scalars(select(Message.key).where(Message.patient_id == patient_id)))
    contacts = {contact.id: contact for contact in patient.contacts}
    return [
        Message(
            key=draft.key,
            step=draft.step,
            patient_id=patient_id,
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
        if plan.verified_at is not None
        for draft in planning.plan(enrolment.facts_of(session, plan, now=now), catalog.journeys, now, WHOLE)
        if draft.key not in known and draft.due_at >= now
    ]


def differences(before: Mapping[str, Planned], after: Mapping[str, Planned]) -> list[Difference]:
    """What a change does to the messages, by the hour at which each is or would have been due."""
    found = [Difference(Change.CANCELLED, was, None) for key, was in before.items() if key not in after]
    for key, now in after.items():
        was = before.get(key)
        if was is None:
            found.append(Difference(Change.NEW, None, now))
        elif was.due_at != now.due_at:
            found.append(Difference(Change.MOVED, was, now))
        elif (was.words, was.channel, was.to) != (now.words, now.channel, now.to):
            found.append(Difference(Change.REWORDED, was, now))
    return sorted(_replaced(found), key=lambda one: one.told.due_at)


def _replaced(found: list[Difference]) -> list[Difference]:
    """An event that moved gives its messages new keys: one that goes and one that comes in its place are one move."""
    gone = [one for one in found if one.change is Change.CANCELLED]
    kept = [one for one in found if one.change is not Change.CANCELLED]
    for at, one in enumerate(kept):
        if one.change is not Change.NEW or one.after is None:
            continue
        like = (one.after.title, one.after.to, one.after.channel)
        twin = next(
            (old for old in gone if old.before and (old.before.title, old.before.to, old.before.channel) == like), None
        )
        if twin is not None:
            gone.remove(twin)
            kept[at] = Difference(Change.MOVED, twin.before, one.after)
    return kept + gone


def _value(message: Message, catalog: Catalog) -> Planned:
    contact = message.contact
    return Planned(
        key=message.key,
        title=message.step or message.template,
        to=contact.name if contact else "",
        is_patient=contact is None or contact.is_patient,
        channel=message.channel,
        language=message.language,
        due_at=message.due_at,
        words=spoken(message, catalog),
    )


def spoken(message: Message, catalog: Catalog) -> str:
    """The words as they left, or as they would leave now."""
    if message.body is not None:
        return message.body
    try:
        return saying.words(message, catalog)
    except KeyError as missing:
        return f"(not ready: {missing.args[0]} is not known yet)"


# --- what a patient may say -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Who would be woken, and by what words."""

    name: str
    channel: Channel
    words: str


@dataclass(frozen=True)
class Heard:
    """What would follow from a patient's words."""

    kinds: tuple[str, ...]
    urgency: Urgency
    answers: tuple[str, ...]  # what the patient would read
    teams: tuple[tuple[str, Urgency], ...]  # whose tickets
    pages: tuple[Page, ...]


def answered(session: Session, contact: Contact, text: str, *, catalog: Catalog, now: datetime) -> Heard:
    """Hear these words as if this person had texted them just now. The caller rolls back: nothing is kept or sent."""
    known = set(session.scalars(select(Message.id).where(Message.created_at >= now - timedelta(seconds=1))))
    row, _ = inbox.receive(
        session,
        provider_sid=f"rehearsal:{uuid.uuid4()}",
        source=Source.SMS,
        sender=contact.phone,
        recipient=contact.patient.site.sms_from or contact.patient.site.phone,
        body=text,
        received_at=now,
    )
    inbox.attend(session, row.id, catalog=catalog, now=now)
    session.flush()
    session.refresh(row)
    # Others may be telling true things at the same moment: only what follows from these words counts.
    theirs = select(Contact.patient_id).where(Contact.phone_hash == contact.phone_hash)
    about = select(Ticket.id).where(Ticket.patient_id.in_(theirs))
    born: Sequence[Message] = session.scalars(
        select(Message)
        .where(Message.created_at >= now, (Message.inbound_id == row.id) | Message.ticket_id.in_(about))
        .options(joinedload(Message.staff))
    ).all()
    fresh = [message for message in born if message.id not in known]
    return Heard(
        kinds=tuple(row.kinds),
        urgency=row.urgency or Urgency.NONE,
        answers=tuple(spoken(each, catalog) for each in fresh if each.inbound_id == row.id),
        teams=_teams(session, row, fresh),
        pages=tuple(
            Page(each.staff.name, each.channel, spoken(each, catalog)) for each in fresh if each.staff is not None
        ),
    )


def _teams(session: Session, row: Inbound, fresh: Sequence[Message]) -> tuple[tuple[str, Urgency], ...]:
    numbers = {each.ticket_id for each in fresh if each.ticket_id} | ({row.ticket_id} if row.ticket_id else set())
    wanted = Ticket.id.in_(numbers) | ((Ticket.patient_id == row.patient_id) & (Ticket.news_at >= row.received_at))
    found = session.scalars(select(Ticket).where(wanted).order_by(Ticket.number)).all()
    return tuple((ticket.role.value, ticket.urgency) for ticket in found)

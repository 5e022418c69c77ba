"""A message that somebody left on the phone: always somebody's ticket, fetched and kept sealed, its words triaged."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, undefer

from notifier import bridging, calling, inbox, journal, sealing, tickets
from notifier.catalog import Catalog
from notifier.core.phone import PERSON_WORD
from notifier.core.states import InboundState, TicketState
from notifier.core.vocabulary import Role, Source
from notifier.db import add_once
from notifier.errors import Missing
from notifier.hearing import UNREAD
from notifier.models import AuditEvent, PhoneCall, Recording, Ticket, TicketLink

PLAYED = "recording.played"
LISTEN = "A voice message came without words: please listen to it."
WORDS_TAKE = timedelta(minutes=5)  # real; Twilio writes down what was said well within
WAITS = (timedelta(seconds=2), timedelta(seconds=20), timedelta(minutes=2), timedelta(minutes=15), timedelta(hours=2))


def left(
    session: Session,
    call: PhoneCall,
    sid: str,
    seconds: int,
    *,
    in_words: bool,
    catalog: Catalog,
    now: datetime,
    real_now: datetime,
) -> Recording:
    """A message was left on this call; told twice it is one. Who leaves one and pressed nothing asks for a person.

    `in_words`: Twilio is to write down what it says; what comes without words, a nurse listens to at once.
    """
    if call.inbound_id is None:
        calling.tell(session, call, "voicemail", PERSON_WORD, catalog=catalog, now=now)
        bridging.nobody(session, call, catalog=catalog, now=now)  # they have hung up: nobody is rung any more
    ticket = bridging.ticket_of(session, call, catalog=catalog, now=now)
    row = Recording(
        provider_sid=sid,
        call_id=call.id,
        ticket_id=ticket.id if ticket else None,
        patient_id=ticket.patient_id if ticket else call.patient_id,
        recorded_at=now,
        seconds=seconds,
        look_at=real_now,
        words_by=real_now + WORDS_TAKE if in_words else None,
    )
    row, new = add_once(session, row, Recording.provider_sid)
    if new and ticket is not None:
        journal.note(session, ticket, "ticket.voicemail", now=now, by=journal.SYSTEM, detail=f"{seconds} s")
    row.seconds = row.seconds or seconds
    if new and not in_words:
        no_words(session, row, catalog=catalog, now=now)
    return row


def no_words(session: Session, recording: Recording, *, catalog: Catalog, now: datetime) -> None:
    """No words come of this message, so nobody knows what it tells: a nurse listens, as to a text that we cannot read.

    Where the call is a nurse's already, and urgent, she listens anyway.
    """
    recording.words_by = None
    call = session.get_one(PhoneCall, recording.call_id)
    ticket = session.get(Ticket, recording.ticket_id) if recording.ticket_id else None
    if recording.words is not None or (ticket is not None and _is_heard(ticket)):
        return
    need = tickets.Need(
        site_key=ticket.site_key if ticket else call.site_key,
        subject=ticket.subject if ticket else _subject(call),
        role=Role.NURSE,
        urgency=UNREAD.urgency,
        kinds=UNREAD.kinds,
        source=Source.VOICE,
        text=LISTEN,
        patient_id=recording.patient_id,
        contact_id=ticket.contact_id if ticket else None,
        plan_id=ticket.plan_id if ticket else None,
        sender=None if recording.patient_id else call.party,
        linked_to=ticket.id if ticket else None,
    )
    nurses, _ = tickets.open_or_append(session, need, catalog=catalog, now=now)
    recording.ticket_id = recording.ticket_id or nurses.id


def _is_heard(ticket: Ticket) -> bool:
    return ticket.role is Role.NURSE and ticket.urgency.is_red and ticket.state is not TicketState.RESOLVED


def _subject(call: PhoneCall) -> str:
    return f"patient:{call.patient_id}" if call.patient_id else f"sender:{sealing.lookup(call.party)}"


def without_words(session: Session, *, real_now: datetime, limit: int = 50) -> Sequence[uuid.UUID]:
    """Messages whose words should have come by now."""
    late = select(Recording.id).where(Recording.words_by <= real_now)
    return session.scalars(late.order_by(Recording.words_by).limit(limit)).all()


def transcribed(session: Session, recording: Recording, words: str, *, now: datetime) -> uuid.UUID | None:
    """What was said, in words: read as any text would be. Returns the id of what now waits to be read."""
    call = session.get_one(PhoneCall, recording.call_id)
    recording.words, recording.words_by = words, None
    inbound, _ = inbox.receive(
        session,
        provider_sid=recording.provider_sid,
        source=Source.VOICE,
        sender=call.party,
        recipient=call.ours,
        body=words,
        received_at=now,
        message_id=call.message_id,
        call_id=call.id,
    )
    return inbound.id if inbound.state is InboundState.RECEIVED else None


def to_handle(session: Session, *, real_now: datetime, limit: int = 50) -> Sequence[Recording]:
    """Recordings that are still to be fetched, or to be forgotten at Twilio."""
    wanted = select(Recording).where(Recording.forgotten_at.is_(None), Recording.look_at <= real_now)
    return session.scalars(wanted.order_by(Recording.look_at).limit(limit)).all()


def fetched(session: Session, recording_id: uuid.UUID, sound: bytes | None, *, now: datetime) -> None:
    """Keep the sound, sealed. None: Twilio has none, which the ticket says."""
    row = session.get_one(Recording, recording_id)
    row.sound, row.fetched_at = sound, now
    ticket = session.get(Ticket, row.ticket_id) if row.ticket_id else None
    if sound is None:
        row.forgotten_at = now
    if ticket is not None:
        verb = "ticket.voicemail_kept" if sound is not None else "ticket.voicemail_lost"
        journal.note(session, ticket, verb, now=now, by=journal.SYSTEM)


def forgotten(session: Session, recording_id: uuid.UUID, *, now: datetime) -> None:
    """Twilio has it no more: ours is the only copy."""
    session.get_one(Recording, recording_id).forgotten_at = now


def put_off(session: Session, recording_id: uuid.UUID, *, real_now: datetime) -> None:
    """Twilio could not be asked: later, and later still."""
    row = session.get_one(Recording, recording_id)
    row.look_at = real_now + WAITS[min(row.tries, len(WAITS) - 1)]
    row.tries += 1


@dataclass(frozen=True)
class Left:
    """A message that was left, as a page shows it."""

    id: uuid.UUID
    recorded_at: datetime
    seconds: int
    fetched_at: datetime | None
    kept: bool  # there is sound to play
    in_words: bool  # what it says stands in the thread


def of_ticket(session: Session, ticket_id: uuid.UUID) -> list[Left]:
    """The messages that were left for a ticket or one that belongs to it, oldest first, without their sound."""
    linked = select(TicketLink.other_id).where(TicketLink.ticket_id == ticket_id)
    rows = session.execute(
        select(
            *(Recording.id, Recording.recorded_at, Recording.seconds, Recording.fetched_at),
            *(Recording.sound.is_not(None), Recording.words.is_not(None)),
        )
        .where(or_(Recording.ticket_id == ticket_id, Recording.ticket_id.in_(linked)))
        .order_by(Recording.recorded_at)
    )
    return [Left(*row) for row in rows]


def play(session: Session, recording_id: uuid.UUID) -> tuple[Recording, bytes]:
    """A recording and its sound. Raises Missing."""
    row = session.get(Recording, recording_id, options=[undefer(Recording.sound)])
    if row is None or row.sound is None:
        raise Missing("There is no such recording here.")
    return row, row.sound


def played(session: Session, recording_id: uuid.UUID, by: str, *, since: datetime, now: datetime) -> None:
    """Journal who listened, once for each sitting."""
    row = session.get_one(Recording, recording_id)
    told = select(AuditEvent.id).where(
        AuditEvent.subject_id == str(row.id), AuditEvent.verb == PLAYED, AuditEvent.at >= since
    )
    known = [line for line in session.scalars(told.with_only_columns(AuditEvent.actor)) if line == by]
    if not known:
        journal.note(session, row, PLAYED, now=now, by=by)

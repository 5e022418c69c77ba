"""A message that somebody left on the phone: always somebody's ticket, fetched and kept sealed, its words triaged."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from notifier import bridging, calling, inbox, journal
from notifier.catalog import Catalog
from notifier.core.phone import PERSON_WORD
from notifier.core.states import InboundState
from notifier.core.vocabulary import Source
from notifier.db import add_once
from notifier.errors import Missing
from notifier.models import AuditEvent, PhoneCall, Recording, Ticket

PLAYED = "recording.played"
WAITS = (timedelta(seconds=2), timedelta(seconds=20), timedelta(minutes=2), timedelta(minutes=15), timedelta(hours=2))


def left(
    session: Session,
    call: PhoneCall,
    sid: str,
    seconds: int,
    *,
    catalog: Catalog,
    now: datetime,
    real_now: datetime,
) -> Recording:
    """A message was left on this call; told twice it is one. Who leaves one and pressed nothing asks for a person."""
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
    )
    row, new = add_once(session, row, Recording.provider_sid)
    if new and ticket is not None:
        journal.note(session, ticket, "ticket.voicemail", now=now, by=journal.SYSTEM, detail=f"{seconds} s")
    row.seconds = row.seconds or seconds
    return row


def transcribed(session: Session, recording: Recording, words: str, *, now: datetime) -> uuid.UUID | None:
    """What was said, in words: read as any text would be. Returns the id of what now waits to be read."""
    call = session.get_one(PhoneCall, recording.call_id)
    recording.words = words
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


def of_ticket(session: Session, ticket_id: uuid.UUID) -> list[Left]:
    """The messages that were left for a ticket, oldest first, without their sound."""
    rows = session.execute(
        select(
            Recording.id, Recording.recorded_at, Recording.seconds, Recording.fetched_at, Recording.sound.is_not(None)
        )
        .where(Recording.ticket_id == ticket_id)
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

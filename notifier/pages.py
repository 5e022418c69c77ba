"""What reaches a member of staff's phone about a ticket: pages, each person's own way, bundled; and when they stop."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from notifier import journal, phone_lines
from notifier.core import routing
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Channel, Urgency
from notifier.db import add_once
from notifier.models import Attempt, Message, Paged, Staff, Ticket

PAGE_LIVES = timedelta(minutes=30)
BUNDLES = timedelta(minutes=1)  # after a page to a phone, further ones wait so long and leave as one
NAMED = 3  # how many tickets of a bundle are told one by one
PAGE, SEVERAL = "page", "page.several"
CONNECT = "staff.connect"  # the call that a member of staff asked for, to be connected with a patient
STOPPABLE = (PAGE, SEVERAL)  # pages that are pointless once somebody has the ticket
ONCE = (*STOPPABLE, CONNECT)  # never made again as they are: a page has its ladder, and who asked for a call its button
LEFT = (MessageState.SENDING, MessageState.UNCERTAIN, MessageState.SENT, MessageState.DELIVERED)


def page(
    session: Session, ticket: Ticket, people: Iterable[Staff], by: Channel, occasion: str, *, now: datetime
) -> None:
    """Page each of them in their own way: at once, and again by what they named if they do not answer."""
    for person in people:
        for way in _ways(session, person, by):
            _plan(session, ticket, person, way, f"page:{ticket.id}:{occasion}:{person.id}:{way.by}", now=now)
    session.flush()


def _ways(session: Session, person: Staff, by: Channel) -> list[routing.Way]:
    reach = [routing.Way(Channel(way["by"]), float(way["after"]), routing.Phone(way["phone"])) for way in person.reach]
    no_texts = {phone for phone in routing.Phone if not takes_texts(session, person, phone)}
    return routing.ways(by, person.pages, reach, has_second=bool(person.second_phone), no_texts=no_texts)


def takes_texts(session: Session, person: Staff, phone: routing.Phone = routing.Phone.FIRST) -> bool:
    """Whether pages by text can reach this phone of theirs: it sent no STOP, and is no landline."""
    second = phone is routing.Phone.SECOND
    hashed = person.second_phone_hash if second else person.phone_hash
    return (second or person.texts_stopped_at is None) and phone_lines.kind_of(session, hashed).takes_texts


def _plan(session: Session, ticket: Ticket, person: Staff, way: routing.Way, key: str, *, now: datetime) -> None:
    to, to_hash = person.phone, person.phone_hash
    if way.phone is routing.Phone.SECOND:
        to, to_hash, key = person.second_phone, person.second_phone_hash, f"{key}:second"
    assert to
    assert to_hash
    due = now + timedelta(minutes=way.after)
    if ticket.urgency is not Urgency.EMERGENCY:
        waiting, due = _bundle(session, to_hash, way.by, due)
        if waiting is not None:
            _cover(session, waiting, ticket, now=now)
            return
    message = to_staff(ticket, person, f"{key}:{way.after:g}" if way.after else key, PAGE, now)
    message.to, message.to_hash, message.channel, message.due_at = to, to_hash, way.by, due
    message.not_after = due + PAGE_LIVES
    message.values = page_values(ticket, now)
    message, new = add_once(session, message, Message.key)
    if new:
        session.add(Paged(message_id=message.id, ticket_id=ticket.id))
        session.flush()


# --- bundles ------------------------------------------------------------------------------------------------------


def _bundle(session: Session, to_hash: str, channel: Channel, due: datetime) -> tuple[Message | None, datetime]:
    """A page to this phone that has not left and may tell of one more ticket; else None, and when the next may leave.

    The first page to a phone leaves at once; what comes within a minute of it leaves as one when the minute is over.
    """
    same = (Message.to_hash == to_hash, Message.channel == channel, Message.template.in_(STOPPABLE))
    last = session.scalar(
        select(func.max(Message.due_at)).where(
            *same, Message.due_at > due - BUNDLES, Message.due_at <= due, Message.state.in_(LEFT)
        )
    )
    leaves = due if last is None else last + BUNDLES
    waiting = session.scalars(
        select(Message)
        .where(*same, Message.due_at <= leaves, Message.state == MessageState.PLANNED, Message.not_after > leaves)
        .order_by(Message.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    may_join = [message for message in waiting if not _is_emergency(session, message)]
    return min(may_join, key=lambda message: message.due_at, default=None), leaves


def _is_emergency(session: Session, message: Message) -> bool:
    return any(ticket.urgency is Urgency.EMERGENCY for ticket in covered(session, message))


def covered(session: Session, message: Message) -> Sequence[Ticket]:
    """The tickets that a page tells of, by number."""
    return session.scalars(
        select(Ticket)
        .join(Paged, Paged.ticket_id == Ticket.id)
        .where(Paged.message_id == message.id)
        .order_by(Ticket.number)
    ).all()


def _cover(session: Session, message: Message, ticket: Ticket, *, now: datetime) -> None:
    """Let a page that waits tell of this ticket too."""
    if session.get(Paged, (message.id, ticket.id)) is None:
        session.add(Paged(message_id=message.id, ticket_id=ticket.id))
        session.flush()
    _reword(message, covered(session, message), now=now)


def _reword(message: Message, tickets: Sequence[Ticket], *, now: datetime) -> None:
    """Say what a page tells of now: one ticket as ever, several in a line each."""
    first = min(tickets, key=lambda ticket: (ticket.urgency.rank, ticket.opened_at))
    message.ticket_id, message.patient_id = first.id, first.patient_id
    if len(tickets) == 1:
        message.template, message.values = PAGE, page_values(first, now)
        return
    ordered = sorted(tickets, key=lambda ticket: (ticket.urgency.rank, ticket.opened_at))
    told = [_short(ticket, now) for ticket in ordered[:NAMED]]
    more = len(ordered) - len(told)
    message.template = SEVERAL
    message.values = {"number": str(len(ordered)), "others": ", ".join([*told, *([f"{more} more"] if more else [])])}


def _short(ticket: Ticket, now: datetime) -> str:
    values = page_values(ticket, now)
    return f"#{values['number']} {values['urgency']} {values['role']} {values['age']}"


# --- what a page may say ------------------------------------------------------------------------------------------


def page_values(ticket: Ticket, now: datetime) -> dict[str, str]:
    """What a page may say: number, urgency, role and age; nothing about the patient."""
    age = int((now - ticket.opened_at).total_seconds() // 60)
    return {
        "number": str(ticket.number),
        "urgency": ticket.urgency.replace("_", " ").upper(),
        "role": ticket.role.value,
        "age": f"{age} min" if age < 120 else f"{age // 60} h",
    }


def to_staff(ticket: Ticket, person: Staff, key: str, template: str, now: datetime) -> Message:
    """A text to a member of staff about a ticket; not yet added."""
    assert person.phone
    assert person.phone_hash
    return Message(
        key=key,
        site_key=ticket.site_key,
        patient_id=ticket.patient_id,
        ticket_id=ticket.id,
        staff_id=person.id,
        to=person.phone,
        to_hash=person.phone_hash,
        channel=Channel.SMS,
        template=template,
        language="en",
        urgent=True,
        any_hour=True,
        due_at=now,
        not_after=now + PAGE_LIVES,
        created_at=now,
    )


def tell_staff(
    session: Session, ticket: Ticket, person: Staff, key: str, template: str, values: dict[str, str], *, now: datetime
) -> None:
    """One short text to a member of staff about a ticket: never anything about the patient."""
    message = to_staff(ticket, person, key, template, now)
    message.values = values
    message, new = add_once(session, message, Message.key)
    if new and template == "page.assigned":
        session.add(Paged(message_id=message.id, ticket_id=ticket.id))


def notify(
    session: Session,
    person: Staff,
    site_key: str,
    key: str,
    template: str,
    values: dict[str, str],
    *,
    now: datetime,
    by_call: bool = False,
) -> None:
    """One short text to a member of staff that is about no ticket; a phone that takes no texts is called instead."""
    assert person.phone
    assert person.phone_hash
    by_call = by_call or not takes_texts(session, person)
    message = Message(
        key=key,
        site_key=site_key,
        staff_id=person.id,
        to=person.phone,
        to_hash=person.phone_hash,
        channel=Channel.VOICE if by_call else Channel.SMS,
        template=template,
        language="en",
        values=values,
        urgent=True,
        any_hour=True,
        due_at=now,
        not_after=now + PAGE_LIVES,
        created_at=now,
    )
    add_once(session, message, Message.key)


def was_paged(session: Session, ticket: Ticket, staff_id: uuid.UUID, *, since: datetime) -> bool:
    """Whether a page of this ticket has been planned for somebody since then."""
    pages = (
        select(Message.id)
        .join(Paged, Paged.message_id == Message.id)
        .where(
            Paged.ticket_id == ticket.id,
            Message.staff_id == staff_id,
            Message.template.in_(STOPPABLE),
            Message.created_at >= since,
        )
    )
    return session.scalars(pages).first() is not None


# --- when they stop -----------------------------------------------------------------------------------------------


def stop(session: Session, ticket: Ticket, owner: str, owner_id: uuid.UUID | None, *, now: datetime) -> None:
    """Somebody has it: pages not yet sent are cancelled or say less, and the others who were paged are told."""
    pages = withdraw(session, ticket, by=owner, why="acknowledged", now=now)
    reached = {message.staff for message in pages if message.staff and message.staff_id != owner_id and message.sent_at}
    for person in reached:
        if person.phone:
            values = {"number": str(ticket.number), "owner": owner}
            key = f"taken:{ticket.id}:{ticket.step}:{person.id}"
            tell_staff(session, ticket, person, key, "page.taken", values, now=now)


def withdraw(
    session: Session,
    ticket: Ticket,
    *,
    by: str,
    why: str,
    now: datetime,
    staff_id: uuid.UUID | None = None,
) -> Sequence[Message]:
    """What was still to ring for a ticket (on one person's phones, if named) does not. Returns the climb's pages."""
    pages = _pages_of(session, ticket)
    for message in pages:
        if message.state is MessageState.PLANNED and staff_id in (None, message.staff_id):
            _uncover(session, message, ticket, by, why, now=now)
    return pages


def _pages_of(session: Session, ticket: Ticket) -> Sequence[Message]:
    """The pages of this climb, locked, so that none leaves while it is decided about."""
    return session.scalars(
        select(Message)
        .join(Paged, Paged.message_id == Message.id)
        .where(Paged.ticket_id == ticket.id, Message.template.in_(STOPPABLE), Message.created_at >= ticket.ladder_from)
        .order_by(Message.id)
        .with_for_update(of=Message)
        .execution_options(populate_existing=True)
    ).all()


def _uncover(session: Session, message: Message, ticket: Ticket, by: str, why: str, *, now: datetime) -> None:
    """Take a ticket out of a page that waits; a page that tells of nothing more is cancelled."""
    others = [each for each in covered(session, message) if each.id != ticket.id and each.state is TicketState.OPEN]
    if not others:
        journal.advance(session, message, MessageState.CANCELLED, now=now, by=by, why=why)
        return
    session.execute(delete(Paged).where(Paged.message_id == message.id, Paged.ticket_id == ticket.id))
    _reword(message, others, now=now)
    session.flush()


def failed(session: Session, message: Message, *, opted_out: bool, now: datetime) -> None:
    """A page by text did not arrive: that phone is called at once, rather than when the next rung is due."""
    person = message.staff
    assert person
    if opted_out and message.to_hash == person.phone_hash:
        person.texts_stopped_at = person.texts_stopped_at or now
    waiting = [ticket for ticket in covered(session, message) if ticket.state is TicketState.OPEN]
    if message.channel is Channel.VOICE or not waiting or not person.active or person.phone is None:
        return
    second = message.to_hash == person.second_phone_hash
    way = routing.Way(Channel.VOICE, phone=routing.Phone.SECOND if second else routing.Phone.FIRST)
    for ticket in waiting:
        _plan(session, ticket, person, way, f"page:{ticket.id}:instead-{message.id}:{way.by}", now=now)


class Ringing(NamedTuple):
    """A call that still rings though nobody is needed any more."""

    attempt_id: uuid.UUID
    sid: str


def ringing(session: Session, now: datetime) -> list[Ringing]:
    """Calls on their way to staff whose tickets somebody has by now; the owner's own call is left to end by itself."""
    needed = (
        exists()
        .where(Paged.message_id == Message.id, Paged.ticket_id == Ticket.id)
        .where(or_(Ticket.state == TicketState.OPEN, Ticket.owner_id == Message.staff_id))
    )
    calls = (
        select(Attempt.id, Attempt.provider_sid)
        .join(Message, Message.attempt_id == Attempt.id)
        .where(
            Message.state == MessageState.SENT,
            Message.channel == Channel.VOICE,
            Message.staff_id.is_not(None),
            Message.sent_at >= now - timedelta(minutes=5),
            Message.template.in_(STOPPABLE),
            Attempt.provider_sid.is_not(None),
            Attempt.ended_at.is_(None),
            Attempt.provider_status.is_distinct_from("in-progress"),
            ~needed,
        )
    )
    return [Ringing(attempt_id, sid) for attempt_id, sid in session.execute(calls) if sid]

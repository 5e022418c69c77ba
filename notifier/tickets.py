"""A need that a human must meet: opened or appended to, acknowledged, answered, resolved. paging.py wakes people."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifier import journal, paging
from notifier.catalog import Catalog
from notifier.core import routing, wording
from notifier.core.states import TicketState
from notifier.core.vocabulary import Channel, Consent, Role, Source, Urgency, most_urgent
from notifier.db import add_once
from notifier.errors import Refused
from notifier.models import (
    AuditEvent,
    Contact,
    Counter,
    Message,
    Patient,
    Site,
    Staff,
    Ticket,
)

FOLLOWS = timedelta(days=7)  # a new ticket this soon after one like it follows that one
REPEATS = timedelta(hours=24)
REPEATED = 3  # the same symptom told this often in a day goes one level up

OUTCOMES = {
    "reached_advised": "Reached, advised",
    "reached_sent_to_ed": "Reached, sent to emergency care",
    "visit_arranged": "Visit arranged",
    "delivered": "Items sent or delivered",
    "rescheduled": "Rescheduled",
    "answered": "Question answered",
    "prescriber_told": "Prescriber told",
    "no_action": "No action needed",
    "duplicate": "Duplicate",
    "wrong_number": "Wrong number",
}


@dataclass(frozen=True)
class Actor:
    """Who does something: a person who signed in or answered a page, or a system with a token."""

    name: str
    staff_id: uuid.UUID | None = None


@dataclass(frozen=True)
class Need:
    """What a human must meet, before it is a ticket. `subject` says whose: patient:<id>, sender:<hash>, site:<key>."""

    site_key: str
    subject: str
    role: Role
    urgency: Urgency
    kinds: tuple[str, ...]
    source: Source
    text: str
    patient_id: uuid.UUID | None = None
    contact_id: uuid.UUID | None = None
    plan_id: uuid.UUID | None = None
    sender: str | None = None
    target: timedelta | None = None  # the row's own limit, when it has one


# --- birth --------------------------------------------------------------------------------------------------------


def open_or_append(
    session: Session, need: Need, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM
) -> tuple[Ticket, bool]:
    """The unresolved ticket of this subject and role with the news added, or a new one. True: it is new.

    What is new, or news that its owner has not heard, is paged at once.
    """
    ticket = unresolved(session, need.subject, need.role)
    if ticket is None:
        try:
            with session.begin_nested():
                ticket = _open(session, need, now=now, by=by)
        except IntegrityError:  # two texts at once: the other one opened it
            ticket = unresolved(session, need.subject, need.role)
            if ticket is None:
                raise
        else:
            paging.escalate(session, ticket, catalog=catalog, now=now)
            return ticket, True
    _append(session, ticket, need, catalog=catalog, now=now, by=by)
    paging.escalate(session, ticket, catalog=catalog, now=now)
    return ticket, False


def unresolved(session: Session, subject: str, role: Role) -> Ticket | None:
    """The one ticket of this subject and role that is not resolved, locked for change."""
    wanted = select(Ticket).where(Ticket.subject == subject, Ticket.role == role, Ticket.state != TicketState.RESOLVED)
    return session.scalars(wanted.with_for_update()).one_or_none()


def _open(session: Session, need: Need, *, now: datetime, by: str) -> Ticket:
    site = session.get_one(Site, need.site_key)
    begins = routing.wake_at(need.urgency, now, site.timezone, site.quiet_hours)
    previous = session.scalars(
        select(Ticket)
        .where(Ticket.subject == need.subject, Ticket.role == need.role, Ticket.resolved_at >= now - FOLLOWS)
        .order_by(Ticket.resolved_at.desc())
        .limit(1)
    ).first()
    ticket = Ticket(
        number=_next_number(session),
        site_key=need.site_key,
        subject=need.subject,
        patient_id=need.patient_id,
        contact_id=need.contact_id,
        plan_id=need.plan_id,
        sender=need.sender,
        role=need.role,
        kinds=list(need.kinds),
        urgency=need.urgency,
        source=need.source,
        text=need.text,
        ladder_from=begins,
        escalate_at=begins,
        respond_by=routing.respond_by(need.urgency, now, site.timezone, site.quiet_hours, need.target),
        opened_at=now,
        news_at=now,
        follows_id=previous.id if previous else None,
    )
    session.add(ticket)
    session.flush()
    journal.note(session, ticket, "ticket.opened", now=now, by=by, detail=", ".join(need.kinds))
    return ticket


def _next_number(session: Session) -> int:
    number = session.scalar(
        update(Counter)
        .where(Counter.name == "ticket")
        .values(value=Counter.value + 1)
        .returning(Counter.value)
        .execution_options(synchronize_session=False)
    )
    assert number is not None, "the migrations set the counter"
    return int(number)


def _append(session: Session, ticket: Ticket, need: Need, *, catalog: Catalog, now: datetime, by: str) -> None:
    site = ticket.site
    new_kinds = [kind for kind in need.kinds if kind not in ticket.kinds]
    urgency = most_urgent(ticket.urgency, need.urgency)
    counts = need.urgency.is_red or (need.role is Role.NURSE and need.urgency is Urgency.SAME_DAY)
    if counts and _told(session, ticket, need.kinds, now) + 1 >= REPEATED:
        urgency = most_urgent(urgency, routing.level_up(need.urgency))
    worse = urgency.rank < ticket.urgency.rank
    unheard = worse or (need.urgency.is_red and (bool(new_kinds) or ticket.contacted_at is not None))
    journal.note(session, ticket, "ticket.appended", now=now, by=by, detail=", ".join(need.kinds))
    ticket.kinds = [*ticket.kinds, *new_kinds]
    ticket.urgency = urgency
    ticket.news_at = now
    due = routing.respond_by(urgency, now, site.timezone, site.quiet_hours, need.target)
    anew = ticket.respond_by <= now and (
        worse or ticket.contacted_at is not None
    )  # the old limit was for something else
    ticket.respond_by = due if anew else min(ticket.respond_by, due)
    if ticket.state is TicketState.OPEN:
        if worse:
            _restart(session, ticket, now)
        elif need.urgency.is_red:  # told again and nobody has it: page the same rung again
            ticket.rung = max(0, ticket.rung - 1)
            ticket.escalate_at = now
        session.flush()
    elif unheard:
        session.flush()
        reopen(session, ticket, catalog=catalog, now=now, by=by, why="news that the owner has not heard")


def _told(session: Session, ticket: Ticket, kinds: Sequence[str], now: datetime) -> int:
    """How often any of these kinds was told in the last day."""
    lines = session.scalars(
        select(AuditEvent.detail).where(
            AuditEvent.ticket_id == ticket.id,
            AuditEvent.verb.in_(("ticket.opened", "ticket.appended")),
            AuditEvent.at >= now - REPEATS,
        )
    )
    return sum(not set(kinds).isdisjoint((line or "").split(", ")) for line in lines)


def _restart(session: Session, ticket: Ticket, now: datetime) -> None:
    begins = routing.wake_at(ticket.urgency, now, ticket.site.timezone, ticket.site.quiet_hours)
    ticket.rung, ticket.ladder_from, ticket.escalate_at = 0, begins, begins


def reopen(session: Session, ticket: Ticket, *, catalog: Catalog, now: datetime, by: str, why: str) -> bool:
    """Back to OPEN and paged at once, the ladder from its foot; the owner of a red flag too, once."""
    begins = routing.wake_at(ticket.urgency, now, ticket.site.timezone, ticket.site.quiet_hours)
    owner_id = ticket.owner_id
    moved = journal.advance(
        session,
        ticket,
        TicketState.OPEN,
        now=now,
        by=by,
        why=why,
        rung=0,
        ladder_from=begins,
        escalate_at=begins,
        owner=None,
        owner_id=None,
        ack_expires_at=None,
        contacted_at=None,
    )
    if not moved:
        return False
    paging.escalate(session, ticket, catalog=catalog, now=now)
    if owner_id is not None and ticket.urgency.is_red and not paging.was_paged(session, ticket, owner_id, since=now):
        paging.page(session, ticket, [session.get_one(Staff, owner_id)], Channel.SMS, f"owner-{ticket.step}", now=now)
    return True


# --- a human has it -----------------------------------------------------------------------------------------------


def any_lapsed(session: Session, now: datetime) -> bool:
    """Whether an acknowledgement has lapsed that nobody has opened again."""
    lapsed = select(Ticket.id).where(Ticket.state == TicketState.ACKNOWLEDGED, Ticket.ack_expires_at <= now).limit(1)
    return session.scalars(lapsed).first() is not None


def get(session: Session, ticket_id: uuid.UUID) -> Ticket:
    """One ticket, fresh from the table."""
    return session.get_one(Ticket, ticket_id, populate_existing=True)


def acknowledge(session: Session, ticket: Ticket, by: Actor, *, now: datetime) -> bool:
    """Take it: the first wins, paging stops, the others who were paged are told. False: it was not open."""
    site = ticket.site
    took = journal.advance(
        session,
        ticket,
        TicketState.ACKNOWLEDGED,
        now=now,
        by=by.name,
        owner=by.name,
        owner_id=by.staff_id,
        acknowledged_at=now,
        ack_expires_at=routing.ack_expires(ticket.urgency, now, site.timezone, site.quiet_hours),
        escalate_at=None,
        only_if=(Ticket.state == TicketState.OPEN,),
    )
    if took:
        paging.stop(session, ticket, by.name, by.staff_id, now=now)
    return took


def release(session: Session, ticket: Ticket, by: Actor, *, now: datetime) -> bool:
    """Give it back: it is open again and the next rung is paged. False: it was not acknowledged."""
    rung = max(1, ticket.rung)
    if not reopen_as_passed(session, ticket, by, now=now):
        return False
    ticket.rung = rung
    ticket.escalate_at = now
    session.flush()
    return True


def reopen_as_passed(session: Session, ticket: Ticket, by: Actor, *, now: datetime) -> bool:
    """Back to OPEN without paging the one who passed it on."""
    return journal.advance(
        session,
        ticket,
        TicketState.OPEN,
        now=now,
        by=by.name,
        why="passed on",
        ladder_from=now,
        escalate_at=now,
        owner=None,
        owner_id=None,
        ack_expires_at=None,
        only_if=(Ticket.state == TicketState.ACKNOWLEDGED,),
    )


def pass_on(session: Session, ticket: Ticket, by: Actor, *, catalog: Catalog, now: datetime) -> bool:
    """Staff answered P: the next rung is paged now, whoever has it. False: it is resolved."""
    if ticket.state is TicketState.ACKNOWLEDGED:
        moved = release(session, ticket, by, now=now)
    else:
        moved = ticket.state is TicketState.OPEN
        if moved:
            ticket.escalate_at = now
            session.flush()
            journal.note(session, ticket, "ticket.passed", now=now, by=by.name)
    if moved:
        paging.escalate(session, ticket, catalog=catalog, now=now, but_not=by.staff_id)
    return moved


def lapse(session: Session, *, catalog: Catalog, now: datetime) -> int:
    """Open again what was acknowledged and then left: nobody logged a contact in time. Returns how many."""
    left = session.scalars(
        select(Ticket).where(Ticket.state == TicketState.ACKNOWLEDGED, Ticket.ack_expires_at <= now).limit(200)
    ).all()
    for ticket in left:
        reopen(
            session, ticket, catalog=catalog, now=now, by=journal.SYSTEM, why="acknowledged, but no contact was logged"
        )
    return len(left)


def assign(session: Session, ticket: Ticket, to: Staff, by: Actor, *, now: datetime) -> None:
    """Make somebody else the owner; they are told by text. Raises Refused for a resolved ticket."""
    if ticket.state is TicketState.RESOLVED:
        raise Refused(f"Ticket {ticket.number} is resolved; open a new one.")
    owner = Actor(to.name, to.id)
    if ticket.state is TicketState.OPEN:
        acknowledge(session, ticket, owner, now=now)
    else:
        ticket.owner, ticket.owner_id = to.name, to.id
    journal.note(session, ticket, "ticket.assigned", now=now, by=by.name, detail=to.name)
    if to.phone:
        occasion = f"assigned:{ticket.id}:{to.id}:{int(now.timestamp())}"
        paging.tell_staff(session, ticket, to, occasion, "page.assigned", paging.page_values(ticket, now), now=now)


def note(session: Session, ticket: Ticket, text: str, by: Actor, *, now: datetime) -> None:
    """Write down something that only staff see. Raises Refused for an empty note."""
    if not text.strip():
        raise Refused("A note needs words.")
    journal.note(session, ticket, "ticket.noted", now=now, by=by.name, detail=text.strip())


def log_contact(
    session: Session, ticket: Ticket, reached: bool, text: str, by: Actor, *, catalog: Catalog, now: datetime
) -> None:
    """Write down a call: reached or not. Two that failed on a red flag, and the patient is asked to pick up (M30)."""
    if ticket.state is TicketState.RESOLVED:
        raise Refused(f"Ticket {ticket.number} is resolved; open a new one.")
    if ticket.state is TicketState.OPEN:
        acknowledge(session, ticket, by, now=now)
    verb = "ticket.contacted" if reached else "ticket.not_reached"
    journal.note(session, ticket, verb, now=now, by=by.name, detail=text.strip())
    if reached:
        ticket.contacted_at = now
        ticket.ack_expires_at = now + routing.HELD
        return
    session.flush()
    tries = session.scalars(
        select(AuditEvent.id).where(AuditEvent.ticket_id == ticket.id, AuditEvent.verb == "ticket.not_reached")
    ).all()
    if ticket.urgency.is_red and len(tries) == 2:
        paging.tell_patient(session, ticket, "M30", f"m30:{ticket.id}:{len(tries)}", now=now)


def resolve(session: Session, ticket: Ticket, outcome: str, text: str, by: Actor, *, now: datetime) -> None:
    """Close it with an outcome. Raises Refused: no such outcome, a red flag without a contact, or closed already."""
    if outcome not in OUTCOMES:
        raise Refused(f"Choose an outcome: {', '.join(OUTCOMES)}.")
    if ticket.urgency.is_red and ticket.contacted_at is None:
        raise Refused("A red flag is closed only after the patient was reached: log the contact first.")
    moved = journal.advance(
        session,
        ticket,
        TicketState.RESOLVED,
        now=now,
        by=by.name,
        why=": ".join(filter(None, [OUTCOMES[outcome], text.strip()])),
        resolved_at=now,
        outcome=outcome,
        escalate_at=None,
        owner=ticket.owner or by.name,
        owner_id=ticket.owner_id or by.staff_id,
    )
    if not moved:
        raise Refused(f"Ticket {ticket.number} is already resolved.")
    paging.stop(session, ticket, by.name, by.staff_id, now=now)
    paging.ask_if_fixed(session, ticket, now=now)


def reply(
    session: Session, ticket: Ticket, text: str, nonce: str, by: Actor, *, catalog: Catalog, now: datetime
) -> Message:
    """Text the person who told us. The nonce makes a double click one text.

    Raises Refused: nobody to text, opted out, voice only, patient data in the words, or too long.
    """
    contact = session.get(Contact, ticket.contact_id) if ticket.contact_id else None
    if contact is None:
        raise Refused("This ticket has no phone that can be texted; please call.")
    if contact.sms_consent is Consent.WITHDRAWN:
        raise Refused("This person has opted out of texts; please call.")
    if contact.channel is Channel.VOICE:
        raise Refused("This phone takes calls only; please call.")
    patient = session.get_one(Patient, contact.patient_id)
    words = wording.plain(f"{ticket.site.brand}: {text.strip()}")
    if not text.strip():
        raise Refused("Write what you want to say.")
    names = (patient.given_name, patient.family_name, contact.name)
    if faults := wording.guard(words, names) or catalog.withheld(words):
        raise Refused(" ".join(faults))
    message = paging.to_contact(ticket, contact, f"reply:{nonce}", "verbatim", now, lives=timedelta(hours=1))
    message.channel = Channel.SMS
    message.values = {"text": words}
    message, new = add_once(session, message, Message.key)
    if new:
        if ticket.state is TicketState.OPEN:
            acknowledge(session, ticket, by, now=now)
        journal.note(session, ticket, "ticket.replied", now=now, by=by.name)
    return message

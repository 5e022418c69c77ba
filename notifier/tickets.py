"""A need that a human must meet: opened or appended to, acknowledged, answered, resolved. paging.py wakes people."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifier import journal, pages, paging, roster
from notifier.catalog import Catalog
from notifier.core import routing, wording
from notifier.core.states import TicketState
from notifier.core.vocabulary import CANARY, Channel, Consent, PromiseStep, Role, Source, Urgency, most_urgent
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
    TicketLink,
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
    "welfare_check_sent": "Welfare check sent",
    "welfare_check_not_needed": "No welfare check needed",
}
WELFARE = "WELFARE_CHECK"  # the kind of a decision that the supervisor makes
DECISIONS = {"welfare_check_sent", "welfare_check_not_needed"}  # the outcomes of such a decision


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
    promised: timedelta | None = None  # how soon the patient was just told that somebody calls
    linked_to: uuid.UUID | None = None  # the ticket of another team about the same words
    not_before: datetime | None = None  # no page before: phones ring for the caller already


# --- birth --------------------------------------------------------------------------------------------------------


def open_or_append(
    session: Session, need: Need, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM
) -> tuple[Ticket, bool]:
    """The unresolved ticket of this subject and role with the news added, or a new one. True: it is new.

    What is new, or news that its owner has not heard, is paged at once.
    """
    ticket, new = _born(session, need, now=now, by=by)
    if not new:
        append(session, ticket, need, catalog=catalog, now=now, by=by)
    if need.linked_to is not None:
        link(session, ticket.id, need.linked_to)
    if need.patient_id and routing.CRISIS & set(need.kinds):
        session.get_one(Patient, need.patient_id).held_until = now + routing.CRISIS_HOLDS
    paging.escalate(session, ticket, catalog=catalog, now=now)
    return ticket, new


def _born(session: Session, need: Need, *, now: datetime, by: str) -> tuple[Ticket, bool]:
    ticket = unresolved(session, need.subject, need.role)
    if ticket is not None:
        return ticket, False
    try:
        with session.begin_nested():
            return _open(session, need, now=now, by=by), True
    except IntegrityError:  # two texts at once: the other one opened it
        ticket = unresolved(session, need.subject, need.role)
        if ticket is None:
            raise
        return ticket, False


def link(session: Session, one: uuid.UUID, other: uuid.UUID) -> bool:
    """Let two tickets know of each other. False: they do, or they are one."""
    if one == other or session.get(TicketLink, (one, other)) is not None:
        return False
    session.add_all([TicketLink(ticket_id=one, other_id=other), TicketLink(ticket_id=other, other_id=one)])
    session.flush()
    return True


def unresolved(session: Session, subject: str, role: Role) -> Ticket | None:
    """The one ticket of this subject and role that is not resolved, locked for change."""
    wanted = select(Ticket).where(Ticket.subject == subject, Ticket.role == role, Ticket.state != TicketState.RESOLVED)
    return session.scalars(wanted.with_for_update()).one_or_none()


def _open(session: Session, need: Need, *, now: datetime, by: str) -> Ticket:
    site = session.get_one(Site, need.site_key)
    begins = max(routing.wake_at(need.urgency, now, site.timezone, site.quiet_hours), need.not_before or now)
    previous = session.scalars(
        select(Ticket)
        .where(Ticket.subject == need.subject, Ticket.role == need.role, Ticket.resolved_at >= now - FOLLOWS)
        .order_by(Ticket.resolved_at.desc())
        .limit(1)
    ).first()
    ticket = Ticket(
        number=_next_number(session, site.key),
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
        opened_at=now,
        news_at=now,
        follows_id=previous.id if previous else None,
        site=site,
    )
    _count_from(ticket, now, need.target)
    promise(ticket, now + need.promised if need.promised else None)
    session.add(ticket)
    session.flush()
    journal.note(session, ticket, "ticket.opened", now=now, by=by, detail=", ".join(need.kinds))
    return ticket


def _next_number(session: Session, site_key: str) -> int:
    """The next short number; the service's tests of itself count below zero, so that they use up none of ours."""
    canary = site_key == CANARY
    number = session.scalar(
        update(Counter)
        .where(Counter.name == (CANARY if canary else "ticket"))
        .values(value=Counter.value + 1)
        .returning(Counter.value)
        .execution_options(synchronize_session=False)
    )
    assert number is not None, "the migrations set the counter"
    return -int(number) if canary else int(number)


def _count_from(ticket: Ticket, at: datetime, target: timedelta | None) -> None:
    """The need that rules was told at this moment, with this limit: by when must somebody have answered?"""
    ticket.counts_from = at
    ticket.target_minutes = round(target / timedelta(minutes=1)) if target else None
    recompute(ticket)


def recompute(ticket: Ticket) -> None:
    """`respond_by` anew, from the urgency, the role and the site's calendar as they are now."""
    site = ticket.site
    ticket.respond_by = routing.respond_by(
        ticket.urgency,
        ticket.counts_from,
        site.timezone,
        site.quiet_hours,
        timedelta(minutes=ticket.target_minutes) if ticket.target_minutes else None,
        calendar=roster.calendar(site),
        role=ticket.role,
    )


def promise(ticket: Ticket, by: datetime | None) -> None:
    """Watch over a promise: by then somebody has called, or what follows a broken promise follows. None: respond_by."""
    told = ticket.source in (Source.SMS, Source.VOICE) and not ticket.urgency.is_red
    ticket.promised_by = by or (ticket.respond_by if told else None)
    ticket.promise_step, ticket.promise_due_at = PromiseStep.LATE, by or ticket.respond_by


def keep_promise(ticket: Ticket) -> None:
    """The patient was reached, or the ticket is closed: there is nothing left to keep."""
    ticket.promise_step = ticket.promise_due_at = None


def append(session: Session, ticket: Ticket, need: Need, *, catalog: Catalog, now: datetime, by: str) -> None:
    """Add news to an unresolved ticket: more urgent, unheard or repeated news pages again."""
    new_kinds = [kind for kind in need.kinds if kind not in ticket.kinds]
    urgency = most_urgent(ticket.urgency, need.urgency)
    counts = need.urgency.is_red or (need.role is Role.NURSE and need.urgency is Urgency.SAME_DAY)
    if counts and _told(session, ticket, need.kinds, now) + 1 >= REPEATED:
        urgency = most_urgent(urgency, routing.level_up(need.urgency))
    worse = urgency.rank < ticket.urgency.rank
    called = ticket.contacted_at is not None
    unheard = worse or (need.urgency.is_red and (bool(new_kinds) or called))
    journal.note(session, ticket, "ticket.appended", now=now, by=by, detail=", ".join(need.kinds))
    ticket.kinds = [*ticket.kinds, *new_kinds]
    ticket.urgency = urgency
    ticket.news_at = now
    _limit(ticket, need, now=now, anew=worse or called)
    if worse or (unheard and called):
        promise(ticket, now + need.promised if need.promised else None)
    if ticket.state is TicketState.OPEN:
        if worse:
            restart(ticket, now)
        elif need.urgency.is_red:  # told again and nobody has it: page the same rung again
            ticket.rung = max(0, ticket.rung - 1)
            ticket.escalate_at = now
        if need.not_before and ticket.escalate_at:
            ticket.escalate_at = max(ticket.escalate_at, need.not_before)
        session.flush()
    elif unheard:
        session.flush()
        reopen(session, ticket, catalog=catalog, now=now, by=by, why="news that the owner has not heard")


def _limit(ticket: Ticket, need: Need, *, now: datetime, anew: bool) -> None:
    """The earlier limit stands, unless it has passed and was for something else (`anew`)."""
    stood, counted, target = ticket.respond_by, ticket.counts_from, ticket.target_minutes
    _count_from(ticket, now, need.target)
    if stood <= ticket.respond_by and not (anew and stood <= now):
        ticket.respond_by, ticket.counts_from, ticket.target_minutes = stood, counted, target


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


def restart(ticket: Ticket, now: datetime) -> None:
    """Climb the ladder from its foot, from now on."""
    begins = routing.wake_at(ticket.urgency, now, ticket.site.timezone, ticket.site.quiet_hours)
    ticket.rung, ticket.ladder_from, ticket.escalate_at = 0, begins, begins


def reopen(
    session: Session, ticket: Ticket, *, catalog: Catalog, now: datetime, by: str, why: str, wide: bool = False
) -> bool:
    """Back to OPEN and paged at once, the ladder from its foot; the owner of a red flag too, once.

    `wide`: the backup is paged together with the first rung.
    """
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
    paging.escalate(session, ticket, catalog=catalog, now=now, wide=wide)
    owner = session.get(Staff, owner_id) if owner_id else None
    if (
        owner
        and roster.rings(owner)
        and ticket.urgency.is_red
        and not pages.was_paged(session, ticket, owner.id, since=now)
    ):
        pages.page(session, ticket, [owner], Channel.SMS, f"owner-{ticket.step}", now=now)
    return True


# --- a human has it -----------------------------------------------------------------------------------------------


def get(session: Session, ticket_id: uuid.UUID) -> Ticket:
    """One ticket, fresh from the table."""
    return session.get_one(Ticket, ticket_id, populate_existing=True)


def acknowledge(session: Session, ticket: Ticket, by: Actor, *, now: datetime, tell: bool = True) -> bool:
    """Take it: the first wins, paging stops, the others who were paged are told. False: it was not open.

    `tell`: whoever told us of a red flag hears that somebody has it, and by when they call.
    """
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
        ack_expires_at=routing.ack_expires(
            ticket.urgency, now, site.timezone, site.quiet_hours, calendar=roster.calendar(site)
        ),
        escalate_at=None,
        only_if=(Ticket.state == TicketState.OPEN,),
    )
    if took:
        pages.stop(session, ticket, by.name, by.staff_id, now=now)
        if tell and ticket.urgency.is_red and site.key != CANARY:
            _tell_who_has_it(session, ticket, now)
    return took


PROMISES = {Role.NURSE: "promise.nurse", Role.PHARMACIST: "promise.pharmacist"}


def _tell_who_has_it(session: Session, ticket: Ticket, now: datetime) -> None:
    """By when the one who has it calls: as was promised, or honestly later. Once, and once more after a broken one."""
    contact = session.get(Contact, ticket.contact_id) if ticket.contact_id else None
    if contact is None or contact.channel is Channel.VOICE or ticket.source not in (Source.SMS, Source.VOICE):
        return
    by = ticket.promised_by or ticket.respond_by
    if by <= now:
        by = ticket.ack_expires_at or now
    broken = ticket.promise_step is not PromiseStep.LATE
    told = paging.tell_patient(
        session,
        ticket,
        PROMISES.get(ticket.role, "promise.team"),
        f"has-it:{ticket.id}:{ticket.counts_from.timestamp():.0f}:{'late' if broken else 'first'}",
        {"time": wording.say_at(by.astimezone(ZoneInfo(contact.patient.timezone)), contact.language)},
        now=now,
    )
    if told:
        ticket.promised_by = by


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
        if by.staff_id:
            pages.withdraw(session, ticket, by=by.name, why="passed on", now=now, staff_id=by.staff_id)
        paging.escalate(session, ticket, catalog=catalog, now=now, but_not=by.staff_id)
    return moved


def lapsed(session: Session, now: datetime, *, limit: int = 200) -> Sequence[uuid.UUID]:
    """Ids of what was acknowledged and then left: nobody logged a contact in time."""
    left = select(Ticket.id).where(Ticket.state == TicketState.ACKNOWLEDGED, Ticket.ack_expires_at <= now)
    return session.scalars(left.order_by(Ticket.ack_expires_at).limit(limit)).all()


def lapse(session: Session, ticket: Ticket, *, catalog: Catalog, now: datetime) -> bool:
    """Open it again and page: of a red flag the backup at once with the first. False: somebody was faster."""
    if ticket.state is not TicketState.ACKNOWLEDGED or ticket.ack_expires_at is None or ticket.ack_expires_at > now:
        return False
    why = "acknowledged, but no contact was logged" if ticket.contacted_at is None else "reached, but never resolved"
    return reopen(session, ticket, catalog=catalog, now=now, by=journal.SYSTEM, why=why, wide=ticket.urgency.is_red)


def assign(session: Session, ticket: Ticket, to: Staff, by: Actor, *, now: datetime) -> None:
    """Make somebody else the owner; they are told by text. Raises Refused for a resolved ticket."""
    if ticket.state is TicketState.RESOLVED:
        raise Refused(f"Ticket {ticket.number} is resolved; open a new one.")
    owner = Actor(to.name, to.id)
    if ticket.state is TicketState.OPEN:
        acknowledge(session, ticket, owner, now=now)
    else:
        ticket.owner, ticket.owner_id = to.name, to.id
        if ticket.contacted_at is None:  # the new owner has the whole time for the call
            ticket.ack_expires_at = routing.ack_expires(
                ticket.urgency,
                now,
                ticket.site.timezone,
                ticket.site.quiet_hours,
                calendar=roster.calendar(ticket.site),
            )
    journal.note(session, ticket, "ticket.assigned", now=now, by=by.name, detail=to.name)
    if to.phone:
        occasion = f"assigned:{ticket.id}:{to.id}:{int(now.timestamp())}"
        pages.tell_staff(session, ticket, to, occasion, "page.assigned", pages.page_values(ticket, now), now=now)


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
        acknowledge(session, ticket, by, now=now, tell=False)
    verb = "ticket.contacted" if reached else "ticket.not_reached"
    journal.note(session, ticket, verb, now=now, by=by.name, detail=text.strip())
    if reached:
        ticket.contacted_at = now
        ticket.ack_expires_at = now + routing.HELD
        keep_promise(ticket)
        return
    session.flush()
    tries = session.scalars(
        select(AuditEvent.id).where(AuditEvent.ticket_id == ticket.id, AuditEvent.verb == "ticket.not_reached")
    ).all()
    if ticket.urgency.is_red and len(tries) == 2:
        paging.tell_patient(session, ticket, "M30", f"m30:{ticket.id}:{len(tries)}", now=now)
        if ticket.promise_step in (PromiseStep.LATE, PromiseStep.HARD_STOP):
            ticket.promise_step, ticket.promise_due_at = PromiseStep.NEXT_CONTACT, now + routing.NEXT_CONTACT


def resolve(session: Session, ticket: Ticket, outcome: str, text: str, by: Actor, *, now: datetime) -> None:
    """Close it with an outcome. Raises Refused: no such outcome, a red flag without a contact, or closed already."""
    if outcome not in OUTCOMES:
        raise Refused(f"Choose an outcome: {', '.join(OUTCOMES)}.")
    if WELFARE in ticket.kinds and outcome not in DECISIONS:
        raise Refused("Decide first: a welfare check was sent, or none is needed.")
    if ticket.urgency.is_red and ticket.contacted_at is None and WELFARE not in ticket.kinds:
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
        promise_step=None,
        promise_due_at=None,
    )
    if not moved:
        raise Refused(f"Ticket {ticket.number} is already resolved.")
    pages.stop(session, ticket, by.name, by.staff_id, now=now)
    paging.ask_if_fixed(session, ticket, now=now)
    if ticket.patient and routing.CRISIS & set(ticket.kinds):
        ticket.patient.held_until = None  # released by a person


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
            acknowledge(session, ticket, by, now=now, tell=False)
        journal.note(session, ticket, "ticket.replied", now=now, by=by.name)
    return message

"""A caller and whoever is on call: whom to ring and in which order, who took it, and what the ticket then says."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import answering, inbox, journal, pages, paging, roster, tickets
from notifier.catalog import Catalog
from notifier.core import routing
from notifier.core.business import quiet_span, within
from notifier.core.states import InboundState, MessageState, TicketState
from notifier.core.vocabulary import Channel, Role
from notifier.db import add_once
from notifier.errors import Refused
from notifier.models import Contact, Inbound, Message, Patient, PhoneCall, Site, Staff, Ticket

MOST = 4  # people rung for one caller: more than a minute and a half is no answer
TWILIO_ADDS = 5  # seconds, to every ring
WEEK = timedelta(days=7)
LONGEST = timedelta(minutes=15)  # a call whose end nobody tells stands in the way of no other for ever
RINGS = (MessageState.PLANNED, MessageState.SENDING, MessageState.UNCERTAIN, MessageState.SENT)  # or is talked
CONNECT_LIVES = timedelta(minutes=3)  # who asked for a call through us waits no longer beside the phone


def ladder(session: Session, site: Site, role: Role, *, red: bool, now: datetime) -> list[Staff]:
    """Whom to ring for a caller, one after the other: the team by its rungs; for a red flag also those above it."""
    wanted = [staff_id for _, rung in sorted(roster.on_call(session, role, site, now).items()) for staff_id in rung]
    if red:
        wanted += [each for rung in roster.on_call(session, Role.SUPERVISOR, site, now).values() for each in rung]
    known = {staff.id: staff for staff in session.scalars(select(Staff).where(Staff.id.in_(wanted)))}
    people = [known[each] for each in dict.fromkeys(wanted) if each in known][: MOST - 1 if red else MOST]
    if red:
        people += session.scalars(select(Staff).where(Staff.key == roster.LAST_RESORT)).all()
    return [person for person in people if person.active and person.phone]


def owner(session: Session, patient_id: uuid.UUID | None, role: Role) -> Staff | None:
    """Who has the patient's ticket of this team in hand: they are rung before anybody else."""
    wanted = select(Ticket.owner_id).where(
        Ticket.patient_id == patient_id, Ticket.role == role, Ticket.state == TicketState.ACKNOWLEDGED
    )
    owner_id = session.scalars(wanted).first() if patient_id else None
    person = session.get(Staff, owner_id) if owner_id else None
    return person if person and person.active and person.phone else None


def is_there(session: Session, site: Site, role: Role, now: datetime) -> bool:
    """Whether a team works now: somebody of it is on call, and it is no hour at which only red flags wake people."""
    span = quiet_span(site.quiet_hours)
    asleep = within(span, now.astimezone(ZoneInfo(site.timezone)).time())
    return not asleep and any(roster.on_call(session, role, site, now).values())


def back_at(session: Session, site: Site, role: Role, now: datetime) -> datetime | None:
    """When a team that is not there works again; None: not within a week."""
    for moment in sorted(set(_beginnings(session, site, role, now))):
        if now < moment <= now + WEEK and is_there(session, site, role, moment):
            return moment
    return None


def _beginnings(session: Session, site: Site, role: Role, now: datetime) -> Iterator[datetime]:
    """The moments at which somebody may begin: shifts, and the end of the quiet hours."""
    zone = ZoneInfo(site.timezone)
    rows = roster.shifts(session, site, role)
    hours = {quiet_span(row.hours)[0] for row in rows if row.hours} | {quiet_span(site.quiet_hours)[1]}
    today = now.astimezone(zone).date()
    for day in range(WEEK.days + 1):
        for hour in hours:
            yield datetime.combine(today + timedelta(days=day), hour, zone).astimezone(UTC)
    yield from (row.starts_at for row in rows if row.starts_at)


def begin(session: Session, call: PhoneCall, role: Role, people: Sequence[Staff], seconds: int, now: datetime) -> None:
    """These are rung now, each for so long; pages wait until then, unless somebody is to be paged at once."""
    call.role = role
    call.people = [str(person.id) for person in people]
    call.rings_until = now + timedelta(seconds=(seconds + TWILIO_ADDS) * len(people))


def person_at(session: Session, call: PhoneCall, place: int) -> Staff | None:
    """Whose turn it is to be rung; None: everybody was."""
    for staff_id in call.people[place : place + 1]:
        person = session.get(Staff, uuid.UUID(staff_id))
        if person is not None and person.active and person.phone:
            return person
    return None


def ticket_of(session: Session, call: PhoneCall, *, catalog: Catalog, now: datetime) -> Ticket | None:
    """The ticket that this call is about; what was pressed or said is read first, if no worker was faster."""
    if call.inbound_id is None:
        return _paged(session, call)
    inbound = session.get_one(Inbound, call.inbound_id, populate_existing=True)
    if inbound.state is InboundState.RECEIVED:
        inbox.attend(session, inbound.id, catalog=catalog, now=now)
        session.refresh(inbound)
    return tickets.get(session, inbound.ticket_id) if inbound.ticket_id else None


def _paged(session: Session, call: PhoneCall) -> Ticket | None:
    message = session.get(Message, call.message_id) if call.message_id else None
    return tickets.get(session, message.ticket_id) if message and message.ticket_id else None


def number_of(session: Session, ticket: Ticket) -> str | None:
    """The phone of whoever told us; None: there is none that can be called."""
    contact = session.get(Contact, ticket.contact_id) if ticket.contact_id else None
    patient = session.get(Patient, ticket.patient_id) if ticket.patient_id else None
    number = contact.phone if contact else patient.contact.phone if patient else ticket.sender
    return number if number and answering.can_be_called(number) else None


def call_through(session: Session, ticket: Ticket, staff: Staff, *, now: datetime) -> bool:
    """Ring this member of staff, who is then connected with whoever told us; the ticket is theirs if nobody has it.

    False: their phone rings for this ticket already, or they talk. Raises Refused: a resolved ticket, no phone of
    theirs, no number to call.
    """
    if ticket.state is TicketState.RESOLVED:
        raise Refused(f"Ticket {ticket.number} is resolved; open a new one.")
    if not staff.phone:
        raise Refused("We have no phone of yours to ring: call them yourself, or have your number added to the staff.")
    if number_of(session, ticket) is None:
        raise Refused("This ticket has no number that can be called: look for another one in the patient's record.")
    session.execute(select(Ticket.id).where(Ticket.id == ticket.id).with_for_update())  # two clicks are one call
    theirs = _calls_asked_for(session, ticket, staff)
    if any(each.state in RINGS and each.created_at > now - LONGEST for each in theirs):
        return False
    message = pages.to_staff(ticket, staff, f"connect:{ticket.id}:{staff.id}:{len(theirs)}", pages.CONNECT, now)
    message.channel, message.not_after = Channel.VOICE, now + CONNECT_LIVES
    message.values = {"number": str(ticket.number)}
    _, new = add_once(session, message, Message.key)
    if new:
        tickets.acknowledge(session, ticket, tickets.Actor(staff.name, staff.id), now=now, tell=False)  # they call now
        journal.note(session, ticket, "ticket.calling", now=now, by=staff.name)
    return new


def _calls_asked_for(session: Session, ticket: Ticket, staff: Staff) -> Sequence[Message]:
    """Every call through us that this member of staff asked for about a ticket."""
    return session.scalars(
        select(Message)
        .where(Message.ticket_id == ticket.id, Message.staff_id == staff.id, Message.template == pages.CONNECT)
        .execution_options(populate_existing=True)
    ).all()


def take(session: Session, call: PhoneCall, staff: Staff, *, catalog: Catalog, now: datetime) -> bool:
    """Somebody pressed 1: the caller is theirs, and the ticket too if nobody has it. False: another was faster."""
    won = session.execute(
        update(PhoneCall)
        .where(PhoneCall.id == call.id, (PhoneCall.taken_by.is_(None)) | (PhoneCall.taken_by == staff.id))
        .values(taken_by=staff.id)
        .returning(PhoneCall.id)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(call)
    if won is None:
        return False
    staff.phone_verified_at = now
    ticket = ticket_of(session, call, catalog=catalog, now=now)
    if ticket is not None:
        tickets.acknowledge(session, ticket, tickets.Actor(staff.name, staff.id), now=now, tell=False)  # they talk now
        journal.note(session, ticket, "ticket.connected", now=now, by=staff.name)
    return True


def talked(session: Session, call: PhoneCall, seconds: int, *, catalog: Catalog, now: datetime) -> None:
    """The two have spoken: the ticket holds that the patient was reached. Once, however often it is told."""
    if call.talked_at is not None or call.taken_by is None:
        return
    call.talked_at = now
    staff = session.get_one(Staff, call.taken_by)
    ticket = ticket_of(session, call, catalog=catalog, now=now)
    if ticket is not None and ticket.state is not TicketState.RESOLVED:
        by = tickets.Actor(staff.name, staff.id)
        words = f"connected by phone, {seconds // 60} min {seconds % 60} s"
        tickets.log_contact(session, ticket, True, words, by, catalog=catalog, now=now)


def nobody(session: Session, call: PhoneCall, *, catalog: Catalog, now: datetime) -> Ticket | None:
    """Nobody took the caller: the page that waited leaves now. Returns the ticket."""
    held, call.rings_until = call.rings_until, now
    session.flush()
    ticket = ticket_of(session, call, catalog=catalog, now=now)
    if ticket is not None and ticket.state is TicketState.OPEN and ticket.escalate_at == held:
        ticket.escalate_at = routing.wake_at(ticket.urgency, now, ticket.site.timezone, ticket.site.quiet_hours)
        session.flush()
        paging.escalate(session, ticket, catalog=catalog, now=now)
    return ticket

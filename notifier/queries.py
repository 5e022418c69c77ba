"""The read side: everything that the console, the API and the monitors show, as named selects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from notifier.core.states import InboundState, MessageState, TicketState, WatchState
from notifier.core.vocabulary import CANARY, EventKind, Role, Urgency
from notifier.errors import Missing
from notifier.models import (
    Attempt,
    AuditEvent,
    CareEvent,
    ConsentRecord,
    Contact,
    Counter,
    Inbound,
    Message,
    OnCallShift,
    Paged,
    Patient,
    Site,
    Staff,
    TherapyPlan,
    Ticket,
    TicketLink,
    Watch,
)
from notifier.sealing import lookup

Sites = Sequence[str]  # the keys of the sites that somebody may see; empty: every site

RANK = case({urgency.value: urgency.rank for urgency in Urgency}, value=Ticket.urgency)
RECENT = timedelta(hours=48)  # how long a failed message asks for a hand
VIEWED = ("patient.viewed", "ticket.viewed", "recording.played")  # lines about reading, which change nothing


def _at(column: Any, sites: Sites) -> list[ColumnElement[bool]]:
    """At these sites; the service's test of itself is in none that anybody sees."""
    return [column.in_(sites)] if sites else [column != CANARY]


# --- the board ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Which tickets a board shows: the filters of its address."""

    sites: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    owner_id: UUID | None = None
    states: tuple[TicketState, ...] = (TicketState.OPEN, TicketState.ACKNOWLEDGED)

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on Ticket."""
        found: list[ColumnElement[bool]] = [Ticket.state.in_(self.states), *_at(Ticket.site_key, self.sites)]
        if self.roles:
            found.append(Ticket.role.in_(self.roles))
        if self.owner_id:
            found.append(Ticket.owner_id == self.owner_id)
        return found


def board(session: Session, wanted: Wanted, urgency: Urgency, limit: int) -> Sequence[Ticket]:
    """Tickets of one urgency, the least time left first (late ones on top); resolved ones newest first."""
    order = Ticket.resolved_at.desc() if wanted.states == (TicketState.RESOLVED,) else Ticket.respond_by
    found = (
        select(Ticket)
        .where(Ticket.urgency == urgency, *wanted.conditions())
        .options(joinedload(Ticket.patient), joinedload(Ticket.site))
        .order_by(order, Ticket.number)
        .limit(limit)
    )
    return session.scalars(found).all()


def board_counts(session: Session, wanted: Wanted) -> dict[Urgency, int]:
    """How many tickets of each urgency a board would show."""
    found = select(Ticket.urgency, func.count()).where(*wanted.conditions()).group_by(Ticket.urgency)
    return dict(session.execute(found).all())


def emergencies(session: Session, sites: Sites) -> Sequence[Ticket]:
    """Emergencies that nobody has, the oldest first."""
    found = select(Ticket).where(
        Ticket.urgency == Urgency.EMERGENCY, Ticket.state == TicketState.OPEN, *_at(Ticket.site_key, sites)
    )
    return session.scalars(found.order_by(Ticket.opened_at).limit(20)).all()


def board_token(session: Session, sites: Sites) -> str:
    """Changes whenever a board would look different; cheap enough to ask each second."""
    unresolved = and_(Ticket.state != TicketState.RESOLVED, *_at(Ticket.site_key, sites))
    found = select(
        func.count(),
        func.max(Ticket.number),
        func.max(Ticket.news_at),
        func.max(Ticket.acknowledged_at),
        func.sum(Ticket.step),
        func.sum(case((Ticket.state == TicketState.OPEN, 1), else_=0)),
        func.sum(RANK),
        func.count(Ticket.contacted_at),
        func.max(Ticket.ack_expires_at),
    ).where(unresolved)
    return "|".join(str(part) for part in session.execute(found).one())


def contacts(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, Contact]:
    """These contacts by id."""
    wanted = {each for each in ids if each}
    return {row.id: row for row in session.scalars(select(Contact).where(Contact.id.in_(wanted)))} if wanted else {}


def texts_told(session: Session, tickets: Iterable[Ticket]) -> dict[UUID, list[str]]:
    """What patients and their helpers wrote to each ticket, the first text first; not how staff answered a page."""
    ids = [ticket.id for ticket in tickets]
    told: dict[UUID, list[str]] = {}
    found = select(Inbound.ticket_id, Inbound.body).where(Inbound.ticket_id.in_(ids), Inbound.staff_id.is_(None))
    for ticket_id, body in session.execute(found.order_by(Inbound.received_at)) if ids else ():
        if ticket_id:
            told.setdefault(ticket_id, []).append(body)
    return told


# --- one ticket ---------------------------------------------------------------------------------------------------


def ticket(session: Session, number: int, sites: Sites = ()) -> Ticket:
    """The ticket with this number. Raises Missing."""
    found = select(Ticket).where(Ticket.number == number, *_at(Ticket.site_key, sites))
    row = session.scalars(found.options(joinedload(Ticket.patient), joinedload(Ticket.site))).one_or_none()
    if row is None:
        raise Missing(f"There is no ticket {number}.")
    return row


@dataclass(frozen=True)
class Thread:
    """All that was said and done around a ticket, each list oldest first."""

    inbound: Sequence[Inbound]
    messages: Sequence[Message]  # to the patient's people, as far as they left or were tried
    pages: Sequence[Message]  # to staff
    journal: Sequence[AuditEvent]


def thread(session: Session, ticket: Ticket, *, limit: int = 200) -> Thread:
    """The thread of a ticket, with what its patient was told and said before."""
    theirs = [Inbound.ticket_id == ticket.id]
    ours = [Message.ticket_id == ticket.id]
    if ticket.patient_id:
        theirs.append(Inbound.patient_id == ticket.patient_id)
        ours.append(Message.patient_id == ticket.patient_id)
    inbound = session.scalars(
        select(Inbound)
        .where(or_(*theirs), Inbound.staff_id.is_(None))
        .order_by(Inbound.received_at.desc())
        .limit(limit)
    ).all()
    left = [state for state in MessageState if state not in (MessageState.CANCELLED, MessageState.EXPIRED)]
    messages = session.scalars(
        select(Message)
        .where(
            or_(*ours),
            Message.staff_id.is_(None),
            Message.state.in_(left),
            or_(Message.state != MessageState.PLANNED, Message.ticket_id == ticket.id, Message.inbound_id.is_not(None)),
        )
        .options(joinedload(Message.contact), joinedload(Message.site))
        .order_by(Message.due_at.desc())
        .limit(limit)
    ).all()
    pages = session.scalars(
        select(Message)
        .where(
            or_(
                Message.ticket_id == ticket.id,
                Message.id.in_(select(Paged.message_id).where(Paged.ticket_id == ticket.id)),
            ),
            Message.staff_id.is_not(None),
        )
        .options(joinedload(Message.staff))
        .order_by(Message.created_at)
    ).all()
    journal = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.ticket_id == ticket.id, AuditEvent.subject_type == "ticket", AuditEvent.verb.not_in(VIEWED))
        .order_by(AuditEvent.at, AuditEvent.id)
    ).all()
    return Thread(inbound[::-1], messages[::-1], pages, journal)


def ticket_token(session: Session, ticket: Ticket) -> str:
    """Changes whenever the page of this ticket would look different."""
    mine: ColumnElement[bool] = AuditEvent.ticket_id == ticket.id
    if ticket.patient_id:
        mine = or_(mine, AuditEvent.patient_id == ticket.patient_id)
    return _journal_token(session, mine)


def patient_token(session: Session, patient_id: UUID) -> str:
    """Changes whenever the page of this patient would look different."""
    return _journal_token(session, AuditEvent.patient_id == patient_id)


def _journal_token(session: Session, mine: ColumnElement[bool]) -> str:
    # The count as well as the last id: of two transactions the one that numbers its line first may commit last.
    found = select(func.count(), func.max(AuditEvent.id)).where(mine, AuditEvent.verb.not_in(VIEWED))
    return "|".join(str(part) for part in session.execute(found).one())


def attempts(session: Session, messages: Iterable[Message]) -> dict[UUID, Attempt]:
    """The last attempt of each message: it holds Twilio's word on what went wrong."""
    ids = [message.attempt_id for message in messages if message.attempt_id]
    found = select(Attempt).where(Attempt.id.in_(ids))
    return {row.message_id: row for row in session.scalars(found)} if ids else {}


def earlier_ticket(session: Session, ticket: Ticket) -> Ticket | None:
    """The ticket that this one follows."""
    return session.get(Ticket, ticket.follows_id) if ticket.follows_id else None


def last_word(session: Session, ticket: Ticket) -> AuditEvent | None:
    """The last note on a ticket, or with what words it was closed."""
    told = select(AuditEvent).where(
        AuditEvent.ticket_id == ticket.id, AuditEvent.verb.in_(("ticket.noted", "ticket.resolved"))
    )
    return session.scalars(told.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(1)).first()


def other_tickets(session: Session, ticket: Ticket) -> Sequence[Ticket]:
    """The patient's other tickets, unresolved ones first, then the newest."""
    if not ticket.patient_id:
        return ()
    found = select(Ticket).where(Ticket.patient_id == ticket.patient_id, Ticket.id != ticket.id)
    resolved_last = case((Ticket.state == TicketState.RESOLVED, 1), else_=0)
    return session.scalars(found.order_by(resolved_last, Ticket.opened_at.desc()).limit(6)).all()


def colleagues(session: Session, sites: Sites = ()) -> Sequence[Staff]:
    """Everybody to whom a ticket may be given, by name."""
    people = session.scalars(select(Staff).where(Staff.active)).all()
    works = [
        person for person in people if person.roles and (not sites or not person.sites or {*sites} & {*person.sites})
    ]
    return sorted(works, key=lambda person: person.name)


# --- patients -----------------------------------------------------------------------------------------------------


def patient(session: Session, patient_id: UUID, sites: Sites = ()) -> Patient:
    """One patient with people and plans. Raises Missing."""
    found = select(Patient).where(Patient.id == patient_id, *_at(Patient.site_key, sites))
    row = session.scalars(found.options(*_WHOLE)).one_or_none()
    if row is None:
        raise Missing("There is no such patient.")
    return row


_WHOLE = (selectinload(Patient.contacts), selectinload(Patient.plans).selectinload(TherapyPlan.events))


def plans(session: Session, patient_id: UUID) -> Sequence[TherapyPlan]:
    """A patient's plans with their events, the newest first."""
    found = select(TherapyPlan).where(TherapyPlan.patient_id == patient_id).options(selectinload(TherapyPlan.events))
    return session.scalars(found.order_by(TherapyPlan.created_at.desc())).all()


def patients(session: Session, sites: Sites, *, limit: int, offset: int = 0) -> Sequence[Patient]:
    """Patients, the newest first, with their plans."""
    found = select(Patient).where(*_at(Patient.site_key, sites)).options(*_WHOLE)
    return session.scalars(found.order_by(Patient.created_at.desc(), Patient.id).limit(limit).offset(offset)).all()


def count_patients(session: Session, sites: Sites) -> int:
    """How many patients there are."""
    return session.scalar(select(func.count()).select_from(Patient).where(*_at(Patient.site_key, sites))) or 0


def find_patients(session: Session, sites: Sites, words: str, phone: str | None, *, limit: int = 50) -> list[Patient]:
    """Patients by the pharmacy's own number, by a phone (E.164) of theirs or a caregiver's, or by part of a name."""
    ids = set(session.scalars(select(Patient.id).where(Patient.external_id == words, *_at(Patient.site_key, sites))))
    if phone:
        ids |= set(session.scalars(select(Contact.patient_id).where(Contact.phone_hash == lookup(phone))))
    if not ids and len(words) > 1:
        ids = set(_by_name(session, sites, words, limit))
    found = select(Patient).where(Patient.id.in_(ids), *_at(Patient.site_key, sites)).options(*_WHOLE)
    return sorted(session.scalars(found.limit(limit)) if ids else (), key=lambda row: (row.family_name, row.given_name))


def _by_name(session: Session, sites: Sites, words: str, limit: int) -> Iterable[UUID]:
    # Names are sealed, so each is opened and compared: fine for one pharmacy's patients.
    wanted = words.casefold().split()
    rows = session.execute(
        select(Patient.id, Patient.given_name, Patient.family_name)
        .where(*_at(Patient.site_key, sites))
        .execution_options(yield_per=500)
    )
    found = 0
    for row_id, given, family in rows:
        name = f"{given} {family}".casefold()
        if all(word in name for word in wanted):
            found += 1
            yield row_id
        if found == limit:
            return


@dataclass(frozen=True)
class Story:
    """All that was and will be around one patient, each list oldest first."""

    messages: Sequence[Message]
    inbound: Sequence[Inbound]
    tickets: Sequence[Ticket]
    consents: Sequence[ConsentRecord]
    journal: Sequence[AuditEvent]
    views: Sequence[AuditEvent]  # newest first


def story(session: Session, patient_id: UUID, *, limit: int = 300) -> Story:
    """What a patient's page shows beside people, plans and events."""
    messages = session.scalars(
        select(Message)
        .where(Message.patient_id == patient_id, Message.staff_id.is_(None))
        .options(joinedload(Message.contact), joinedload(Message.site))
        .order_by(Message.due_at.desc())
        .limit(limit)
    ).all()
    inbound = session.scalars(
        select(Inbound)
        .where(Inbound.patient_id == patient_id, Inbound.staff_id.is_(None))
        .order_by(Inbound.received_at.desc())
        .limit(limit)
    ).all()
    tickets = session.scalars(
        select(Ticket).where(Ticket.patient_id == patient_id).order_by(Ticket.opened_at.desc()).limit(limit)
    ).all()
    consents = session.scalars(
        select(ConsentRecord)
        .join(Contact, Contact.id == ConsentRecord.contact_id)
        .where(Contact.patient_id == patient_id)
        .order_by(ConsentRecord.at)
    ).all()
    journal = session.scalars(
        select(AuditEvent)
        .where(
            AuditEvent.patient_id == patient_id,
            AuditEvent.subject_type.in_(("patient", "therapy_plan", "care_event")),
            AuditEvent.verb.not_in(VIEWED),
        )
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(limit)
    ).all()
    return Story(
        messages[::-1], inbound[::-1], tickets[::-1], consents, journal[::-1], views(session, patient_id, limit=8)
    )


def views(session: Session, patient_id: UUID, *, limit: int) -> Sequence[AuditEvent]:
    """Who read about this patient, the newest first."""
    found = select(AuditEvent).where(AuditEvent.patient_id == patient_id, AuditEvent.verb.in_(VIEWED))
    return session.scalars(found.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)).all()


def viewed_since(session: Session, row: Patient | Ticket, by: str, since: datetime) -> bool:
    """Whether this person's reading of this page is in the journal already."""
    found = select(AuditEvent).where(
        AuditEvent.subject_id == str(row.id), AuditEvent.verb.in_(VIEWED), AuditEvent.at >= since
    )
    return any(line.actor == by for line in session.scalars(found))


# --- messages -----------------------------------------------------------------------------------------------------


def coming(session: Session, sites: Sites, until: datetime, *, limit: int, offset: int = 0) -> Sequence[Message]:
    """What is planned to leave until then, the next first."""
    found = (
        select(Message)
        .where(Message.state == MessageState.PLANNED, Message.due_at < until, *_at(Message.site_key, sites))
        .options(joinedload(Message.contact).joinedload(Contact.patient), joinedload(Message.site))
        .order_by(Message.due_at, Message.id)
        .limit(limit)
        .offset(offset)
    )
    return session.scalars(found).all()


def _needs_a_hand(sites: Sites, since: datetime) -> list[ColumnElement[bool]]:
    failed = and_(Message.state == MessageState.FAILED, Message.ended_at >= since)
    return [
        Message.contact_id.is_not(None),
        or_(failed, Message.state == MessageState.UNCERTAIN),
        *_at(Message.site_key, sites),
    ]


def needing_a_hand(session: Session, sites: Sites, since: datetime, *, limit: int = 100) -> Sequence[Message]:
    """Messages to patients that failed since then or are in doubt, the newest first."""
    found = (
        select(Message)
        .where(*_needs_a_hand(sites, since))
        .options(joinedload(Message.contact).joinedload(Contact.patient), joinedload(Message.site))
        .order_by(Message.due_at.desc())
        .limit(limit)
    )
    return session.scalars(found).all()


def count_needing_a_hand(session: Session, sites: Sites, since: datetime) -> int:
    """How many of those there are."""
    return session.scalar(select(func.count()).select_from(Message).where(*_needs_a_hand(sites, since))) or 0


def sent_by_hour(session: Session, sites: Sites, start: datetime, end: datetime) -> Sequence[tuple[datetime, bool]]:
    """When each message between those instants left or is due, and whether it has left."""
    left = (MessageState.SENT, MessageState.DELIVERED)
    found = select(Message.due_at, Message.state).where(
        Message.due_at >= start,
        Message.due_at < end,
        Message.contact_id.is_not(None),
        Message.state.in_((*left, MessageState.PLANNED)),
        *_at(Message.site_key, sites),
    )
    return [(due_at, state in left) for due_at, state in session.execute(found)]


def backlog_by_sender(session: Session, now: datetime) -> dict[tuple[str, str], int]:
    """What is due and has not left, by (site, channel)."""
    found = select(Message.site_key, Message.channel, func.count()).where(_overdue(now))
    return {(site, channel): count for site, channel, count in session.execute(found.group_by("site_key", "channel"))}


# --- the pharmacy -------------------------------------------------------------------------------------------------


def sites(session: Session, keys: Sites = ()) -> Sequence[Site]:
    """The sites with these keys (all when none are given), by name."""
    return session.scalars(select(Site).where(*_at(Site.key, keys)).order_by(Site.name)).all()


def shifts(session: Session, site_key: str) -> Sequence[OnCallShift]:
    """Every shift that counts at a site."""
    found = select(OnCallShift).where(OnCallShift.site.in_((site_key, "*")))
    return session.scalars(found.order_by(OnCallShift.role, OnCallShift.rung)).all()


# --- monitors -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lateness:
    """Ages of the oldest overdue things, in the time of `clock.now()`; zero when nothing is late."""

    message: timedelta
    escalation: timedelta
    inbound: timedelta

    def by_name(self) -> dict[str, timedelta]:
        """The three by the name of what is late."""
        return {"message": self.message, "escalation": self.escalation, "inbound": self.inbound}


def lateness(session: Session, now: datetime) -> Lateness:
    """How late the service is: the ledger itself knows."""
    message = session.scalar(select(func.min(Message.due_at)).where(_overdue(now)))
    escalation = session.scalar(
        select(func.min(Ticket.escalate_at)).where(Ticket.state == TicketState.OPEN, Ticket.escalate_at <= now)
    )
    untold = session.scalar(
        select(func.min(Watch.due_at)).where(Watch.state == WatchState.WAITING, Watch.due_at <= now)
    )
    escalation = min(filter(None, (escalation, untold)), default=None)
    inbound = session.scalar(
        select(func.min(Inbound.received_at)).where(Inbound.state == InboundState.RECEIVED, Inbound.received_at <= now)
    )
    return Lateness(*(now - moment if moment else timedelta() for moment in (message, escalation, inbound)))


def _overdue(now: datetime) -> ColumnElement[bool]:
    return and_(Message.state == MessageState.PLANNED, Message.due_at <= now)


@dataclass(frozen=True)
class Figures:
    """Counts for the monitor."""

    messages: dict[str, int]  # by state
    tickets: dict[tuple[str, str, str], int]  # unresolved, by (urgency, role, state)
    backlog: int  # due and not left
    waiting: int  # inbound that nobody has read


def figures(session: Session, now: datetime) -> Figures:
    """Counts of what there is and what waits."""
    ours = select(Message.state, func.count()).where(*_at(Message.site_key, ()))
    by_state = dict(session.execute(ours.group_by(Message.state)).all())
    unresolved = (
        select(Ticket.urgency, Ticket.role, Ticket.state, func.count())
        .where(Ticket.state != TicketState.RESOLVED, *_at(Ticket.site_key, ()))
        .group_by(Ticket.urgency, Ticket.role, Ticket.state)
    )
    tickets = {
        (urgency.value, role.value, state.value): count for urgency, role, state, count in session.execute(unresolved)
    }
    return Figures(
        messages={state.value: by_state.get(state, 0) for state in MessageState},
        tickets=tickets,
        backlog=_count(session, select(func.count()).select_from(Message).where(_overdue(now))),
        waiting=_count(
            session, select(func.count()).select_from(Inbound).where(Inbound.state == InboundState.RECEIVED)
        ),
    )


def _count(session: Session, found: Select[Any]) -> int:
    return session.scalar(found) or 0


def try_to_store(session: Session) -> None:
    """Ask the database to write nothing at all: a read-only or broken one refuses even that."""
    session.execute(update(Counter).where(false()).values(value=0).execution_options(synchronize_session=False))


# --- what other systems read ----------------------------------------------------------------------------------------

Place = tuple[datetime, UUID]  # where a page of a list ends: an instant, and the id that tells its rows apart


def _after(at: Any, row_id: Any, place: Place | None) -> list[ColumnElement[bool]]:
    return [] if place is None else [or_(at > place[0], and_(at == place[0], row_id > place[1]))]


def _before(at: Any, row_id: Any, place: Place | None) -> list[ColumnElement[bool]]:
    return [] if place is None else [or_(at < place[0], and_(at == place[0], row_id < place[1]))]


def list_patients(
    session: Session, *, site: str | None, external_id: str | None, after: Place | None, limit: int
) -> Sequence[Patient]:
    """Patients with their people, the oldest record first, beginning after that place."""
    people = selectinload(Patient.contacts)
    found = select(Patient).where(Patient.site_key != CANARY, *_after(Patient.created_at, Patient.id, after))
    found = found.options(people)
    if site is not None:
        found = found.where(Patient.site_key == site)
    if external_id is not None:
        found = found.where(Patient.external_id == external_id)
    return session.scalars(found.order_by(Patient.created_at, Patient.id).limit(limit)).all()


def consents_of(session: Session, patient_ids: Iterable[UUID]) -> dict[UUID, list[ConsentRecord]]:
    """Every word of consent of these patients' people, by contact, the oldest first."""
    found = (
        select(ConsentRecord)
        .join(Contact, Contact.id == ConsentRecord.contact_id)
        .where(Contact.patient_id.in_(list(patient_ids)))
        .order_by(ConsentRecord.at, ConsentRecord.id)
    )
    words: dict[UUID, list[ConsentRecord]] = {}
    for row in session.scalars(found):
        words.setdefault(row.contact_id, []).append(row)
    return words


def plan(session: Session, plan_id: UUID) -> TherapyPlan:
    """One plan with its patient. Raises Missing."""
    row = session.get(TherapyPlan, plan_id)
    if row is None:
        raise Missing("There is no such plan.")
    return row


def event(session: Session, event_id: UUID, kinds: Iterable[EventKind]) -> CareEvent:
    """One dated thing of these kinds, with its plan. Raises Missing."""
    found = select(CareEvent).where(CareEvent.id == event_id, CareEvent.kind.in_(list(kinds)))
    row = session.scalars(found.options(joinedload(CareEvent.plan))).one_or_none()
    if row is None:
        raise Missing
    return row


def delivery_by_external_id(session: Session, site: str, external_id: str) -> CareEvent | None:
    """The delivery that the pharmacy's own system knows by this id."""
    found = (
        select(CareEvent)
        .join(TherapyPlan, TherapyPlan.id == CareEvent.plan_id)
        .where(TherapyPlan.site_key == site, CareEvent.kind == EventKind.DELIVERY, CareEvent.external_id == external_id)
    )
    return session.scalars(found.order_by(CareEvent.booked_at).limit(1)).first()


def list_messages(session: Session, patient_id: UUID, *, after: Place | None, limit: int) -> Sequence[Message]:
    """Everything said or to be said to a patient's people, by when it is or was due; pages to staff are not."""
    found = (
        select(Message)
        .where(
            Message.patient_id == patient_id,
            Message.staff_id.is_(None),
            *_after(Message.due_at, Message.id, after),
        )
        .options(joinedload(Message.contact))
    )
    return session.scalars(found.order_by(Message.due_at, Message.id).limit(limit)).all()


def list_tickets(
    session: Session,
    *,
    site: str | None,
    state: TicketState | None,
    urgency: Urgency | None,
    role: Role | None,
    patient_id: UUID | None,
    before: Place | None,
    limit: int,
) -> Sequence[Ticket]:
    """Tickets, the newest first, beginning before that place."""
    wanted: dict[Any, Any] = {
        Ticket.site_key: site,
        Ticket.state: state,
        Ticket.urgency: urgency,
        Ticket.role: role,
        Ticket.patient_id: patient_id,
    }
    found = select(Ticket).where(
        Ticket.site_key != CANARY,
        *(column == value for column, value in wanted.items() if value is not None),
        *_before(Ticket.opened_at, Ticket.id, before),
    )
    return session.scalars(found.order_by(Ticket.opened_at.desc(), Ticket.id.desc()).limit(limit)).all()


def ticket_by_id(session: Session, ticket_id: UUID) -> Ticket:
    """The ticket with this id. Raises Missing."""
    row = session.get(Ticket, ticket_id)
    if row is None:
        raise Missing("There is no such ticket.")
    return row


def journals_of(session: Session, ticket_ids: Sequence[UUID]) -> dict[UUID, list[AuditEvent]]:
    """The journals of these tickets, each oldest first; who merely looked is left out."""
    found = (
        select(AuditEvent)
        .where(
            AuditEvent.ticket_id.in_(ticket_ids), AuditEvent.subject_type == "ticket", AuditEvent.verb.not_in(VIEWED)
        )
        .order_by(AuditEvent.at, AuditEvent.id)
    )
    lines: dict[UUID, list[AuditEvent]] = {}
    for row in session.scalars(found):
        if row.ticket_id is not None:
            lines.setdefault(row.ticket_id, []).append(row)
    return lines


def links_of(session: Session, ticket_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The tickets that belong to each of these."""
    links: dict[UUID, list[UUID]] = {}
    for row in session.scalars(select(TicketLink).where(TicketLink.ticket_id.in_(ticket_ids))):
        links.setdefault(row.ticket_id, []).append(row.other_id)
    return links


def staff_member(session: Session, name: str) -> Staff | None:
    """The active member of staff with this key or id."""
    try:
        wanted = or_(Staff.key == name, Staff.id == UUID(name))
    except ValueError:
        wanted = Staff.key == name
    return session.scalars(select(Staff).where(wanted, Staff.active)).one_or_none()

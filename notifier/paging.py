"""Whom to wake: a ticket climbs its ladder rung by rung, and each rung pages who is on call at that moment."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from notifier import journal
from notifier.catalog import Catalog
from notifier.core import routing
from notifier.core.states import MessageState, PlanState, TicketState
from notifier.core.vocabulary import Channel, Consent, Prompt, Role, Rung, Source, Urgency
from notifier.db import add_once
from notifier.models import (
    AuditEvent,
    Contact,
    Escalation,
    Ladder,
    Message,
    OnCallShift,
    Site,
    Staff,
    TherapyPlan,
    Ticket,
)

LAST_RESORT = "last_resort"  # the key of the staff row that holds the answering service
FIXED = {"delivered", "rescheduled", "visit_arranged", "answered", "reached_advised"}  # outcomes that say it is
PAGE_LIVES = timedelta(minutes=30)


def due_to_escalate(session: Session, now: datetime) -> Sequence[Ticket]:
    """Open tickets whose next rung is due, the longest overdue first."""
    return session.scalars(
        select(Ticket)
        .where(Ticket.state == TicketState.OPEN, Ticket.escalate_at <= now)
        .order_by(Ticket.escalate_at)
        .limit(200)
    ).all()


def escalate(
    session: Session, ticket: Ticket, *, catalog: Catalog, now: datetime, but_not: uuid.UUID | None = None
) -> bool:
    """Climb the rung that is due and page who holds it. Nobody there: the next rung at once. True: it climbed.

    `but_not`: who has just passed it on, and is not rung for it.
    """
    climbed = called = False
    ladder = rungs(session, ticket.urgency, catalog)
    for _ in range(len(ladder) + 1):
        if ticket.state is not TicketState.OPEN or ticket.escalate_at is None or ticket.escalate_at > now:
            return climbed
        rung = ladder[min(ticket.rung, len(ladder) - 1)]
        people = [person for person in _people(session, ticket, rung, now) if person.id != but_not]
        if not people and not called and ticket.rung >= len(ladder) - 1:
            people = _anybody(session, ticket, now)
        if not _climb(session, ticket, ladder, nobody=not people, now=now):
            return climbed
        climbed, called = True, called or bool(people)
        session.add(
            Escalation(
                ticket_id=ticket.id,
                step=ticket.step,
                rung=ticket.rung - 1,
                at=now,
                staff_ids=[str(person.id) for person in people],
            )
        )
        detail = f"rung {ticket.rung}: {', '.join(person.name for person in people) or 'nobody holds it'}"
        journal.note(session, ticket, "ticket.escalated", now=now, by=journal.SYSTEM, detail=detail)
        page(session, ticket, people, rung.by, str(ticket.step), now=now)
        _tell_if_promise_broke(session, ticket, now=now)
    return climbed


def _climb(
    session: Session, ticket: Ticket, ladder: Sequence[routing.LadderRung], *, nobody: bool, now: datetime
) -> bool:
    """Step up, unless another process did so first."""
    following = ticket.rung + 1
    skipped = nobody and following < len(ladder)
    due = now if skipped else routing.rung_due(ladder, following, ticket.ladder_from, ticket.urgency, now)
    due = routing.wake_at(ticket.urgency, due, ticket.site.timezone, ticket.site.quiet_hours)
    result = session.execute(
        update(Ticket)
        .where(
            Ticket.id == ticket.id,
            Ticket.state == TicketState.OPEN,
            Ticket.step == ticket.step,
            Ticket.escalate_at <= now,
        )
        .values(step=ticket.step + 1, rung=following, escalate_at=due)
        .execution_options(synchronize_session=False)
        .returning(Ticket.id)
    )
    moved = result.first() is not None
    session.refresh(ticket)
    return moved


def rungs(session: Session, urgency: Urgency, catalog: Catalog) -> Sequence[routing.LadderRung]:
    """The ladder for an urgency: the pharmacy's own, else the one shipped."""
    own = session.get(Ladder, urgency)
    if own is None:
        return catalog.ladders[urgency]
    return [routing.LadderRung(Rung(rung["who"]), Channel(rung["by"]), float(rung["after"])) for rung in own.rungs]


def _people(session: Session, ticket: Ticket, rung: routing.LadderRung, now: datetime) -> list[Staff]:
    """Who holds this rung at this moment and has a phone."""
    if rung.who is Rung.LAST_RESORT:
        return _reachable(session, select(Staff).where(Staff.key == LAST_RESORT))
    role = Role.SUPERVISOR if rung.who is Rung.SUPERVISOR else ticket.role
    who = Rung.PRIMARY if rung.who is Rung.SUPERVISOR else rung.who
    team = on_call(session, role, ticket.site, now)
    return _reachable(session, select(Staff).where(Staff.id.in_(routing.holders(who, team))))


def _anybody(session: Session, ticket: Ticket, now: datetime) -> list[Staff]:
    """When a whole ladder names nobody: the supervisor, else the answering service."""
    for who in (Rung.SUPERVISOR, Rung.LAST_RESORT):
        if found := _people(session, ticket, routing.LadderRung(who, Channel.SMS, 0), now):
            return found
    return []


def _reachable(session: Session, wanted: Select[Staff]) -> list[Staff]:
    return [person for person in session.scalars(wanted) if person.active and person.phone]


def on_call(session: Session, role: Role, site: Site, now: datetime) -> dict[int, list[uuid.UUID]]:
    """Who holds each rung of a role at a site now: rung -> staff ids. Without a roster: whoever has the role."""
    wanted = select(OnCallShift).where(OnCallShift.role == role, OnCallShift.site.in_((site.key, "*")))
    rows = session.scalars(wanted).all()
    if not rows:  # no roster for this role here: whoever has it
        staff = session.scalars(select(Staff).where(Staff.active)).all()
        having = [each.id for each in staff if role in each.roles and (not each.sites or site.key in each.sites)]
        return {0: having} if having else {}
    shifts = [
        routing.Shift(
            row.staff_id,
            row.site,
            row.role,
            row.rung,
            tuple(row.days),
            row.hours,
            row.starts_at,
            row.ends_at,
            row.is_override,
        )
        for row in rows
    ]
    return routing.on_call(shifts, role, site.key, site.timezone, now)


def page(
    session: Session, ticket: Ticket, people: Iterable[Staff], by: Channel, occasion: str, *, now: datetime
) -> None:
    for person in people:
        for channel in routing.channels(by, person.pages):
            page = _to_staff(ticket, person, f"page:{ticket.id}:{occasion}:{person.id}:{channel}", "page", now)
            page.channel = channel
            page.values = page_values(ticket, now)
            add_once(session, page, Message.key)


def was_paged(session: Session, ticket: Ticket, staff_id: uuid.UUID, *, since: datetime) -> bool:
    """Whether a page of this ticket has been planned for somebody since then."""
    pages = select(Message.id).where(
        Message.ticket_id == ticket.id,
        Message.staff_id == staff_id,
        Message.template == "page",
        Message.created_at >= since,
    )
    return session.scalars(pages).first() is not None


def page_values(ticket: Ticket, now: datetime) -> dict[str, str]:
    """What a page may say: number, urgency, role and age; nothing about the patient."""
    age = int((now - ticket.opened_at).total_seconds() // 60)
    return {
        "number": str(ticket.number),
        "urgency": ticket.urgency.replace("_", " ").upper(),
        "role": ticket.role.value,
        "age": f"{age} min" if age < 120 else f"{age // 60} h",
    }


def _to_staff(ticket: Ticket, person: Staff, key: str, template: str, now: datetime) -> Message:
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
    message = _to_staff(ticket, person, key, template, now)
    message.values = values
    add_once(session, message, Message.key)


def _tell_if_promise_broke(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """Half an hour without a call on a red flag: the journal says so, and whom a nurse should have called is asked to.

    Once a ticket; what the delivery desk or the pharmacist is late with is no nurse's call.
    """
    if not ticket.urgency.is_red or ticket.contacted_at or now < ticket.respond_by + routing.GRACE:
        return
    told = select(AuditEvent.id).where(AuditEvent.ticket_id == ticket.id, AuditEvent.verb == "ticket.breached")
    if session.scalars(told.limit(1)).first() is not None:
        return
    journal.note(session, ticket, "ticket.breached", now=now, by=journal.SYSTEM, detail="no call within 30 min")
    if ticket.role is Role.NURSE:
        tell_patient(session, ticket, "M30", f"breach:{ticket.id}", now=now)


def tell_patient(session: Session, ticket: Ticket, template: str, key: str, *, now: datetime) -> bool:
    """A message about the ticket to whoever told us, unless they opted out. False: they did, or it was told before."""
    contact = session.get(Contact, ticket.contact_id) if ticket.contact_id else None
    if contact is None or contact.consent(contact.channel) is Consent.WITHDRAWN:
        return False
    message = to_contact(ticket, contact, key, template, now, lives=timedelta(hours=2))
    return add_once(session, message, Message.key)[1]


def ask_if_fixed(session: Session, ticket: Ticket, *, now: datetime) -> bool:
    """Ask whoever told us of it whether it is fixed, now that staff say so (M29). False: it is not asked of this one.

    Never of a nurse's ticket: whether somebody is well is no question for a text.
    """
    told_us = ticket.source in (Source.SMS, Source.VOICE) and ticket.contact_id is not None
    contact = session.get(Contact, ticket.contact_id) if told_us else None
    if contact is None or ticket.role is Role.NURSE or ticket.outcome not in FIXED:
        return False
    if contact.consent(contact.channel) is not Consent.GIVEN:
        return False
    resting = select(TherapyPlan.id).where(
        TherapyPlan.patient_id == contact.patient_id,
        TherapyPlan.state.in_((PlanState.PAUSED, PlanState.DECEASED)),
    )
    if session.scalars(resting.limit(1)).first() is not None:
        return False  # nobody asks in a house where somebody is in hospital, or has died
    message = to_contact(ticket, contact, f"fixed:{ticket.id}", "M29", now, lives=timedelta(hours=12))
    message.prompt, message.any_hour, message.urgent = Prompt.FIXED, False, False
    return add_once(session, message, Message.key)[1]


def to_contact(
    ticket: Ticket, contact: Contact, key: str, template: str, now: datetime, *, lives: timedelta
) -> Message:
    """A message about a ticket to whoever told us; not yet added."""
    return Message(
        key=key,
        site_key=ticket.site_key,
        patient_id=contact.patient_id,
        ticket_id=ticket.id,
        contact_id=contact.id,
        to=contact.phone,
        to_hash=contact.phone_hash,
        channel=contact.channel,
        template=template,
        language=contact.language,
        values={},
        urgent=True,
        any_hour=True,
        due_at=now,
        not_after=now + lives,
        created_at=now,
    )


def stop(session: Session, ticket: Ticket, owner: str, owner_id: uuid.UUID | None, *, now: datetime) -> None:
    """Somebody has it: pages not yet sent are cancelled, and the others who were paged are told."""
    pages = session.scalars(
        select(Message).where(
            Message.ticket_id == ticket.id, Message.template == "page", Message.created_at >= ticket.ladder_from
        )
    ).all()
    for page in pages:
        if page.state is MessageState.PLANNED:
            journal.advance(session, page, MessageState.CANCELLED, now=now, by=owner, why="acknowledged")
    reached = {page.staff for page in pages if page.staff and page.staff_id != owner_id and page.sent_at}
    for person in reached:
        values = {"number": str(ticket.number), "owner": owner}
        tell_staff(
            session, ticket, person, f"taken:{ticket.id}:{ticket.step}:{person.id}", "page.taken", values, now=now
        )

"""Whom to wake: a ticket climbs its ladder rung by rung, and each rung pages who is on call at that moment."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from notifier import journal, pages, roster
from notifier.catalog import Catalog
from notifier.core import oncall, routing
from notifier.core.states import PlanState, TicketState
from notifier.core.vocabulary import CANARY, Channel, Consent, Prompt, Role, Rung, Source, Urgency
from notifier.db import add_once
from notifier.models import Contact, Escalation, Ladder, Message, Site, Staff, TherapyPlan, Ticket
from notifier.roster import LAST_RESORT

FIXED = {"delivered", "rescheduled", "visit_arranged", "answered", "reached_advised"}  # outcomes that say it is


def due_to_escalate(session: Session, now: datetime, *, limit: int = 200) -> Sequence[uuid.UUID]:
    """Ids of open tickets whose next rung is due, the longest overdue first."""
    return session.scalars(
        select(Ticket.id)
        .where(Ticket.state == TicketState.OPEN, Ticket.escalate_at <= now)
        .order_by(Ticket.escalate_at)
        .limit(limit)
    ).all()


def escalate(
    session: Session,
    ticket: Ticket,
    *,
    catalog: Catalog,
    now: datetime,
    but_not: uuid.UUID | None = None,
    wide: bool = False,
) -> bool:
    """Climb the rung that is due and page who holds it. Nobody there: the next rung at once. True: it climbed.

    `but_not`: who has just passed it on, and is not rung for it. `wide`: the backup is paged with the first.
    """
    climbed = called = False
    ladder = rungs(session, ticket.urgency, catalog)
    for _ in range(len(ladder) + 1):
        if ticket.state is not TicketState.OPEN or ticket.escalate_at is None or ticket.escalate_at > now:
            return climbed
        rung = ladder[min(ticket.rung, len(ladder) - 1)]
        who = Rung.BOTH if wide and rung.who is Rung.PRIMARY else rung.who
        people = [person for person in people_on(session, ticket, who, now) if person.id != but_not]
        if not people and not called and ticket.rung >= len(ladder) - 1:
            people = [person for person in _anybody(session, ticket, now) if person.id != but_not]
        if not _climb(session, ticket, ladder, nobody=not people, now=now):
            return climbed
        climbed, called, wide = True, called or bool(people), wide and not people
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
        pages.page(session, ticket, people, rung.by, str(ticket.step), now=now)
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


# --- who ----------------------------------------------------------------------------------------------------------


def people_on(session: Session, ticket: Ticket, who: Rung, now: datetime) -> list[Staff]:
    """Who holds this rung at this moment and has a phone; those who speak the patient's language are asked first."""
    if ticket.site_key == CANARY:  # the service's test of itself wakes nobody
        return _reachable(session, Staff.key == CANARY)
    return _who(session, ticket.site, ticket.role, who, _language(session, ticket), now)


def _who(session: Session, site: Site, role: Role, who: Rung, language: str, now: datetime) -> list[Staff]:
    if who is Rung.LAST_RESORT:
        return _reachable(session, Staff.key == LAST_RESORT)
    if who is Rung.SUPERVISOR:
        role, who = Role.SUPERVISOR, Rung.PRIMARY
    team = roster.on_call(session, role, site, now)
    named = [person for held in team.values() for person in held]
    staff = {person.id: person for person in _reachable(session, Staff.id.in_(named))}
    team = oncall.speaking_first(team, lambda person: person in staff and _speaks(staff[person], language))
    return [staff[person] for person in oncall.holders(who, team) if person in staff]


def _speaks(person: Staff, language: str) -> bool:
    return language.partition("-")[0] in {each.partition("-")[0] for each in person.languages}


def _language(session: Session, ticket: Ticket) -> str:
    """The language in which the call will be: of who told us, else the site's first."""
    contact = session.get(Contact, ticket.contact_id) if ticket.contact_id else None
    return contact.language if contact else (ticket.site.languages or ["en"])[0]


def _anybody(session: Session, ticket: Ticket, now: datetime) -> list[Staff]:
    """When a whole ladder names nobody: the supervisor, else the answering service, else everybody with a phone."""
    for who in (Rung.SUPERVISOR, Rung.LAST_RESORT):
        if found := people_on(session, ticket, who, now):
            return found
    if ticket.site_key == CANARY:
        return []
    everybody = _reachable(session, Staff.active)
    here = [person for person in everybody if not person.sites or ticket.site_key in person.sites]
    return here or everybody


def _reachable(session: Session, wanted: ColumnElement[bool] | InstrumentedAttribute[bool]) -> list[Staff]:
    people = session.scalars(
        select(Staff).where(wanted, Staff.active, Staff.phone_hash.is_not(None)).order_by(Staff.key)
    )
    return [person for person in people if roster.rings(person)]


def can_call_within(
    session: Session, site: Site, role: Role, urgency: Urgency, *, catalog: Catalog, now: datetime
) -> timedelta | None:
    """How soon the roster can keep a promise of a call about a red flag; None: nobody can be woken, so promise nothing.

    With somebody of the team on call: as soon as the row says. With none but the supervisor or the answering service:
    half an hour.
    """
    if site.key == CANARY:
        return timedelta()
    for rung in rungs(session, urgency, catalog):
        if _who(session, site, role, rung.who, site.languages[0] if site.languages else "en", now):
            own = rung.who in (Rung.PRIMARY, Rung.BACKUP, Rung.BOTH)
            return timedelta() if own else routing.HARD_STOP
    return routing.HARD_STOP if _reachable(session, Staff.active) else None


# --- what the patient hears about it ------------------------------------------------------------------------------


def tell_patient(
    session: Session,
    ticket: Ticket,
    template: str,
    key: str,
    values: dict[str, str] | None = None,
    *,
    now: datetime,
    contact: Contact | None = None,
) -> bool:
    """A message about the ticket to whoever told us. False: they opted out, it was told before, or the patient died."""
    contact = contact or (session.get(Contact, ticket.contact_id) if ticket.contact_id else None)
    if contact is None or not contact.active or contact.consent(contact.channel) is Consent.WITHDRAWN:
        return False
    if _mourned(session, contact.patient_id):
        return False
    message = to_contact(ticket, contact, key, template, now, lives=timedelta(hours=2))
    message.values = values or {}
    return add_once(session, message, Message.key)[1]


def _mourned(session: Session, patient_id: uuid.UUID | None) -> bool:
    """Whether the patient died, or somebody says so and nobody has found out yet: staff call, no machine texts."""
    if patient_id is None:
        return False
    dead = select(TherapyPlan.id).where(TherapyPlan.patient_id == patient_id, TherapyPlan.state == PlanState.DECEASED)
    if session.scalars(dead.limit(1)).first() is not None:
        return True
    said = select(Ticket.kinds).where(Ticket.patient_id == patient_id, Ticket.state != TicketState.RESOLVED)
    return any("DECEASED" in kinds for kinds in session.scalars(said))


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

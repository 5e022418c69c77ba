"""When a promised call does not come: it escalates, the patient hears the truth, and in the end a person decides."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal, pages, paging, tickets
from notifier.catalog import Catalog
from notifier.core import routing, wording
from notifier.core.states import TicketState
from notifier.core.vocabulary import CANARY, Channel, Consent, PromiseStep, Role, Rung, Source, Urgency
from notifier.models import AuditEvent, Contact, Message, Staff, Ticket

CLINICAL = (Role.NURSE, Role.PHARMACIST)
LONG_AGO = timedelta(minutes=15)  # after which the same request may be made again


def due(session: Session, now: datetime, *, limit: int = 200) -> Sequence[uuid.UUID]:
    """Ids of tickets whose promise is broken, or whose next step after that is due."""
    broken = select(Ticket.id).where(Ticket.promise_due_at.is_not(None), Ticket.promise_due_at <= now)
    return session.scalars(broken.order_by(Ticket.promise_due_at).limit(limit)).all()


def follow(session: Session, ticket_id: uuid.UUID, *, catalog: Catalog, now: datetime) -> None:
    """Take every step that is due for one ticket. Does nothing when the patient was reached meanwhile."""
    ticket = session.scalars(select(Ticket).where(Ticket.id == ticket_id).with_for_update()).one()
    for _ in PromiseStep:
        step, at = ticket.promise_step, ticket.promise_due_at
        if step is None or at is None or at > now or ticket.state is TicketState.RESOLVED:
            return
        if ticket.contacted_at is not None:
            tickets.keep_promise(ticket)
            return
        clinical = ticket.role in CLINICAL and ticket.patient_id is not None
        following = routing.after_promise(
            step, ticket.urgency, counts_from=ticket.counts_from, due=at, clinical=clinical
        )
        ticket.promise_step, ticket.promise_due_at = following or (None, None)
        session.flush()
        match step:
            case PromiseStep.LATE:
                _late(session, ticket, catalog=catalog, now=now)
            case PromiseStep.HARD_STOP:
                _hard_stop(session, ticket, now=now)
            case PromiseStep.NEXT_CONTACT:
                _next_contact(session, ticket, now=now)
            case PromiseStep.WELFARE:
                _welfare(session, ticket, catalog=catalog, now=now)


# --- the promise is broken ----------------------------------------------------------------------------------------


def _late(session: Session, ticket: Ticket, *, catalog: Catalog, now: datetime) -> None:
    """It escalates to whom the ladder has not woken yet, and the patient hears once by when we try now."""
    journal.note(session, ticket, "ticket.promise_broken", now=now, by=journal.SYSTEM)
    _escalate(session, ticket, now=now)
    if ticket.promised_by is None:
        return
    stop_due = ticket.promise_step is PromiseStep.HARD_STOP and ticket.promise_due_at == now
    if stop_due or ticket.urgency is Urgency.ROUTINE or ticket.site_key == CANARY:
        return
    by = ticket.promise_due_at if ticket.urgency.is_red else _try_by(ticket, now)
    if by is None:
        return
    can = paging.can_call_within(session, ticket.site, ticket.role, ticket.urgency, catalog=catalog, now=now)
    template, values = ("promise.none", {}) if can is None else ("promise.late", {"time": _say(session, ticket, by)})
    if paging.tell_patient(session, ticket, template, f"late:{ticket.id}", values, now=now):
        ticket.promised_by = by


def _try_by(ticket: Ticket, now: datetime) -> datetime:
    """When we try again at what could wait until today: by the site's day, counted anew."""
    site = ticket.site
    return routing.respond_by(Urgency.SAME_DAY, now, site.timezone, site.quiet_hours, timedelta(hours=1))


def _say(session: Session, ticket: Ticket, by: datetime) -> str:
    contact = session.get(Contact, ticket.contact_id) if ticket.contact_id else None
    zone = contact.patient.timezone if contact else ticket.site.timezone
    return wording.say_at(by.astimezone(ZoneInfo(zone)), contact.language if contact else "en")


def _escalate(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """The supervisor hears of it, if the ladder has not got there; the owner of what is taken is reminded."""
    people = {person.id: person for person in paging.people_on(session, ticket, Rung.SUPERVISOR, now)}
    if ticket.state is TicketState.OPEN:
        unasked = [
            person
            for person in people.values()
            if not pages.was_paged(session, ticket, person.id, since=ticket.ladder_from)
        ]
        pages.page(session, ticket, unasked, Channel.SMS, f"late-{ticket.step}", now=now)
        return
    owner = session.get(Staff, ticket.owner_id) if ticket.owner_id else None
    if owner and owner.active and owner.phone:
        people[owner.id] = owner
    for person in people.values():
        values = {**pages.page_values(ticket, now), "owner": ticket.owner or ""}
        pages.tell_staff(session, ticket, person, f"late:{ticket.id}:{person.id}", "page.late", values, now=now)


# --- half an hour without a call ----------------------------------------------------------------------------------


def _hard_stop(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """The journal says so, and whom a nurse should have called is asked to call.

    What the delivery desk or the pharmacist is late with is no nurse's call.
    """
    journal.note(session, ticket, "ticket.breached", now=now, by=journal.SYSTEM, detail="no call within 30 min")
    if ticket.role is Role.NURSE and not _asked_lately(session, ticket, now):
        paging.tell_patient(session, ticket, "M30", f"breach:{ticket.id}:{ticket.counts_from.timestamp():.0f}", now=now)


def _asked_lately(session: Session, ticket: Ticket, now: datetime) -> bool:
    asked = select(Message.id).where(
        Message.ticket_id == ticket.id, Message.template == "M30", Message.created_at > now - LONG_AGO
    )
    return session.scalars(asked.limit(1)).first() is not None


def _next_contact(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """Whoever else may be told for this patient is asked to look after them and call: no word about why."""
    told = []
    for contact in _others(session, ticket):
        key = f"next:{ticket.id}:{ticket.counts_from.timestamp():.0f}:{contact.id}"
        if paging.tell_patient(session, ticket, "promise.next_contact", key, now=now, contact=contact):
            told.append(contact.relation)
    detail = ", ".join(told) or "nobody else may be told"
    journal.note(session, ticket, "ticket.next_contact", now=now, by=journal.SYSTEM, detail=detail)


def _others(session: Session, ticket: Ticket) -> Sequence[Contact]:
    """The patient's other phones with consent: those of caregivers, and the patient's own when a caregiver told us."""
    people = session.scalars(
        select(Contact).where(Contact.patient_id == ticket.patient_id, Contact.active).order_by(Contact.created_at)
    ).all()
    return [
        person
        for person in people
        if person.id != ticket.contact_id and person.consent(person.channel) is Consent.GIVEN
    ]


def _welfare(session: Session, ticket: Ticket, *, catalog: Catalog, now: datetime) -> None:
    """Nobody was reached: the supervisor is paged to decide whether somebody goes and looks."""
    need = tickets.Need(
        site_key=ticket.site_key,
        subject=ticket.subject,
        role=Role.SUPERVISOR,
        urgency=Urgency.URGENT,
        kinds=(tickets.WELFARE,),
        source=Source.SYSTEM,
        text=_what_was_tried(session, ticket),
        patient_id=ticket.patient_id,
        contact_id=ticket.contact_id,
        plan_id=ticket.plan_id,
        linked_to=ticket.id,
    )
    welfare, _ = tickets.open_or_append(session, need, catalog=catalog, now=now)
    journal.note(session, ticket, "ticket.welfare", now=now, by=journal.SYSTEM, detail=f"#{welfare.number}")


def _what_was_tried(session: Session, ticket: Ticket) -> str:
    """What the decision needs: since when, every try, and where the patient lives as far as we know."""
    lines = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.ticket_id == ticket.id, AuditEvent.verb.in_(TRIES))
        .order_by(AuditEvent.at, AuditEvent.id)
    ).all()
    zone = ZoneInfo(ticket.site.timezone)
    tried = [f"- {line.at.astimezone(zone):%H:%M} {TRIES[line.verb]} {line.detail or ''}".rstrip() for line in lines]
    area = ticket.patient.postal_code if ticket.patient else None
    return "\n".join(
        [
            f"Nobody has been reached about #{ticket.number} since {ticket.counts_from.astimezone(zone):%H:%M}. "
            "Decide whether somebody goes and looks.",
            *tried,
            f"Postal code on file: {area}" if area else "No address on file here: see the pharmacy's own system.",
        ]
    )


TRIES = {
    "ticket.acknowledged": "taken",
    "ticket.not_reached": "called, no answer",
    "ticket.promise_broken": "the promised call did not come",
    "ticket.breached": "half an hour without a call",
    "ticket.next_contact": "asked to call:",
}

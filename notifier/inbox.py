"""What people tell us: written down first, then read and acted on, once."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import answering, boxes, enrolment, journal, paging_answers, sealing, shared_phone, tickets
from notifier.catalog import Catalog
from notifier.core import routing, supplies, triage
from notifier.core.states import MOVES, EventState, InboundState, PlanState, TicketState
from notifier.core.vocabulary import CANARY, Channel, Consent, EventKind, Intent, Prompt, Role, Source, Urgency
from notifier.db import add_once
from notifier.enrolment import landlines
from notifier.hearing import FOUND, ODD_COUNT, Told, contacts_of, hear
from notifier.models import CareEvent, Contact, Inbound, Message, PhoneCall, Site, Staff, Ticket

log = logging.getLogger(__name__)

NOT_OURS = (OperationalError,)  # the database is away or busy: nothing is wrong with the text
TRIES = 2  # faults of ours in reading one text, before a nurse reads it
HOLDS = {"HOSPITALIZED", "DECEASED"}
ONE_TEAM_IS_ENOUGH = {Role.NURSE}  # a nurse who calls sees the rest


# --- written down -------------------------------------------------------------------------------------------------


def receive(session: Session, **given: Any) -> tuple[Inbound, bool]:
    """Store what came in, as `row` makes it. The same `provider_sid` is stored once. Returns (the row, was it new)."""
    return add_once(session, row(**given), Inbound.provider_sid)


def row(
    *,
    provider_sid: str,
    source: Source,
    sender: str,
    recipient: str,
    body: str,
    received_at: datetime,
    media: int = 0,
    message_id: uuid.UUID | None = None,
    opt_out: str | None = None,
    call_id: uuid.UUID | None = None,
    hurry: bool = False,
) -> Inbound:
    """What came in, not stored yet."""
    return Inbound(
        provider_sid=provider_sid,
        source=source,
        sender=sender,
        sender_hash=sealing.lookup(sender),
        recipient=recipient,
        body=body,
        media=media,
        received_at=received_at,
        message_id=message_id,
        opt_out=opt_out,
        call_id=call_id,
        hurry=hurry,
    )


def looks_red(body: str, catalog: Catalog) -> bool:
    """Whether a text is to be read before the others: at a glance a red flag, or nothing that we can read."""
    try:
        return triage.looks_red(body, catalog.rules)
    except Exception:  # noqa: BLE001  whoever reads it meets the same fault, and logs it
        return True


def waiting(session: Session, *, limit: int = 200) -> Sequence[uuid.UUID]:
    """Ids of what nobody has read yet: what looks like a red flag first, then the oldest."""
    unread = select(Inbound.id).where(Inbound.state == InboundState.RECEIVED)
    return session.scalars(unread.order_by(Inbound.hurry.desc(), Inbound.received_at).limit(limit)).all()


def failed_to_read(session: Session, inbound_id: uuid.UUID) -> bool:
    """Count a fault of ours in reading it: the row stays RECEIVED and is tried again. True: we have tried enough."""
    inbound = session.get_one(Inbound, inbound_id)
    inbound.failures += 1
    return inbound.failures >= TRIES


# --- read and acted on ----------------------------------------------------------------------------------------------


def attend(session: Session, inbound_id: uuid.UUID, *, catalog: Catalog, now: datetime, readable: bool = True) -> bool:
    """Read what came in and act on it, once, after all that the same phone sent before. False: somebody did already.

    Not `readable`: our reading of it failed again and again, so a nurse reads it instead.
    """
    own = select(Inbound.sender_hash, Inbound.received_at).where(Inbound.id == inbound_id).subquery()
    waiting = session.scalars(
        select(Inbound)
        .join(own, (Inbound.sender_hash == own.c.sender_hash) & (Inbound.received_at <= own.c.received_at))
        .where(Inbound.state == InboundState.RECEIVED)
        .order_by(Inbound.received_at, Inbound.id)
        .with_for_update(of=Inbound)
        .execution_options(populate_existing=True)
    ).all()
    inbound = next((each for each in waiting if each.id == inbound_id), None)
    if inbound is None:
        return False
    for earlier in waiting:
        if earlier.received_at < inbound.received_at:
            _attend_earlier(session, earlier, catalog=catalog, now=now)
    return _attend(session, inbound, catalog=catalog, now=now, readable=readable)


def _attend_earlier(session: Session, inbound: Inbound, *, catalog: Catalog, now: datetime) -> None:
    """An older text of the same phone; one that cannot be read is left to its own job and holds up nothing."""
    try:
        with session.begin_nested():
            _attend(session, inbound, catalog=catalog, now=now, readable=True)
    except NOT_OURS:
        raise
    except Exception as error:  # noqa: BLE001  a fault in one text must not keep the next one from a nurse
        log.warning("an earlier text could not be read: inbound %s: %s", inbound.id, type(error).__name__)


def _attend(session: Session, inbound: Inbound, *, catalog: Catalog, now: datetime, readable: bool) -> bool:
    site = site_of(session, inbound.recipient)
    staff = session.scalars(
        select(Staff)
        .where(or_(Staff.phone_hash == inbound.sender_hash, Staff.second_phone_hash == inbound.sender_hash))
        .where(Staff.active)
        .order_by(Staff.phone_hash == inbound.sender_hash)
    ).first()
    contacts: Sequence[Contact | None] = contacts_of(session, inbound)
    if not staff and not contacts and _is_ours(session, inbound.sender):
        return _done(session, inbound, None, now=now)  # a text of ours to another number of ours: nobody wrote it
    if staff and inbound.source is Source.SMS and (not contacts or paging_answers.is_meant(session, inbound, staff)):
        inbound.staff_id = staff.id
        paging_answers.obey(session, inbound, staff, catalog=catalog, now=now)
        return _done(session, inbound, None, now=now)
    people = contacts or [None]
    if len(people) > 1 and (whose := shared_phone.answered(session, inbound, people, now)):
        shared_phone.note(session, inbound, people, whose, now=now)
        return _done(session, inbound, None, now=now)
    told = [hear(session, inbound, who, site, catalog=catalog, now=now, readable=readable) for who in people]
    first = min(told, key=_urgency)
    answering.answer(session, first, catalog=catalog, now=now, shared=len(people) > 1)
    for each in told:
        _act(session, each, catalog=catalog, now=now)
    if readable and inbound.source is Source.SMS and any(who.chosen for who in people if who):
        landlines.texted(session, inbound.sender, catalog=catalog, by=journal.SYSTEM, now=now)
    return _done(session, inbound, first, now=now)


def _urgency(told: Told) -> int:
    return told.route.urgency.rank


def _done(session: Session, inbound: Inbound, told: Told | None, *, now: datetime) -> bool:
    facts: dict[str, Any] = {"intent": Intent.ANSWER, "urgency": Urgency.NONE}
    if told:
        reading = told.reading
        facts = {
            "intent": reading.intent,
            "kinds": list(reading.kinds),
            "urgency": reading.urgency,
            "evidence": [
                {"kind": found.kind, "span": [found.start, found.end], "rule": found.rule} for found in reading.evidence
            ],
        }
    session.flush()
    return journal.advance(session, inbound, InboundState.TRIAGED, now=now, by=journal.SYSTEM, **facts)


def _is_ours(session: Session, number: str) -> bool:
    """Whether this is a number that we send from."""
    sites = select(Site.key).where(or_(Site.sms_from == number, Site.voice_from == number))
    return session.scalars(sites.limit(1)).first() is not None


def site_of(session: Session, number: str) -> Site:
    """The site that owns the number which was texted; failing that the first, so that nothing is dropped."""
    sites = select(Site).where(Site.key != CANARY).order_by(Site.key).limit(1)
    own = sites.where(or_(Site.sms_from == number, Site.voice_from == number, Site.phone == number))
    return session.scalars(own).first() or session.scalars(sites).one()


# --- what follows ---------------------------------------------------------------------------------------------------


def _act(session: Session, told: Told, *, catalog: Catalog, now: datetime) -> None:
    """Consent, the question answered, the tickets: in this order."""
    inbound, reading, contact = told.inbound, told.reading, told.contact
    if contact is not None:
        inbound.contact_id = inbound.contact_id or contact.id
        inbound.patient_id = inbound.patient_id or contact.patient_id
        _consent(session, told, catalog=catalog, now=now)
        _pause(session, told, catalog=catalog, now=now)
        if told.asked is not None:
            count = int(told.count) if told.count is not None and told.count == int(told.count) else None
            count = None if reading is ODD_COUNT else count
            by = contact.name
            enrolment.answer(session, told.asked, reading.kinds, count=count, by=by, catalog=catalog, now=now)
            _fixed(session, told, now=now)
        _box(session, told, catalog=catalog, now=now)
    first: uuid.UUID | None = None
    for need in _needs(session, told, catalog, now):
        ticket, is_new = tickets.open_or_append(session, replace(need, linked_to=first), catalog=catalog, now=now)
        first = first or ticket.id
        if told.named and not is_new:  # a ticket shows its first words: these are news
            what = "\n".join(["Missing by the delivery's list:", *need.text.split("\n- ")[1:]])
            journal.note(session, ticket, "ticket.noted", now=now, by=journal.SYSTEM, detail=what)
        inbound.ticket_id = inbound.ticket_id or ticket.id
        _link_answer(session, inbound, ticket)
        if ticket.urgency is Urgency.EMERGENCY and need.urgency.rank > ticket.urgency.rank:
            answering.call_now(session, inbound)


def _link_answer(session: Session, inbound: Inbound, ticket: Ticket) -> None:
    answer = session.scalars(select(Message).where(Message.key == f"ack:{inbound.id}")).one_or_none()
    if answer is not None and answer.ticket_id is None:
        answer.ticket_id = ticket.id


def _consent(session: Session, told: Told, *, catalog: Catalog, now: datetime) -> None:
    contact = told.contact
    assert contact is not None
    wants_in = told.reading.intent is Intent.OPT_IN and contact.sms_consent is Consent.WITHDRAWN
    if not (told.withdraws or wants_in):
        return
    by_phone = told.inbound.source is Source.VOICE
    consent = Consent.WITHDRAWN if told.withdraws else Consent.GIVEN
    source = "phone keypad" if by_phone else "text message"
    channels = (Channel.VOICE,) if by_phone else (Channel.SMS, Channel.VOICE) if told.withdraws else (Channel.SMS,)
    for channel in channels:
        enrolment.record_consent(session, contact, channel, consent, source, by=contact.name, now=now)
    for plan in contact.patient.plans:
        enrolment.replan(session, plan, catalog=catalog, now=now)


def _pause(session: Session, told: Told, *, catalog: Catalog, now: datetime) -> None:
    """In hospital, or dead: nothing more is sent until a person, who is told by the ticket, has found out."""
    assert told.contact is not None
    for plan in told.contact.patient.plans if HOLDS & set(told.reading.kinds) else ():
        if PlanState.PAUSED in MOVES[PlanState][plan.state]:
            reason = f"told by text: {', '.join(sorted(HOLDS & set(told.reading.kinds))).lower()}"
            enrolment.pause(session, plan, reason, catalog=catalog, by=told.contact.name, now=now)


def _needs(session: Session, told: Told, catalog: Catalog, now: datetime) -> list[tickets.Need]:
    """The tickets that a reading deserves: the nurse's first, then the owner's, then each further team's."""
    reading, route, contact = told.reading, told.route, told.contact
    if not reading.ticket and not told.opts_out:
        return []
    again = told.asked is not None and told.asked.prompt is Prompt.FIXED  # whose it was, and nobody else's
    rows = [] if again else [catalog.rules.rows[kind] for kind in reading.kinds]
    text = _ticket_text(session, told)
    promised = answering.promised(session, told, catalog=catalog, now=now)
    return [
        tickets.Need(
            site_key=told.site.key,
            subject=f"patient:{contact.patient_id}" if contact else f"sender:{told.inbound.sender_hash}",
            role=role,
            urgency=_for_role(role, route, rows),
            kinds=reading.kinds,
            source=told.inbound.source,
            text=text,
            patient_id=contact.patient_id if contact else None,
            contact_id=contact.id if contact else None,
            plan_id=told.plan.id if told.plan else None,
            sender=None if contact else told.inbound.sender,
            target=told.target,
            promised=promised if role is route.roles[0] else None,
            not_before=_rings_until(session, told),
        )
        for role in _same_call(session, told)
        or sorted(_roles(route, rows, holds_box=_holds_box(session, told)), key=_nurse_first)
    ]


def _nurse_first(role: Role) -> bool:
    return role is not Role.NURSE


def _same_call(session: Session, told: Told) -> list[Role]:
    """Words of a call that nobody can read belong to what the call was about: whoever has that hears them."""
    call = session.get(PhoneCall, told.inbound.call_id) if told.inbound.call_id else None
    if call is None or call.inbound_id in (None, told.inbound.id) or told.reading.kinds != ("UNKNOWN",):
        return []
    first = session.get_one(Inbound, call.inbound_id)
    about = session.get(Ticket, first.ticket_id) if first.ticket_id else None
    return [about.role] if about and about.state is not TicketState.RESOLVED else []


def _rings_until(session: Session, told: Told) -> datetime | None:
    """Until when phones ring for this caller, who is on the line: pages wait so long, but for an emergency."""
    call = session.get(PhoneCall, told.inbound.call_id) if told.inbound.call_id else None
    if call is None or told.route.urgency is Urgency.EMERGENCY or call.taken_by:
        return None
    return call.rings_until


def _holds_box(session: Session, told: Told) -> bool:
    """Whether the delivery desk must hear of it too, because a box is still to come."""
    if told.plan is None or not HOLDS & set(told.reading.kinds):
        return False
    coming = (EventState.SCHEDULED, EventState.OUT_FOR_DELIVERY)
    boxes = select(CareEvent.id).where(
        CareEvent.plan_id == told.plan.id, CareEvent.kind == EventKind.DELIVERY, CareEvent.state.in_(coming)
    )
    return session.scalars(boxes).first() is not None


def _roles(route: routing.Route, rows: Sequence[triage.Row], *, holds_box: bool = False) -> list[Role]:
    """The route's teams, and each further team that some part of the text is for."""
    roles = [*route.roles, *([Role.DELIVERY] if holds_box and Role.DELIVERY not in route.roles else [])]
    for row in rows:
        small = roles[0] in ONE_TEAM_IS_ENOUGH and (row.urgency is Urgency.ROUTINE or row.code in routing.VAGUE)
        if row.role and row.opens_ticket and row.role not in roles and row.urgency is not Urgency.NONE and not small:
            roles.append(row.role)
    return roles


def _for_role(role: Role, route: routing.Route, rows: Sequence[triage.Row]) -> Urgency:
    """The owner takes the whole text's urgency; a further team that of its own part."""
    if role in route.roles:
        return route.urgency
    own = [row.urgency for row in rows if row.role is role]
    return min(own, key=lambda urgency: urgency.rank, default=route.urgency)


def _ticket_text(session: Session, told: Told) -> str:
    """What the ticket shows first: the person's words and, for what is missing, the items by the manifest."""
    text = told.inbound.body or ("(a picture)" if told.inbound.media else "(an empty text)")
    if told.contact is None:
        text += "\nUnverified sender: verify on the call, not before."
    if told.reading.like:
        text += "\nNo rule explains it; it is like replies that needed somebody:"
        text += "".join(f'\n- "{like}"' for like in told.reading.like)
    if told.contact and told.contact.sms_consent is Consent.WITHDRAWN:
        text += "\nOpted out of texts: call."
    if told.plan and told.plan.state is PlanState.PAUSED:
        text += "\nThe plan is paused: no reminders until it is resumed."
    delivery = boxes.last_delivery(session, told.plan) if told.plan else None
    if delivery is None or not boxes.ABOUT_A_BOX & set(told.reading.kinds):
        return text
    sent = boxes.manifest(delivery)
    if told.named:
        return "\n".join([text, "Missing by the delivery's list:", *supplies.said(told.named, dict(sent))])
    return "\n".join([text, "The delivery's list:", *(f"- {name}: {count}" for name, count in sent)])


def _fixed(session: Session, told: Told, *, now: datetime) -> None:
    """Whether what staff closed is fixed: the answer stands on their ticket; a NO opens one that follows it."""
    asked = told.asked
    if asked is None or asked.prompt is not Prompt.FIXED or asked.ticket_id is None or told.contact is None:
        return
    said = "it is not fixed" if told.reading.ticket else "it is fixed"
    ticket = session.get_one(Ticket, asked.ticket_id)
    journal.note(session, ticket, "ticket.noted", now=now, by=told.contact.name, detail=f"The patient says: {said}.")


def _box(session: Session, told: Told, *, catalog: Catalog, now: datetime) -> None:
    """What is missing of the last box is kept, and what was found; one that came warm shuts the way to a dose."""
    assert told.contact is not None
    by, plan = told.contact.name, told.plan
    if plan is None:
        return
    if boxes.WARM & set(told.reading.kinds):
        boxes.came_warm(session, plan, catalog=catalog, by=by, now=now)
    if told.reading is FOUND and (again := boxes.found_again(session, told.inbound.body, plan)):
        delivery, left = again
        boxes.write_missing(session, delivery, left, by=by, now=now)
        what = "\n".join(supplies.said(left, dict(boxes.manifest(delivery)))) or "nothing"
        boxes.note_on_ticket(session, plan.patient_id, f"Some of it was found. Still missing: {what}", by=by, now=now)
    elif told.named and (box := boxes.last_delivery(session, plan)):
        known = {item["name"]: item["count"] for item in box.missing or ()}
        missing = tuple((known | dict(told.named)).items())
        boxes.write_missing(session, box, missing, by=by, now=now)

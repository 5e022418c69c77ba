"""What people tell us: written down first, then read and acted on, once."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from notifier import enrolment, journal, paging_answers, sealing, tickets
from notifier.catalog import Catalog
from notifier.core import routing, triage, wording
from notifier.core.states import InboundState, MessageState, PlanState
from notifier.core.vocabulary import (
    Channel,
    Consent,
    EventKind,
    Flag,
    Intent,
    Role,
    Source,
    Therapy,
    Urgency,
    most_urgent,
)
from notifier.db import add_once
from notifier.models import CareEvent, Contact, Inbound, Message, Site, Staff, TherapyPlan, Ticket

TRIES = 2  # faults of ours in reading one text, before a nurse reads it
UNREAD = triage.Reading(("UNKNOWN",), Urgency.URGENT, Role.NURSE, ticket=True, intent=Intent.OTHER)
PROMPT_LIVES = timedelta(hours=24)
ANSWER_AGAIN = timedelta(minutes=3)  # at most one answer of a kind in this time
STILL_OPEN = {PlanState.ENDED, PlanState.DECEASED}
ONE_TEAM_IS_ENOUGH = {Role.NURSE}  # a nurse who calls sees the rest
ASKS_FOR_NURSE = {"CALL_ME", "NOT_WELL"}  # on the phone
THERAPY_FLAGS = {Therapy.CHEMOTHERAPY: Flag.CHEMO, Therapy.TPN: Flag.TPN, Therapy.INOTROPE: Flag.CRITICAL_CONTINUOUS}

# Twilio answers these itself, when they are the whole message; a second confirmation would be one too many.
TWILIO_ANSWERS = {"stop", "stopall", "unsubscribe", "end", "quit", "revoke", "optout", "cancel", "start", "unstop"}


# --- written down -------------------------------------------------------------------------------------------------


def receive(
    session: Session,
    *,
    provider_sid: str,
    source: Source,
    sender: str,
    recipient: str,
    body: str,
    received_at: datetime,
    media: int = 0,
    message_id: uuid.UUID | None = None,
) -> tuple[Inbound, bool]:
    """Store what came in. The same `provider_sid` is stored once. Returns (the row, was it new)."""
    row = Inbound(
        provider_sid=provider_sid,
        source=source,
        sender=sender,
        sender_hash=sealing.lookup(sender),
        recipient=recipient,
        body=body,
        media=media,
        received_at=received_at,
        message_id=message_id,
    )
    return add_once(session, row, Inbound.provider_sid)


def waiting(session: Session, *, limit: int = 200) -> Sequence[uuid.UUID]:
    """Ids of what nobody has read yet, the oldest first."""
    return session.scalars(
        select(Inbound.id).where(Inbound.state == InboundState.RECEIVED).order_by(Inbound.received_at).limit(limit)
    ).all()


def failed_to_read(session: Session, inbound_id: uuid.UUID) -> bool:
    """Count a fault of ours in reading it: the row stays RECEIVED and is tried again. True: we have tried enough."""
    inbound = session.get_one(Inbound, inbound_id)
    inbound.failures += 1
    return inbound.failures >= TRIES


# --- read and acted on ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Told:
    """One reading with all that it is read against."""

    inbound: Inbound
    reading: triage.Reading
    contact: Contact | None
    asked: Message | None  # the question that it answers
    site: Site
    plan: TherapyPlan | None


def attend(session: Session, inbound_id: uuid.UUID, *, catalog: Catalog, now: datetime, readable: bool = True) -> bool:
    """Read what came in and act on it, once. False: somebody did already.

    Not `readable`: our reading of it failed again and again, so a nurse reads it instead.
    """
    inbound = session.scalars(select(Inbound).where(Inbound.id == inbound_id).with_for_update()).one()
    if inbound.state is not InboundState.RECEIVED:
        return False
    site = site_of(session, inbound.recipient)
    staff = session.scalars(select(Staff).where(Staff.phone_hash == inbound.sender_hash)).one_or_none()
    contacts = _contacts(session, inbound.sender_hash)
    if staff and (not contacts or paging_answers.is_command(inbound.body)):
        inbound.staff_id = staff.id
        paging_answers.obey(session, inbound, staff, catalog=catalog, now=now)
        return _done(session, inbound, None, now=now)
    if contacts:
        told = [_read(session, inbound, contact, contact.patient.site, catalog, readable) for contact in contacts]
    else:
        told = [_read(session, inbound, None, site, catalog, readable)]
    first = min(told, key=lambda each: each.reading.urgency.rank)
    _answer(session, first, catalog=catalog, now=now)
    for each in told:
        _act(session, each, catalog=catalog, now=now)
    return _done(session, inbound, first, now=now)


def _done(session: Session, inbound: Inbound, told: _Told | None, *, now: datetime) -> bool:
    facts: dict[str, Any] = {"intent": Intent.ANSWER, "urgency": Urgency.NONE}
    if told:
        reading = told.reading
        facts = {
            "intent": reading.intent,
            "kinds": list(reading.kinds),
            "urgency": reading.urgency,
            "evidence": [{"kind": found.kind, "span": [found.start, found.end]} for found in reading.evidence],
        }
    session.flush()
    return journal.advance(session, inbound, InboundState.TRIAGED, now=now, by=journal.SYSTEM, **facts)


def site_of(session: Session, number: str) -> Site:
    """The site that owns the number which was texted; failing that the first, so that nothing is dropped."""
    sites = session.scalars(select(Site).order_by(Site.key)).all()
    owner = [site for site in sites if number in (site.sms_from, site.voice_from, site.phone)]
    return (owner or list(sites))[0]


def _contacts(session: Session, sender_hash: str) -> list[Contact]:
    """Whose phone this is: one contact for each patient that it stands for."""
    found = session.scalars(
        select(Contact)
        .where(Contact.phone_hash == sender_hash, Contact.active)
        .options(joinedload(Contact.patient))
        .order_by(Contact.created_at)
    ).all()
    return list({contact.patient_id: contact for contact in found}.values())


def _read(
    session: Session, inbound: Inbound, contact: Contact | None, site: Site, catalog: Catalog, readable: bool
) -> _Told:
    plan = _plan(session, contact.patient_id) if contact else None
    asked = _asked(session, inbound, contact)
    if not readable:
        return _Told(inbound, UNREAD, contact, asked, site, plan)
    last = _last_text(session, inbound)
    reading = triage.read(
        inbound.body,
        catalog.rules,
        prompt=asked.prompt if asked else None,
        flags=_flags(plan),
        last_outbound=last or "",
    )
    if inbound.source is Source.VOICE and ASKS_FOR_NURSE & set(reading.kinds):
        # The call has just promised a nurse within minutes.
        urgency = most_urgent(reading.urgency, Urgency.URGENT)
        reading = replace(reading, urgency=urgency, role=Role.NURSE, ticket=True)
    return _Told(inbound, reading, contact, asked, site, plan)


def _plan(session: Session, patient_id: uuid.UUID) -> TherapyPlan | None:
    """The live plan of a patient, the newest one first."""
    plans = session.scalars(
        select(TherapyPlan).where(TherapyPlan.patient_id == patient_id).order_by(TherapyPlan.created_at.desc())
    ).all()
    live = [plan for plan in plans if plan.state not in STILL_OPEN]
    return next(iter([*live, *plans]), None)


def _flags(plan: TherapyPlan | None) -> frozenset[Flag]:
    if plan is None:
        return frozenset()
    own = {Flag(flag) for flag in plan.flags}
    return frozenset(own | ({THERAPY_FLAGS[plan.therapy]} if plan.therapy in THERAPY_FLAGS else set()))


def _asked(session: Session, inbound: Inbound, contact: Contact | None) -> Message | None:
    """The question that this answers: the message it came back on, else the last one that asked, within a day."""
    if inbound.message_id:
        return session.get(Message, inbound.message_id)
    if contact is None:
        return None
    return session.scalars(
        select(Message)
        .where(
            Message.contact_id == contact.id,
            Message.prompt.is_not(None),
            Message.sent_at.is_not(None),
            Message.sent_at <= inbound.received_at + timedelta(seconds=5),
            Message.sent_at >= inbound.received_at - PROMPT_LIVES,
        )
        .order_by(Message.sent_at.desc())
        .limit(1)
    ).first()


def _last_text(session: Session, inbound: Inbound) -> str | None:
    return session.scalars(
        select(Message.body)
        .where(
            Message.to_hash == inbound.sender_hash,
            Message.channel == Channel.SMS,
            Message.due_at >= inbound.received_at - timedelta(days=7),
            Message.body.is_not(None),
        )
        .order_by(Message.due_at.desc())
        .limit(1)
    ).first()


# --- what follows ---------------------------------------------------------------------------------------------------


def _answer(session: Session, told: _Told, *, catalog: Catalog, now: datetime) -> None:
    """Plant the safe answer of the most urgent row, in the person's language. It is never held."""
    inbound, reading, contact = told.inbound, told.reading, told.contact
    if inbound.source is Source.VOICE:
        return  # the call itself has answered
    kind = next((kind for kind in reading.kinds if _row_urgency(catalog, kind, reading) is reading.urgency), "")
    kind = kind or reading.kinds[0]
    opting_out = reading.intent is Intent.OPT_OUT
    if opting_out or reading.intent is Intent.OPT_IN:
        word = inbound.body.strip().lower()
        if reading.urgency is Urgency.NONE and word in TWILIO_ANSWERS:
            return
        if reading.urgency is Urgency.NONE:
            kind = "STOP" if opting_out else "START"
    elif contact is not None and contact.sms_consent is Consent.WITHDRAWN:
        return  # the carrier would refuse it; the ticket says: call
    row = catalog.rules.rows.get(kind)
    language = contact.language if contact else told.site.languages[0]
    text = row.reply.get(language, row.reply.get("en", "")) if row else ""
    if not text:
        return
    template = f"ack.{kind}"
    if _answered_just_now(session, inbound, template, now):
        return
    values = {"text": wording.fill(text, _ack_values(told, row, language, now))}
    add_once(
        session,
        Message(
            key=f"ack:{inbound.id}",
            site_key=told.site.key,
            patient_id=contact.patient_id if contact else None,
            contact_id=contact.id if contact else None,
            inbound_id=inbound.id,
            to=inbound.sender,
            to_hash=inbound.sender_hash,
            channel=Channel.SMS,
            template=template,
            language=language,
            values=values,
            urgent=True,
            any_hour=True,
            after_opt_out=opting_out and reading.urgency is Urgency.NONE,
            due_at=now,
            not_after=now + timedelta(minutes=30 if reading.urgency.is_red else 120),
            created_at=now,
        ),
        Message.key,
    )


def _row_urgency(catalog: Catalog, kind: str, reading: triage.Reading) -> Urgency:
    row = catalog.rules.rows.get(kind)
    return row.urgency if row else reading.urgency


def _ack_values(told: _Told, row: triage.Row | None, language: str, now: datetime) -> dict[str, str]:
    """The variables of an answer: who we are, whom to call, and by when a person calls, as the hour allows."""
    zone = told.contact.patient.timezone if told.contact else told.site.timezone
    evening = now.astimezone(ZoneInfo(zone)).time() >= time(18)
    today = {"en": ("today", "by 10 AM"), "es": ("hoy", "mañana antes de las 10")}.get(language, ("today", "by 10 AM"))
    minutes = row.promise if row and row.promise else 15
    return {
        "brand": told.site.brand,
        "phone": wording.written_phone(told.site.phone),
        "minutes": str(minutes),
        "today": today[evening],
    }


def _answered_just_now(session: Session, inbound: Inbound, template: str, now: datetime) -> bool:
    return (
        session.scalars(
            select(Message.id).where(
                Message.to_hash == inbound.sender_hash,
                Message.template == template,
                Message.created_at > now - ANSWER_AGAIN,
                Message.state != MessageState.FAILED,
            )
        ).first()
        is not None
    )


def _act(session: Session, told: _Told, *, catalog: Catalog, now: datetime) -> None:
    """Consent, the question answered, the tickets: in this order."""
    inbound, reading, contact = told.inbound, told.reading, told.contact
    if contact is not None:
        inbound.contact_id = inbound.contact_id or contact.id
        inbound.patient_id = inbound.patient_id or contact.patient_id
        _consent(session, told, catalog=catalog, now=now)
        if told.asked is not None:
            enrolment.answer(session, told.asked, reading.kinds, by=contact.name, catalog=catalog, now=now)
    for need in _needs(session, told, catalog, now):
        ticket, _ = tickets.open_or_append(session, need, catalog=catalog, now=now)
        inbound.ticket_id = inbound.ticket_id or ticket.id
        _link_answer(session, inbound, ticket)


def _link_answer(session: Session, inbound: Inbound, ticket: Ticket) -> None:
    answer = session.scalars(select(Message).where(Message.key == f"ack:{inbound.id}")).one_or_none()
    if answer is not None and answer.ticket_id is None:
        answer.ticket_id = ticket.id


def _consent(session: Session, told: _Told, *, catalog: Catalog, now: datetime) -> None:
    contact, intent = told.contact, told.reading.intent
    assert contact is not None
    wants_out = intent is Intent.OPT_OUT or "STOP" in told.reading.kinds
    wants_in = intent is Intent.OPT_IN and contact.sms_consent is Consent.WITHDRAWN
    if not (wants_out or wants_in):
        return
    consent = Consent.WITHDRAWN if wants_out else Consent.GIVEN
    source = "phone keypad" if told.inbound.source is Source.VOICE else "text message"
    by_phone = told.inbound.source is Source.VOICE
    channels = (Channel.VOICE,) if by_phone else (Channel.SMS, Channel.VOICE) if wants_out else (Channel.SMS,)
    for channel in channels:
        enrolment.record_consent(session, contact, channel, consent, source, by=contact.name, now=now)
    for plan in contact.patient.plans:
        enrolment.replan(session, plan, catalog=catalog, now=now)


def _needs(session: Session, told: _Told, catalog: Catalog, now: datetime) -> list[tickets.Need]:
    """The tickets that a reading deserves: the owner's first, then each further team's."""
    reading, contact, plan = told.reading, told.contact, told.plan
    opted_out = reading.intent is Intent.OPT_OUT and reading.urgency is Urgency.NONE
    if not reading.ticket and not opted_out:
        return []
    rows = [catalog.rules.rows[kind] for kind in reading.kinds if kind in catalog.rules.rows]
    symptoms = frozenset(code for code, row in catalog.rules.rows.items() if row.role is Role.NURSE and row.ticket)
    ends = datetime.combine(plan.ends_on, time(23, 59), ZoneInfo(contact.patient.timezone)) if plan and contact else now
    route = routing.route(
        reading.kinds,
        Urgency.ROUTINE if opted_out else reading.urgency,
        reading.role,
        symptoms,
        first_dose_at=_first_dose_done(session, plan),
        next_dose_at=routing.next_dose(plan.first_dose_at, plan.doses_per_day, ends, now) if plan else None,
        now=now,
    )
    roles = _roles(route, rows)
    targets = [timedelta(minutes=row.minutes) for row in rows if row.minutes and row.urgency is reading.urgency]
    return [
        tickets.Need(
            site_key=told.site.key,
            subject=f"patient:{contact.patient_id}" if contact else f"sender:{told.inbound.sender_hash}",
            role=role,
            urgency=_for_role(role, route, rows),
            kinds=reading.kinds,
            source=told.inbound.source,
            text=_ticket_text(session, told),
            patient_id=contact.patient_id if contact else None,
            contact_id=contact.id if contact else None,
            plan_id=plan.id if plan else None,
            sender=None if contact else told.inbound.sender,
            target=min(targets, default=None) if route.urgency is reading.urgency else None,
        )
        for role in roles
    ]


def _roles(route: routing.Route, rows: Sequence[triage.Row]) -> list[Role]:
    """The route's teams, and each further team that some part of the text is for."""
    roles = list(route.roles)
    for row in rows:
        small = roles[0] in ONE_TEAM_IS_ENOUGH and row.urgency is Urgency.ROUTINE
        if row.role and row.opens_ticket and row.role not in roles and row.urgency is not Urgency.NONE and not small:
            roles.append(row.role)
    return roles


def _for_role(role: Role, route: routing.Route, rows: Sequence[triage.Row]) -> Urgency:
    """The owner takes the whole text's urgency; a further team that of its own part."""
    if role in route.roles:
        return route.urgency
    own = [row.urgency for row in rows if row.role is role]
    return min(own, key=lambda urgency: urgency.rank, default=route.urgency)


def _first_dose_done(session: Session, plan: TherapyPlan | None) -> datetime | None:
    if plan is None:
        return None
    event = session.scalars(
        select(CareEvent)
        .where(CareEvent.plan_id == plan.id, CareEvent.kind == EventKind.FIRST_DOSE)
        .order_by(CareEvent.starts_at)
        .limit(1)
    ).first()
    return (event.done_at or event.starts_at) if event else plan.first_dose_at


def _ticket_text(session: Session, told: _Told) -> str:
    """What the ticket shows first: the person's words and, for what is missing, the items by the manifest."""
    text = told.inbound.body or ("(a picture)" if told.inbound.media else "(an empty text)")
    delivery = last_delivery(session, told.plan) if told.plan else None
    if delivery is None or not {"MISSING", "MISSING_MED", "DAMAGED", "WRONG_ITEM"} & set(told.reading.kinds):
        return text
    manifest = [(item["name"], int(item["quantity"])) for item in delivery.items]
    named = triage.missing_items(told.inbound.body, manifest)
    lines = [f"- {name}: {'?' if count is None else count} of {dict(manifest).get(name, '?')}" for name, count in named]
    if lines:
        return "\n".join([text, "Missing by the delivery's list:", *lines])
    return "\n".join([text, "The delivery's list:", *(f"- {name}: {count}" for name, count in manifest)])


def last_delivery(session: Session, plan: TherapyPlan) -> CareEvent | None:
    """The delivery that a patient speaks about: the last one that came, else the next."""
    found = session.scalars(
        select(CareEvent).where(CareEvent.plan_id == plan.id, CareEvent.kind == EventKind.DELIVERY)
    ).all()
    came = [event for event in found if event.done_at or event.out_at]
    if came:
        return max(came, key=lambda event: event.done_at or event.out_at or event.starts_at)
    return min(found, key=lambda event: event.starts_at, default=None)

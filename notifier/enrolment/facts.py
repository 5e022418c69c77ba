"""All that decides what a plan's people are told, read for many plans at once and made into values."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from notifier.core import routing
from notifier.core.gate import AHEAD
from notifier.core.journey import EventFacts, PlanFacts, Recipient
from notifier.core.moments import event_root
from notifier.core.states import EventState, MessageState
from notifier.core.vocabulary import Channel, Consent, EventKind, Flag, Topic
from notifier.models import CareEvent, Contact, Message, Patient, TherapyPlan

LATELY = timedelta(days=8)  # so far back what was said counts: a week's care texts, a question still open
LEFT = (MessageState.SENDING, MessageState.UNCERTAIN, MessageState.SENT, MessageState.DELIVERED)

zone = lru_cache(maxsize=1000)(ZoneInfo)


class _Said(NamedTuple):
    """What the plan said already, or is about to."""

    contact_id: uuid.UUID
    key: str
    step: str
    event_id: uuid.UUID | None
    question: str | None
    due_at: datetime
    answered: bool
    left: bool


def facts_of(session: Session, plan: TherapyPlan, *, now: datetime) -> PlanFacts:
    """One plan's facts."""
    return facts_of_all(session, [plan], now=now)[plan.id]


def facts_of_all(session: Session, plans: Sequence[TherapyPlan], *, now: datetime) -> dict[uuid.UUID, PlanFacts]:
    """The facts of each plan, by its id: three questions to the ledger, however many plans."""
    ids = [plan.id for plan in plans]
    events: dict[uuid.UUID, list[CareEvent]] = defaultdict(list)
    for event in session.scalars(select(CareEvent).where(CareEvent.plan_id.in_(ids))):
        events[event.plan_id].append(event)
    ahead = [event.id for each in events.values() for event in each if event.state in (*AHEAD, EventState.CANCELLED)]
    said = _said(session, ids, ahead, now)
    places = places_on_phones(session, [plan.patient for plan in plans])
    return {plan.id: _facts(plan, events[plan.id], said[plan.id], places) for plan in plans}


def _said(
    session: Session, plans: Sequence[uuid.UUID], ahead: Sequence[uuid.UUID], now: datetime
) -> dict[uuid.UUID, list[_Said]]:
    lately = Message.due_at >= now - LATELY
    rows = session.execute(
        select(
            Message.plan_id,
            Message.contact_id,
            Message.key,
            Message.step,
            Message.event_id,
            Message.question,
            Message.due_at,
            Message.answered_at,
            Message.state,
            Message.sent_at,
        ).where(
            Message.plan_id.in_(plans),
            Message.step.is_not(None),
            Message.state != MessageState.CANCELLED,
            or_(lately, Message.event_id.in_(ahead)) if ahead else lately,
        )
    )
    found: dict[uuid.UUID, list[_Said]] = defaultdict(list)
    for plan, contact, key, step, event, question, due, answered, state, sent in rows:
        if plan and contact and step:
            left = state in LEFT or sent is not None
            found[plan].append(_Said(contact, key, step, event, question, due, answered is not None, left))
    return found


def _facts(
    plan: TherapyPlan, events: Iterable[CareEvent], said: Sequence[_Said], places: Mapping[uuid.UUID, int]
) -> PlanFacts:
    patient = plan.patient
    roots: dict[uuid.UUID, set[str]] = defaultdict(set)
    for each in said:
        if each.event_id and each.left and each.key.startswith("event:"):
            roots[each.event_id].add(each.key)
    events = list(events)
    return PlanFacts(
        id=plan.id,
        state=plan.state,
        therapy=plan.therapy,
        storage=plan.storage,
        first_dose_at=plan.first_dose_at,
        ends_on=plan.ends_on,
        zone=zone(patient.timezone),
        recipients=tuple(
            recipient(contact, patient, places.get(contact.id, 0)) for contact in patient.contacts if contact.active
        ),
        events=tuple(_event_facts(event, roots[event.id]) for event in events),
        line=plan.line,
        administration=plan.administration,
        doses_per_day=plan.doses_per_day,
        flags=frozenset(Flag(flag) for flag in plan.flags),
        reminders=tuple(time.fromisoformat(text) for text in plan.reminders),
        reminders_zone=zone(plan.reminders_zone) if plan.reminders_zone else None,
        infusion_minutes=plan.infusion_minutes,
        verified_at=plan.verified_at,
        supplies_ready_at=plan.supplies_ready_at,
        changed_at=plan.changed_at,
        paused_at=None if plan.paused_until else plan.paused_at,  # it comes back by itself
        ended_at=plan.ended_at,
        cover_ends_on=plan.cover_ends_on,
        run_out_at=run_out(plan, events),
        prescriber=plan.prescriber is not None,
        quiet=patient.site.quiet_hours,
        asked=frozenset(each.question for each in said if each.question),
        answered=frozenset(each.question for each in said if each.question and each.answered),
        history=tuple((each.key, each.contact_id, each.due_at, each.step) for each in said if each.left),
    )


def run_out(plan: TherapyPlan, events: Iterable[CareEvent]) -> datetime | None:
    """The first dose that can no longer be given by the last count; None: never counted, or a box came since."""
    if plan.doses_left is None or plan.counted_at is None:
        return None
    counted = plan.counted_at
    if any(e.kind is EventKind.DELIVERY and e.done_at and e.done_at > counted for e in events):
        return None
    following = routing.dose_after(plan.first_dose_at, plan.doses_per_day, counted)
    return following + plan.doses_left * timedelta(hours=24 / plan.doses_per_day)


def recipient(contact: Contact, patient: Patient, place: int = 0) -> Recipient:
    """A person whom we may tell, as a value."""
    return Recipient(
        contact_id=contact.id,
        language=contact.language,
        channel=contact.channel,
        zone=zone(patient.timezone),
        consented=contact.consent(contact.channel) is Consent.GIVEN,
        topics=frozenset(Topic(topic) for topic in contact.receives),
        is_patient=contact.is_patient,
        may_call=contact.consent(Channel.VOICE) is Consent.GIVEN,
        place=place,
    )


def places_on_phones(session: Session, patients: Iterable[Patient]) -> dict[uuid.UUID, int]:
    """Which of several patients a contact stands for, by its id: 1, 2 ... in the order of their coming to the phone."""
    hashes = {contact.phone_hash for patient in patients for contact in patient.contacts if contact.active}
    rows = session.execute(
        select(Contact.phone_hash, Contact.id, Contact.patient_id)
        .where(Contact.phone_hash.in_(hashes), Contact.active)
        .order_by(Contact.created_at, Contact.id)
    ).all()
    sharing: dict[str, dict[uuid.UUID, uuid.UUID]] = defaultdict(dict)
    for phone, contact_id, patient_id in rows:
        sharing[phone][patient_id] = contact_id
    return {
        contact_id: place
        for contacts in sharing.values()
        if len(contacts) > 1
        for place, contact_id in enumerate(contacts.values(), start=1)
    }


def _event_facts(event: CareEvent, keys: set[str]) -> EventFacts:
    facts = EventFacts(
        id=event.id,
        kind=event.kind,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        state=event.state,
        booked_at=event.booked_at,
        out_at=event.out_at,
        done_at=event.done_at,
        cold_ok=event.cold_ok,
        cold_at=event.cold_at,
        over_at=event.over_at,
        moves=event.moves,
    )
    if not keys:
        return facts
    present = sum(key.startswith(event_root(facts)) for key in keys)
    return replace(facts, told=present < len(keys), announced=present > 0)

"""What should stand against what stands: messages are planted, moved, cancelled and brought back, each once."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from notifier import journal
from notifier.catalog import Catalog
from notifier.core import planning
from notifier.core.journey import Draft, EventFacts, PlanFacts, Recipient
from notifier.core.states import MessageState
from notifier.core.vocabulary import Consent, Prompt, Topic
from notifier.models import CareEvent, Contact, Message, Patient, TherapyPlan

FALLBACK = "fallback:"  # the calls that took a failed text's place: nobody's plan, but silenced with it


def facts_of(session: Session, plan: TherapyPlan) -> PlanFacts:
    """All that decides what a plan's people are told, as a value."""
    patient = plan.patient
    events = session.scalars(select(CareEvent).where(CareEvent.plan_id == plan.id)).all()
    answered: dict[uuid.UUID | None, set[Prompt]] = {}
    for event_id, prompt in session.execute(
        select(Message.event_id, Message.prompt).where(
            Message.plan_id == plan.id, Message.answered_at.is_not(None), Message.prompt.is_not(None)
        )
    ):
        if prompt:
            answered.setdefault(event_id, set()).add(prompt)
    return PlanFacts(
        id=plan.id,
        state=plan.state,
        therapy=plan.therapy,
        storage=plan.storage,
        first_dose_at=plan.first_dose_at,
        ends_on=plan.ends_on,
        zone=ZoneInfo(patient.timezone),
        recipients=tuple(recipient(contact, patient) for contact in patient.contacts if contact.active),
        events=tuple(_event_facts(event, frozenset(answered.get(event.id, ()))) for event in events),
        reminders=tuple(time.fromisoformat(text) for text in plan.reminders),
        infusion_minutes=plan.infusion_minutes,
        verified_at=plan.verified_at,
        quiet=patient.site.quiet_hours,
    )


def recipient(contact: Contact, patient: Patient) -> Recipient:
    """A person whom we may tell, as a value."""
    return Recipient(
        contact_id=contact.id,
        language=contact.language,
        channel=contact.channel,
        zone=ZoneInfo(patient.timezone),
        consented=contact.consent(contact.channel) is Consent.GIVEN,
        topics=frozenset(Topic(topic) for topic in contact.receives),
        is_patient=contact.is_patient,
    )


def _event_facts(event: CareEvent, answered: frozenset[Prompt]) -> EventFacts:
    return EventFacts(
        id=event.id,
        kind=event.kind,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        state=event.state,
        booked_at=event.booked_at,
        out_at=event.out_at,
        done_at=event.done_at,
        cold_ok=event.cold_ok,
        answered=answered,
    )


def replan(session: Session, plan: TherapyPlan, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM) -> None:
    """Make the plan's unsent messages and its state agree with the facts. What has left is never touched."""
    if plan.verified_at is None:
        return  # nothing was ever planned
    session.flush()
    # One at a time for each plan, or two would plant the same message.
    session.execute(select(TherapyPlan.id).where(TherapyPlan.id == plan.id).with_for_update())
    facts = facts_of(session, plan)
    reached = planning.journey_state(facts, catalog.journeys, now)
    if reached is not facts.state:
        journal.advance(session, plan, reached, now=now, by=by)
    drafts = planning.plan(facts, catalog.journeys, now)
    standing = select(Message).where(
        Message.plan_id == plan.id, Message.step.is_not(None), Message.state == MessageState.PLANNED
    )
    rows = session.scalars(standing).all()
    if plan.state not in planning.SILENT:
        rows = [row for row in rows if not row.key.startswith(FALLBACK)]

    def why(row: Message) -> str:
        return planning.unwanted_because(facts, row.contact_id, row.event_id)

    told = _settle(session, drafts, rows, plan.patient, plan.id, why, by=by, now=now)
    if told:
        journal.note(session, plan, "therapy_plan.replanned", now=now, by=by, detail=told)


def welcome(session: Session, patient: Patient, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM) -> None:
    """The text that follows each person's consent (M01), unless it went out before we knew the patient."""
    session.flush()
    people = [] if patient.welcomed else [recipient(contact, patient) for contact in patient.contacts if contact.active]
    quiet = patient.site.quiet_hours
    standing = {
        row.key: row
        for row in session.scalars(
            select(Message).where(
                Message.patient_id == patient.id,
                Message.step == catalog.journeys.welcome.key,
                Message.state == MessageState.PLANNED,
            )
        )
    }
    drafts = [draft for person in people if (draft := planning.welcome(person, now, catalog.journeys, quiet))]
    drafts = [  # one that stands keeps its hour, whatever else changed since
        replace(draft, due_at=row.due_at, not_after=row.not_after) if (row := standing.get(draft.key)) else draft
        for draft in drafts
    ]
    _settle(session, drafts, list(standing.values()), patient, None, _no_welcome, by=by, now=now)


def _no_welcome(_row: Message) -> str:
    return "no consent, or welcomed before"


# --- the difference -----------------------------------------------------------------------------------------------


def _settle(
    session: Session,
    drafts: Sequence[Draft],
    planned: Sequence[Message],
    patient: Patient,
    plan_id: uuid.UUID | None,
    why: Callable[[Message], str],
    *,
    by: str,
    now: datetime,
) -> str:
    """Make what is planned agree with the drafts, by key. Returns what was done, in words; "" for nothing.

    A draft whose moment is past is never planted or brought back: only what stands already may still leave.
    """
    contacts = {contact.id: contact for contact in patient.contacts}
    wanted = {draft.key: draft for draft in drafts}
    standing = {row.key: row for row in planned}
    done = {"planned": 0, "changed": 0, "cancelled": 0, "brought back": 0}
    for key, row in standing.items():
        if row.not_after <= now:
            continue  # too late to change anything: it expires
        if key not in wanted:
            done["cancelled"] += journal.advance(session, row, MessageState.CANCELLED, now=now, by=by, why=why(row))
        else:
            done["changed"] += _mend(session, row, wanted[key], contacts[wanted[key].contact_id], now)
    fresh = [draft for key, draft in wanted.items() if key not in standing and draft.due_at >= now]
    known = _known(session, [draft.key for draft in fresh])
    births = []
    for draft in fresh:
        contact = contacts[draft.contact_id]
        if draft.key not in known:
            births.append(_columns(draft, contact) | _roots(draft, patient, plan_id, now))
        elif known[draft.key] is MessageState.CANCELLED:
            row = session.scalars(select(Message).where(Message.key == draft.key)).one()
            done["brought back"] += journal.advance(
                session, row, MessageState.PLANNED, now=now, by=by, **_columns(draft, contact)
            )
    if births:
        # One statement for all, whether or not a row has a prompt or an event.
        session.execute(insert(Message), births, execution_options={"render_nulls": True})
        done["planned"] = len(births)
    return ", ".join(f"{count} {what}" for what, count in done.items() if count)


def _known(session: Session, keys: Sequence[str]) -> dict[str, MessageState]:
    """How the messages with these keys stand, of those that there are."""
    if not keys:
        return {}
    rows = session.execute(select(Message.key, Message.state).where(Message.key.in_(keys)))
    return dict(rows.all())


def _mend(session: Session, row: Message, draft: Draft, contact: Contact, now: datetime) -> bool:
    """Bring a planned message to its draft; its hour only while it has not come, and was not put off by a retry."""
    facts = _columns(draft, contact)
    if row.attempts or draft.due_at < now:
        del facts["due_at"]
    changed = {name: value for name, value in facts.items() if getattr(row, name) != value}
    if not changed:
        return False
    session.execute(
        update(Message)
        .where(Message.id == row.id, Message.state == MessageState.PLANNED)
        .values(**changed)
        .execution_options(synchronize_session=False)
    )
    session.refresh(row)
    return True


def _columns(draft: Draft, contact: Contact) -> dict[str, Any]:
    """What may change about a message while it has not left."""
    return {
        "to": contact.phone,
        "to_hash": contact.phone_hash,
        "channel": draft.channel,
        "template": draft.template,
        "language": draft.language,
        "values": draft.values,
        "prompt": draft.prompt,
        "matters": draft.matters,
        "urgent": draft.urgent,
        "any_hour": draft.any_hour,
        "due_at": draft.due_at,
        "not_after": draft.not_after,
    }


def _roots(draft: Draft, patient: Patient, plan_id: uuid.UUID | None, now: datetime) -> dict[str, Any]:
    """What never changes about a message: why it exists."""
    return {
        "key": draft.key,
        "step": draft.step,
        "site_key": patient.site_key,
        "patient_id": patient.id,
        "plan_id": plan_id,
        "event_id": draft.event_id,
        "contact_id": draft.contact_id,
        "created_at": now,
    }

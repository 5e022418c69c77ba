"""What reports count: tickets, messages, pages and teaching of a period, as bare values without anybody's words."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Text, and_, case, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from notifier.core.states import EventState, MessageState, PlanState
from notifier.core.vocabulary import Channel, EventKind, Prompt, Role, Urgency
from notifier.models import CareEvent, Message, Staff, TherapyPlan, Ticket
from notifier.queries.scope import Sites, at

UNDER_CARE = [state for state in PlanState if state not in (PlanState.ENDED, PlanState.DECEASED)]


class TicketFacts(NamedTuple):
    """One ticket's times, all of one kind: with a zone, or all without one."""

    urgency: Urgency
    role: Role
    kinds: Sequence[str]
    opened_at: datetime
    acknowledged_at: datetime | None
    contacted_at: datetime | None
    resolved_at: datetime | None
    respond_by: datetime


def ticket_facts(session: Session, sites: Sites, start: datetime, end: datetime) -> list[TicketFacts]:
    """Every ticket opened between two instants."""
    # Bare columns, and each list of kinds read once: at tens of thousands of rows every conversion costs.
    times = [
        type_coerce(column, DateTime(timezone=True))
        for column in (
            Ticket.opened_at,
            Ticket.acknowledged_at,
            Ticket.contacted_at,
            Ticket.resolved_at,
            Ticket.respond_by,
        )
    ]
    found = select(Ticket.urgency, Ticket.role, cast(Ticket.kinds, Text), *times).where(
        Ticket.opened_at >= start, Ticket.opened_at < end, *at(Ticket.site_key, sites)
    )
    kinds_of = cache(json.loads)
    return [TicketFacts(urgency, role, kinds_of(kinds), *at) for urgency, role, kinds, *at in session.execute(found)]


class MessageCount(NamedTuple):
    """How many messages to patients went the same way."""

    state: MessageState
    channel: Channel
    prompt: Prompt | None
    answered: bool
    many: int
    segments: int


def message_counts(session: Session, sites: Sites, start: datetime, end: datetime) -> list[MessageCount]:
    """Messages to patients and their helpers due between two instants, counted."""
    answered = case((Message.answered_at.is_not(None), 1), else_=0)
    group = (Message.state, Message.channel, Message.prompt, answered)
    found = (
        select(*group, func.count(), func.coalesce(func.sum(Message.segments), 0))
        .where(
            Message.due_at >= start,
            Message.due_at < end,
            Message.staff_id.is_(None),
            *at(Message.site_key, sites),
        )
        .group_by(*group)
    )
    return [
        MessageCount(state, channel, prompt, bool(was), count, int(segments))
        for state, channel, prompt, was, count, segments in session.execute(found)
    ]


def pages(session: Session, sites: Sites, start: datetime, end: datetime) -> list[tuple[UUID, datetime]]:
    """Who was paged when."""
    found = select(Message.staff_id, Message.due_at).where(
        Message.due_at >= start,
        Message.due_at < end,
        Message.staff_id.is_not(None),
        Message.template.in_(("page", "page.several")),
        Message.state.in_((MessageState.SENT, MessageState.DELIVERED)),
        *at(Message.site_key, sites),
    )
    return [(staff_id, due_at) for staff_id, due_at in session.execute(found) if staff_id]


def names(session: Session, ids: set[UUID]) -> dict[UUID, str]:
    """Staff by id."""
    return {row.id: row.name for row in session.scalars(select(Staff).where(Staff.id.in_(ids)))} if ids else {}


class EventCount(NamedTuple):
    """How many deliveries, teachings or doses went the same way."""

    kind: EventKind
    state: EventState
    answered: bool  # the patient said that all is there, or that the time suits
    many: int


def event_counts(session: Session, sites: Sites, start: datetime, end: datetime) -> list[EventCount]:
    """The dated things between two instants, counted."""
    said = case((CareEvent.received_at.is_not(None), 1), (CareEvent.confirmed_at.is_not(None), 1), else_=0)
    found = (
        select(CareEvent.kind, CareEvent.state, said, func.count())
        .where(CareEvent.starts_at >= start, CareEvent.starts_at < end)
        .group_by(CareEvent.kind, CareEvent.state, said)
    )
    if sites:  # each belongs to a plan: who sees every site need not be shown which
        found = found.join(TherapyPlan, TherapyPlan.id == CareEvent.plan_id).where(*at(TherapyPlan.site_key, sites))
    return [EventCount(kind, state, bool(was), count) for kind, state, was, count in session.execute(found)]


def taught_in_time(session: Session, sites: Sites, start: datetime, end: datetime) -> tuple[int, int]:
    """Of the first doses given between two instants: (those taught before, all)."""
    teaching = (
        select(CareEvent.plan_id, func.min(CareEvent.done_at).label("taught_at"))
        .where(CareEvent.kind == EventKind.EDUCATION, CareEvent.state == EventState.DONE)
        .group_by(CareEvent.plan_id)
        .subquery()
    )
    dose: Any = and_(CareEvent.kind == EventKind.FIRST_DOSE, CareEvent.state == EventState.DONE)
    in_time = case((teaching.c.taught_at <= CareEvent.done_at, 1), else_=0)
    found = (
        select(func.coalesce(func.sum(in_time), 0), func.count())
        .select_from(CareEvent)
        .join(TherapyPlan, TherapyPlan.id == CareEvent.plan_id)
        .outerjoin(teaching, teaching.c.plan_id == CareEvent.plan_id)
        .where(dose, CareEvent.done_at >= start, CareEvent.done_at < end, *at(TherapyPlan.site_key, sites))
    )
    taught, doses = session.execute(found).one()
    return int(taught), int(doses)


def patients_served(session: Session, sites: Sites) -> int:
    """How many patients have a plan that is not over."""
    found = select(func.count(func.distinct(TherapyPlan.patient_id))).where(
        TherapyPlan.state.in_(UNDER_CARE), *at(TherapyPlan.site_key, sites)
    )
    return session.scalar(found) or 0

"""What should stand against what stands: messages are planted, moved, cancelled and brought back, each once."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from notifier import journal
from notifier.catalog import Catalog
from notifier.core import planning
from notifier.core.journey import Draft, Layout, PlanFacts
from notifier.core.journey import Watch as Alarm
from notifier.core.states import MessageState, PlanState, WatchState
from notifier.db import insert_many
from notifier.enrolment.facts import facts_of_all, places_on_phones, recipient
from notifier.models import Contact, Message, Patient, TherapyPlan, Watch

PEOPLE = (selectinload(TherapyPlan.patient).selectinload(Patient.contacts),)  # whom many plans need, read at once
LATER = "plans that wait to be replanned"  # in a session's own notes
FALLBACK = "fallback:"  # the calls that took a failed text's place: nobody's plan, but silenced with it


def replan(session: Session, plan: TherapyPlan, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM) -> None:
    """Make the plan's unsent messages, its watches and its state agree with the facts. What has left stays."""
    replan_all(session, [plan], catalog=catalog, now=now, by=by)


def replan_all(
    session: Session, plans: Sequence[TherapyPlan], *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM
) -> None:
    """The same for many plans, with the ledger asked once for all of them."""
    waiting = session.info.get(LATER)
    if waiting is not None:
        waiting |= {plan.id: plan for plan in plans}
        return
    if not plans:
        return
    session.flush()
    ids = [plan.id for plan in plans]
    # One at a time for each plan, or two would plant the same message.
    session.execute(select(TherapyPlan.id).where(TherapyPlan.id.in_(ids)).order_by(TherapyPlan.id).with_for_update())
    standing = _standing(session, ids)
    alarms = _waiting(session, ids)
    settling = _Settling(session, by, now)
    facts_by_plan = facts_of_all(session, plans, now=now)
    for plan in plans:
        facts = facts_by_plan[plan.id]
        layout = _laid_out(session, plan, facts, catalog, now=now, by=by)
        rows = standing[plan.id]
        if plan.state not in planning.SILENT:
            rows = [row for row in rows if not row.key.startswith(FALLBACK)]
        settling.messages(layout.messages, layout.left_out, rows, plan.patient, plan, facts)
        settling.watches(layout.watches, alarms[plan.id], plan)
    settling.finish()


@contextmanager
def together(
    session: Session, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM
) -> Iterator[dict[uuid.UUID, TherapyPlan]]:
    """Within it plans wait to be replanned, in what it gives; at its end all of them are, once and together."""
    waiting: dict[uuid.UUID, TherapyPlan] = {}
    session.info[LATER] = waiting
    try:
        yield waiting
    finally:
        del session.info[LATER]
    replan_all(session, list(waiting.values()), catalog=catalog, now=now, by=by)


def _laid_out(
    session: Session, plan: TherapyPlan, facts: PlanFacts, catalog: Catalog, *, now: datetime, by: str
) -> Layout:
    """What the plan's facts ask for, and its state where they say."""
    reached = planning.journey_state(facts, catalog.journeys, now)
    if reached is not facts.state:
        over: dict[str, Any] = {"ended_at": now} if reached is PlanState.ENDED else {}
        journal.advance(session, plan, reached, now=now, by=by, **over)
        facts = replace(facts, state=reached, ended_at=plan.ended_at)
    return planning.lay_out(facts, catalog.journeys, now)


def _standing(session: Session, plans: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Message]]:
    found: dict[uuid.UUID, list[Message]] = defaultdict(list)
    wanted = select(Message).where(
        Message.plan_id.in_(plans), Message.step.is_not(None), Message.state == MessageState.PLANNED
    )
    for row in session.scalars(wanted):
        found[row.plan_id or uuid.UUID(int=0)].append(row)
    return found


def _waiting(session: Session, plans: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Watch]]:
    found: dict[uuid.UUID, list[Watch]] = defaultdict(list)
    for row in session.scalars(select(Watch).where(Watch.plan_id.in_(plans), Watch.state == WatchState.WAITING)):
        found[row.plan_id].append(row)
    return found


def welcome(session: Session, patient: Patient, *, catalog: Catalog, now: datetime, by: str = journal.SYSTEM) -> None:
    """The text that follows each person's consent (M01), unless it went out before we knew the patient."""
    session.flush()
    places = places_on_phones(session, [patient])
    people = [
        recipient(contact, patient, places.get(contact.id, 0))
        for contact in ([] if patient.welcomed else patient.contacts)
        if contact.active
    ]
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
    settling = _Settling(session, by, now)
    settling.messages(drafts, (), list(standing.values()), patient, None, None)
    settling.finish()


# --- the difference -----------------------------------------------------------------------------------------------


@dataclass
class _Birth:
    """A message to be planted, or one that was cancelled and is wanted again."""

    draft: Draft
    contact: Contact
    patient: Patient
    plan: TherapyPlan | None


class _Settling:
    """Makes what is planned agree with what is wanted, by key; what is new is written together at the end.

    A draft whose moment is past is never planted or brought back: only what stands already may still leave.
    """

    def __init__(self, session: Session, by: str, now: datetime) -> None:
        self.session, self.by, self.now = session, by, now
        self.births: list[_Birth] = []
        self.alarms: list[tuple[Alarm, TherapyPlan]] = []
        self.done: dict[uuid.UUID, Counter[str]] = defaultdict(Counter)
        self.plans: dict[uuid.UUID, TherapyPlan] = {}

    def messages(
        self,
        drafts: Iterable[Draft],
        left_out: Iterable[Draft],
        planned: Sequence[Message],
        patient: Patient,
        plan: TherapyPlan | None,
        facts: PlanFacts | None,
    ) -> None:
        contacts = {contact.id: contact for contact in patient.contacts}
        wanted = {draft.key: draft for draft in drafts}
        dropped = {draft.key: draft for draft in left_out}
        standing = {row.key: row for row in planned}
        done = self.done[plan.id] if plan else Counter[str]()
        if plan:
            self.plans[plan.id] = plan
        for key, row in standing.items():
            if row.not_after <= self.now:
                continue  # too late to change anything: it expires
            if key in wanted:
                done["changed"] += _mend(self.session, row, wanted[key], contacts[wanted[key].contact_id], self.now)
            else:
                done["cancelled"] += self._cancel(row, dropped[key].left_out if key in dropped else _why(row, facts))
        self.births += [
            _Birth(draft, contacts[draft.contact_id], patient, plan)
            for draft in (*wanted.values(), *dropped.values())
            if draft.key not in standing and draft.due_at >= self.now
        ]

    def _cancel(self, row: Message, why: str) -> bool:
        return journal.advance(self.session, row, MessageState.CANCELLED, now=self.now, by=self.by, why=why)

    def watches(self, wanted: Iterable[Alarm], waiting: Sequence[Watch], plan: TherapyPlan) -> None:
        alarms = {alarm.key: alarm for alarm in wanted}
        for row in waiting:
            alarm = alarms.pop(row.key, None)
            if alarm is None:
                journal.advance(self.session, row, WatchState.SETTLED, now=self.now, by=self.by)
            elif row.due_at != alarm.due_at:
                row.due_at = alarm.due_at
        self.alarms += [(alarm, plan) for alarm in alarms.values()]

    def finish(self) -> None:
        """Write down what is new, and what was done to each plan."""
        self._plant()
        self._watch()
        for plan_id, done in self.done.items():
            if told := ", ".join(f"{count} {what}" for what, count in done.items() if count):
                plan = self.plans[plan_id]
                journal.note(self.session, plan, "therapy_plan.replanned", now=self.now, by=self.by, detail=told)

    def _plant(self) -> None:
        known = _known(self.session, self.births)
        rows = []
        for birth in self.births:
            draft, done = birth.draft, self.done[birth.plan.id] if birth.plan else Counter[str]()
            if draft.key not in known:
                rows.append(_columns(draft, birth.contact) | _roots(birth, self.now))
                done["left out" if draft.left_out else "planned"] += 1
            elif known[draft.key] is MessageState.CANCELLED and not draft.left_out:
                row = self.session.scalars(select(Message).where(Message.key == draft.key)).one()
                columns = _columns(draft, birth.contact)
                done["brought back"] += journal.advance(
                    self.session, row, MessageState.PLANNED, now=self.now, by=self.by, **columns
                )
        if rows:
            insert_many(self.session, Message, rows)

    def _watch(self) -> None:
        keys = [alarm.key for alarm, _ in self.alarms]
        known = {row.key: row for row in self.session.scalars(select(Watch).where(Watch.key.in_(keys)))} if keys else {}
        born: list[dict[str, Any]] = []
        for alarm, plan in self.alarms:
            row = known.get(alarm.key)
            if row is None:
                born.append(
                    {
                        "key": alarm.key,
                        "plan_id": plan.id,
                        "patient_id": plan.patient_id,
                        "step": alarm.step,
                        "due_at": alarm.due_at,
                        "created_at": self.now,
                    }
                )
            elif row.state is WatchState.SETTLED:
                journal.advance(
                    self.session, row, WatchState.WAITING, now=self.now, by=self.by, due_at=max(alarm.due_at, self.now)
                )
        if born:
            insert_many(self.session, Watch, born)


def _why(row: Message, facts: PlanFacts | None) -> str:
    if facts is None:
        return "no consent, or welcomed before"
    return planning.unwanted_because(facts, row.contact_id, row.event_id, row.question)


def _known(session: Session, births: Sequence[_Birth]) -> dict[str, MessageState]:
    """How the messages with these keys stand, of those that there are. A plan without a message has none of them."""
    plans = {birth.plan.id for birth in births if birth.plan}
    spoken = set(session.scalars(select(Message.plan_id).where(Message.plan_id.in_(plans)).distinct())) if plans else ()
    keys = [birth.draft.key for birth in births if birth.plan is None or birth.plan.id in spoken]
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
        "question": draft.question,
        "matters": draft.matters,
        "urgent": draft.urgent,
        "any_hour": draft.any_hour,
        "due_at": draft.due_at,
        "not_after": draft.not_after,
    }


def _roots(birth: _Birth, now: datetime) -> dict[str, Any]:
    """What never changes about a message: why it exists. One that is left out is born cancelled, so that it is seen."""
    draft = birth.draft
    return {
        "key": draft.key,
        "step": draft.step,
        "site_key": birth.patient.site_key,
        "patient_id": birth.patient.id,
        "plan_id": birth.plan.id if birth.plan else None,
        "event_id": draft.event_id,
        "contact_id": draft.contact_id,
        "state": MessageState.CANCELLED if draft.left_out else MessageState.PLANNED,
        "why": draft.left_out or None,
        "created_at": now,
    }

"""The rehearsal: a patient's whole calendar as the patient will receive it, before anything of it is sent."""

import contextlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from notifier import enrolment
from notifier.catalog import Catalog
from notifier.core import planning, wording
from notifier.core.journey import Draft, Watch
from notifier.core.states import MessageState, PlanState
from notifier.core.vocabulary import Channel
from notifier.errors import Missing
from notifier.models import Contact, Message, Patient, TherapyPlan
from notifier.saying import words

WHOLE = timedelta(days=400)  # longer than any order


@dataclass(frozen=True)
class Line:
    """One message of the calendar. `held_from`: when it would leave but for quiet hours; `cost`: in US dollars."""

    key: str
    due_at: datetime
    not_after: datetime
    channel: Channel
    contact: Contact | None
    step: str | None
    template: str
    state: MessageState
    why: str
    body: str
    segments: int | None  # none: a call
    alphabet: str | None
    cost: float
    held_from: datetime | None = None


@dataclass(frozen=True)
class Calendar:
    """All that was and will be said to a patient and their helpers, and when staff will be told."""

    patient: Patient
    lines: tuple[Line, ...]
    watches: tuple[Watch, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The patient's time zone."""
        return ZoneInfo(self.patient.timezone)


def calendar(session: Session, patient: Patient, *, catalog: Catalog, now: datetime) -> Calendar:
    """The patient's calendar: what is written down, and what will be when its day comes nearer."""
    rows = session.scalars(
        select(Message).where(
            Message.patient_id == patient.id, Message.staff_id.is_(None), Message.contact_id.is_not(None)
        )
    ).all()
    held: dict[str, datetime] = {}
    later: list[Message] = []
    watches: list[Watch] = []
    known = {row.key for row in rows}
    for plan in patient.plans:
        layout = planning.lay_out(_as_if_verified(session, plan, now), catalog.journeys, now, WHOLE)
        held |= {draft.key: draft.held_from for draft in layout.messages if draft.held_from}
        fresh = [draft for draft in layout.messages if draft.key not in known and draft.due_at >= now]
        later += [_unborn(draft, patient) for draft in fresh]
        watches += layout.watches
    lines = [_line(row, catalog, held.get(row.key)) for row in (*rows, *later)]
    lines.sort(key=lambda line: (line.due_at, line.key))
    return Calendar(patient, tuple(lines), tuple(sorted(watches, key=lambda watch: watch.due_at)))


def _as_if_verified(session: Session, plan: TherapyPlan, now: datetime) -> planning.PlanFacts:
    """The plan's facts; one whose order is not checked yet is rehearsed as if it were checked now."""
    facts = enrolment.facts_of(session, plan, now=now)
    if plan.state is PlanState.RECEIVED:
        return replace(facts, state=PlanState.VERIFIED, verified_at=now)
    return facts


def _unborn(draft: Draft, patient: Patient) -> Message:
    contact = next(contact for contact in patient.contacts if contact.id == draft.contact_id)
    return Message(
        key=draft.key,
        site=patient.site,
        contact=contact,
        channel=draft.channel,
        step=draft.step,
        template=draft.template,
        language=draft.language,
        values=draft.values,
        state=MessageState.PLANNED,
        due_at=draft.due_at,
        not_after=draft.not_after,
    )


def _line(row: Message, catalog: Catalog, held_from: datetime | None) -> Line:
    body = row.body or words(row, catalog)
    by_text = row.channel is Channel.SMS
    segments, alphabet = wording.segments(body) if by_text else (None, None)
    return Line(
        row.key,
        row.due_at,
        row.not_after,
        row.channel,
        row.contact,
        row.step,
        row.template,
        row.state,
        row.why or "",
        body,
        segments,
        alphabet,
        _cost(row, body, segments, catalog),
        held_from if row.state is MessageState.PLANNED else None,
    )


def _cost(row: Message, body: str, segments: int | None, catalog: Catalog) -> float:
    """What it costs to send; nothing for what does not leave."""
    if row.state in (MessageState.CANCELLED, MessageState.EXPIRED):
        return 0.0
    if segments is not None:
        return segments * catalog.prices.segment
    minutes = -(-len(body.split()) // int(catalog.prices.words_a_minute))
    return max(1, minutes) * catalog.prices.voice_minute


# --- as lines to read ---------------------------------------------------------------------------------------------


def lines(session: Session, patient: str, *, catalog: Catalog, now: datetime) -> Iterator[str]:
    """One message after the other: local time, channel, recipient, state, segments, and the words. Raises Missing."""
    found = calendar(session, _patient(session, patient), catalog=catalog, now=now)
    coming = [line for line in found.lines if line.due_at >= now and line.state is MessageState.PLANNED]
    cost = sum(line.cost for line in coming)
    yield (
        f"{len(found.lines)} messages, {len(coming)} to come (about ${cost:.2f}); times are {found.patient.timezone}"
    )
    for line in found.lines:
        yield ""
        yield f"{_head(line, found.zone)}  {_size(line)}"
        if line.held_from:
            yield f"  (held from {_local(line.held_from, found.zone)}: quiet hours {found.patient.site.quiet_hours})"
        yield f"  {line.body}"
    yield from _staff(found.watches, found.zone)


def _staff(watches: Iterable[Watch], zone: ZoneInfo) -> Iterator[str]:
    watches = list(watches)
    if watches:
        yield ""
        yield "Unless it is answered or done before, staff are told:"
    for watch in watches:
        yield f"{_local(watch.due_at, zone)}  {watch.role} ({watch.urgency}): {watch.says}"


def _head(line: Line, zone: ZoneInfo) -> str:
    contact = line.contact
    who = "unknown number" if contact is None else "patient" if contact.is_patient else contact.relation
    why = f" ({line.why})" if line.why else ""
    due = _local(line.due_at, zone)
    return f"{due}  {line.channel:5}  to {who}  {line.template}  {line.state}{why}"


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")


def _size(line: Line) -> str:
    """Into how many segments a text is cut; a call has none."""
    if line.segments is None:
        return f"call  ${line.cost:.3f}"
    return f"{line.segments} segment{'s' if line.segments != 1 else ''} {line.alphabet}  ${line.cost:.3f}"


def _patient(session: Session, wanted: str) -> Patient:
    """By our id or by the pharmacy's own number."""
    by = [Patient.external_id == wanted]
    with contextlib.suppress(ValueError):  # then it is the pharmacy's own number
        by.append(Patient.id == uuid.UUID(wanted))
    found = session.scalars(select(Patient).where(or_(*by))).unique().all()
    if not found:
        raise Missing(f"there is no patient {wanted}")
    if len(found) > 1:
        raise Missing(f"several sites have a patient {wanted}: give our id instead")
    return found[0]

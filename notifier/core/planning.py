"""When to speak: a plan's facts and the journey decide which messages should exist, for whom, when, and until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core.journey import Anchor, Draft, EventFacts, Journey, Limit, PlanFacts, Recipient, Step
from notifier.core.routing import quiet_span, within
from notifier.core.states import MOVES, EventState, PlanState
from notifier.core.vocabulary import Channel, EventKind
from notifier.core.wording import moment_values, say_at

__all__ = [  # the journey's values too: whoever plans needs them
    "SILENT",
    "Draft",
    "EventFacts",
    "Journey",
    "PlanFacts",
    "Recipient",
    "Step",
    "fallback",
    "in_quiet_hours",
    "journey_state",
    "next_quiet_end",
    "plan",
    "resolve_local",
    "unwanted_because",
    "welcome",
]

HORIZON = timedelta(days=14)  # how far ahead a plan's repeating messages are written down
MIDNIGHT = time(0)
AHEAD = (EventState.SCHEDULED, EventState.OUT_FOR_DELIVERY)
SILENT = (PlanState.RECEIVED, PlanState.PAUSED, PlanState.ENDED, PlanState.DECEASED)

# --- local time ---------------------------------------------------------------------------------------------------


def resolve_local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a local time: the first when it comes twice, the first after it when it is skipped."""
    local = datetime.combine(day, at, zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    before, after = local.replace(fold=1).astimezone(UTC), instant
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def in_quiet_hours(instant: datetime, zone: ZoneInfo, quiet: str) -> bool:
    """Whether it is night there. `quiet`: local, such as "20:00-08:00"."""
    return within(quiet_span(quiet), instant.astimezone(zone).time())


def next_quiet_end(instant: datetime, zone: ZoneInfo, quiet: str) -> datetime:
    """The instant itself by day; in quiet hours the moment they end."""
    if not in_quiet_hours(instant, zone, quiet):
        return instant
    ends = quiet_span(quiet)[1]
    local = instant.astimezone(zone)
    return resolve_local(local.date() + timedelta(days=local.time() >= ends), ends, zone)


# --- the plan -----------------------------------------------------------------------------------------------------


def plan(facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta = HORIZON) -> list[Draft]:
    """The messages that should stand, the first due first; of those that repeat, the ones due before the horizon.

    One whose moment is past stays in until its `not_after`, because it may be on its way; never plant it anew then.
    """
    if facts.verified_at is None or (facts.state in SILENT and facts.state is not PlanState.ENDED):
        return []
    found: list[tuple[Step, date, Draft]] = []
    for step in journey.steps:
        if facts.state is PlanState.ENDED and not step.after_end:
            continue
        if (step.therapies and facts.therapy not in step.therapies) or (
            step.storages and facts.storage not in step.storages
        ):
            continue
        for moment in _moments(step, facts, journey, now, horizon):
            for person in facts.recipients:
                if _hears(person, step) and (draft := _draft(step, moment, person, facts)):
                    found.append((step, draft.due_at.astimezone(person.zone).date(), draft))
    spoken = {(draft.step, draft.contact_id, day) for _, day, draft in found}
    wanted = [
        draft
        for step, day, draft in found
        if draft.not_after > now and not any((other, draft.contact_id, day) in spoken for other in step.covered_by)
    ]
    return sorted(wanted, key=lambda draft: (draft.due_at, draft.key))


def welcome(person: Recipient, consent_at: datetime, journey: Journey, quiet: str) -> Draft | None:
    """The text that follows a person's consent, before any therapy is planned; None without consent."""
    if not person.consented:
        return None
    step = journey.welcome
    due = next_quiet_end(consent_at, person.zone, quiet)
    return Draft(
        key=f"welcome:{person.contact_id}",
        step=step.key,
        template=step.template,
        contact_id=person.contact_id,
        channel=person.channel,
        language=person.language,
        due_at=due,
        not_after=min(due + limit for limit in step.not_after if isinstance(limit, timedelta)),
        prompt=step.asks,
        matters=step.matters,
    )


def fallback(
    failed: Draft, message_id: UUID, *, may_call: bool, quiet: str, zone: ZoneInfo, now: datetime
) -> Draft | None:
    """The call that takes the place of a text which matters and did not arrive; None when there is no such way left."""
    if failed.channel is not Channel.SMS or not failed.matters or not may_call:
        return None
    due = now if failed.any_hour else next_quiet_end(now, zone, quiet)
    if due >= failed.not_after:
        return None
    return replace(failed, key=f"fallback:{message_id}", channel=Channel.VOICE, due_at=due)


def unwanted_because(facts: PlanFacts, contact_id: UUID | None, event_id: UUID | None) -> str:
    """Why a message that was planned is wanted no more, in words for a coordinator."""
    if facts.state in SILENT:
        return "the patient died" if facts.state is PlanState.DECEASED else f"the plan is {facts.state}"
    person = next((person for person in facts.recipients if person.contact_id == contact_id), None)
    if person is None:
        return "this person is no longer told"
    if not person.consented:
        return f"no consent to {person.channel}"
    event = next((event for event in facts.events if event.id == event_id), None)
    if event is None:
        return "the plan changed"
    if event.state is EventState.CANCELLED:
        return f"the {event.kind} was cancelled"
    if event.answered:
        return "it was answered"
    return f"the {event.kind} moved" if event.state in AHEAD else f"the {event.kind} is over"


def journey_state(facts: PlanFacts, journey: Journey, now: datetime) -> PlanState:
    """How far along its journey the facts say that a plan is; never a step back from where it stands."""
    if facts.state in SILENT:
        return facts.state
    reached = PlanState.VERIFIED
    deliveries = [event for event in facts.events if event.kind is EventKind.DELIVERY]
    if any(event.state in AHEAD for event in deliveries):
        reached = PlanState.DELIVERY_SET
    if any(event.state is EventState.DONE for event in deliveries):
        reached = PlanState.DELIVERED
        if any(event.kind is EventKind.EDUCATION and event.state is EventState.DONE for event in facts.events):
            reached = PlanState.TAUGHT
    for dose in (event for event in facts.events if event.kind is EventKind.FIRST_DOSE):
        ended = _ended(dose, facts, journey)
        if dose.state is EventState.DONE or (reached is PlanState.TAUGHT and dose.state in AHEAD and ended <= now):
            reached = PlanState.ACTIVE if now >= ended + timedelta(days=1) else PlanState.FIRST_DOSE
    return reached if reached in MOVES[PlanState][facts.state] else facts.state


# --- one step -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Moment:
    """When a step speaks, and about what."""

    at: datetime
    why: str  # the part of the key that says for what
    event: EventFacts | None = None
    hour: time | None = None  # the patient's chosen one


def _hears(person: Recipient, step: Step) -> bool:
    return person.consented and (person.is_patient or step.topic in person.topics)


def _draft(step: Step, moment: _Moment, person: Recipient, facts: PlanFacts) -> Draft | None:
    """The message to one person, or None where its gate is shut or quiet hours outlast it."""
    due = moment.at
    if step.gated and moment.event:
        opened = _gate_opens(facts.events, due, moment.event)
        if opened is None or (opened > due and not step.held):
            return None
        due = max(due, opened)
    if not step.any_hour:
        due = next_quiet_end(due, person.zone, facts.quiet)
    day = moment.at.astimezone(person.zone).date()
    not_after = min(_limit(limit, due, day, moment.event, person, facts) for limit in step.not_after)
    if due >= not_after:
        return None
    return Draft(
        key=f"{moment.why}:{person.contact_id}",
        step=step.key,
        template=step.template,
        contact_id=person.contact_id,
        channel=person.channel,
        language=person.language,
        due_at=due,
        not_after=not_after,
        values=_values(moment, facts, person.language),
        prompt=step.asks,
        matters=step.matters,
        urgent=step.urgent,
        any_hour=step.any_hour,
        event_id=moment.event.id if moment.event else None,
    )


def _values(moment: _Moment, facts: PlanFacts, language: str) -> dict[str, str]:
    if moment.event:
        return moment_values(moment.event.starts_at, moment.event.ends_at, facts.zone, language)
    if moment.hour:
        return {"time": say_at(moment.hour, language), "time.spoken": say_at(moment.hour, language, spoken=True)}
    return {}


def _limit(
    limit: Limit, due: datetime, day: date, event: EventFacts | None, person: Recipient, facts: PlanFacts
) -> datetime:
    if isinstance(limit, timedelta):
        return due + limit
    if isinstance(limit, time):
        return resolve_local(day, limit, person.zone)
    if limit is Anchor.ENDS_ON or event is None:
        return resolve_local(facts.ends_on + timedelta(days=1), MIDNIGHT, facts.zone)
    return event.ends_at or event.starts_at if limit is Anchor.END else event.starts_at


def _gate_opens(events: Sequence[EventFacts], due: datetime, dose: EventFacts) -> datetime | None:
    """From when nothing that must come before the dose is missing: supplies that came cold enough, signed teaching.

    None: something is missing. What is booked for later than the message, and before the dose, is not missing yet.
    """
    opened = due
    for kind in (EventKind.DELIVERY, EventKind.EDUCATION):
        found = [_serves_from(each, due, dose) for each in events if each.kind is kind and each.cold_ok is not False]
        known = [instant for instant in found if instant]
        if not known:
            return None
        opened = max(opened, min(known))
    return opened


def _serves_from(event: EventFacts, due: datetime, dose: EventFacts) -> datetime | None:
    """From when an event that a dose needs stands in nobody's way."""
    if event.state not in (*AHEAD, EventState.DONE):
        return None
    known = max(due, event.booked_at or due)
    if known <= (event.ends_at or event.starts_at) and event.starts_at < dose.starts_at:
        return known
    return event.done_at if event.state is EventState.DONE else None


def _moments(step: Step, facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta) -> Iterator[_Moment]:
    if step.about is None:
        yield from _plan_moments(step, facts, now, horizon)
        return
    for event in facts.events:
        if event.kind is not step.about or (step.until_answered and step.asks in event.answered):
            continue
        if base := _anchored(step, event, facts, journey):
            yield _Moment(_shifted(base, step, facts.zone), _event_key(event, step), event)


def _event_key(event: EventFacts, step: Step) -> str:
    """Why this message exists; the same words for the same instant, in whatever zone it was told."""
    return f"event:{event.id}:{event.starts_at.astimezone(UTC).isoformat()}:{step.key}"


def _anchored(step: Step, event: EventFacts, facts: PlanFacts, journey: Journey) -> datetime | None:
    """The instant an event's step counts from; None while, or once, there is nothing to say about it."""
    if step.anchor is Anchor.OUT:
        return event.out_at if event.state is EventState.OUT_FOR_DELIVERY else None
    if step.anchor is Anchor.DONE:
        return event.done_at if event.state is EventState.DONE else None
    if step.anchor is Anchor.BOOKED:
        known = [instant for instant in (event.booked_at, facts.verified_at) if instant]
        return max(known) if event.state in AHEAD else None
    before = step.anchor is Anchor.START and step.offset <= timedelta() and max(step.days, default=0) <= 0
    if event.state in AHEAD or (event.state is EventState.DONE and not before):
        return event.starts_at if step.anchor is Anchor.START else _ended(event, facts, journey)
    return None


def _ended(event: EventFacts, facts: PlanFacts, journey: Journey) -> datetime:
    """When an event ends: as it was recorded if that was the same day, else as it was planned."""
    if event.done_at and timedelta() <= event.done_at - event.starts_at < timedelta(hours=24):
        return event.done_at
    if event.ends_at or event.kind is not EventKind.FIRST_DOSE:
        return event.ends_at or event.starts_at
    return event.starts_at + timedelta(minutes=facts.infusion_minutes or journey.first_dose_minutes)


def _shifted(base: datetime, step: Step, zone: ZoneInfo) -> datetime:
    """By calendar days and a local hour, or by real time."""
    if not step.days:
        return base + step.offset
    local = base.astimezone(zone)
    return resolve_local(local.date() + timedelta(days=step.days[0]), step.at or local.time(), zone)


def _plan_moments(step: Step, facts: PlanFacts, now: datetime, horizon: timedelta) -> Iterator[_Moment]:
    if step.anchor is Anchor.VERIFIED and facts.verified_at:
        day = facts.verified_at.astimezone(facts.zone).date()
        yield _Moment(facts.verified_at + step.offset, f"plan:{facts.id}:{step.key}:{day}")
        return
    first = facts.first_dose_at.astimezone(facts.zone).date()
    since = now.astimezone(facts.zone).date() - timedelta(days=2)
    until = min((now + horizon).astimezone(facts.zone).date(), facts.ends_on)
    for day in _days(step, first, facts.ends_on, since, until):
        for hour in sorted(set(facts.reminders)) if step.anchor is Anchor.REMINDERS else (step.at or MIDNIGHT,):
            chosen = hour if step.anchor is Anchor.REMINDERS else None
            at = resolve_local(day, hour, facts.zone)
            if at <= now + horizon and at > facts.first_dose_at:
                name = f"{step.key}@{hour:%H:%M}" if chosen else step.key
                yield _Moment(at, f"plan:{facts.id}:{name}:{day}", hour=chosen)


def _days(step: Step, first: date, ends_on: date, since: date, until: date) -> Iterator[date]:
    """The calendar days of a plan's step, those from `since` to `until`."""
    start = ends_on if step.anchor is Anchor.ENDS_ON else first
    days, every = ((0,), 1) if step.anchor is Anchor.REMINDERS else (step.days, step.every)
    offsets = list(days)
    while every and start + timedelta(days=offsets[-1] + every) <= until:
        offsets.append(offsets[-1] + every)
    for offset in offsets:
        if since <= (day := start + timedelta(days=offset)) <= until:
            yield day

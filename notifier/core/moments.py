"""When each step of the journey speaks about a plan, and about what: its moments, before anybody is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifier.core import gate
from notifier.core.hours import resolve_local
from notifier.core.journey import Anchor, EventFacts, Journey, PlanFacts, Profile, Step, WatchStep
from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import Administration, EventKind, Prompt, Storage

AHEAD = gate.AHEAD
MIDNIGHT = time(0)
LATELY = timedelta(days=2)  # so far back a repeating step is looked for: it may be on its way
RUNS = timedelta(hours=12)  # a dose that lasts so long runs while the patient lives with it
MONTH = 28  # days
NEAR = timedelta(days=3)  # a visit so near a day on which care is due is that care


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step speaks, and about what."""

    at: datetime
    why: str  # the part of the key that says for what
    event: EventFacts | None = None
    hour: datetime | None = None  # what a reminder is for
    day: date | None = None  # the day it speaks of
    question: str = ""  # what is asked, whoever is asked and how often
    monthly: bool = False  # the first of its kind in four weeks


def moments(step: Step, facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta) -> Iterator[Moment]:
    """Every moment of a step: an event's each once, a plan's from two days ago up to the horizon."""
    if step.about is None:
        yield from _of_plan(step, facts, journey, now, horizon)
        return
    for event in facts.events:
        if event.kind is not step.about:
            continue
        question = event_question(event, step)
        if step.until_answered and question in facts.answered:
            continue
        if step.anchor is Anchor.RUNNING:
            yield from _running(step, event, facts, journey, now, horizon)
        elif base := anchored(step.anchor, event, facts, journey, before=_is_before(step)):
            at = _shifted(base, step, facts.zone)
            lead = warm_up(facts, journey.profile(facts.therapy)) if step.warm_up else timedelta()
            if lead is None:
                return
            at -= lead
            yield Moment(at, _event_key(event, step), event, question=question)


def watch_moments(step: WatchStep, facts: PlanFacts, journey: Journey, now: datetime) -> Iterator[Moment]:
    """Every moment of a watch; one that repeats, the last that has come and the next."""
    if step.about is not None:
        for event in facts.events:
            before = step.offset <= timedelta() and max(step.days, default=0) <= 0
            base = anchored(step.anchor, event, facts, journey, before=before) if event.kind is step.about else None
            if base:
                yield Moment(_shifted(base, step, facts.zone), f"watch:{event_root(event)}:{step.key}", event)
        return
    base, root = _plan_anchor(step.anchor, facts, journey), f"watch:{facts.id}:{step.key}"
    if base is None:
        return
    first = _shifted(base, step, facts.zone)
    if step.every is None:
        yield Moment(first, f"{root}:{base.astimezone(UTC).isoformat()}", day=base.astimezone(facts.zone).date())
        return
    since = max(0, (now - first) // step.every)
    for number in (since, since + 1):
        yield Moment(first + number * step.every, f"{root}:{base.astimezone(UTC).isoformat()}:{number}")


def warm_up(facts: PlanFacts, profile: Profile) -> timedelta | None:
    """How long before a dose what it needs is taken out of the fridge; None: it is not kept there."""
    if facts.storage is not Storage.REFRIGERATED:
        return None
    ball = profile.warm_up_ball if facts.administration is Administration.ELASTOMERIC else None
    return ball or profile.warm_up


def ended(event: EventFacts, facts: PlanFacts, journey: Journey) -> datetime:
    """When an event ends: as it was recorded if that was the same day, else as it was planned."""
    if event.done_at and timedelta() <= event.done_at - event.starts_at < timedelta(hours=24):
        return event.done_at
    if event.ends_at or event.kind is not EventKind.FIRST_DOSE:
        return event.ends_at or event.starts_at
    return event.starts_at + timedelta(minutes=facts.infusion_minutes or journey.first_dose_minutes)


def event_question(event: EventFacts, asks: Step | Prompt) -> str:
    """What is asked about an event at its present time; those that wait for the same answer ask the same."""
    if isinstance(asks, Step):
        return f"{event_root(event)}:{(asks.until_answered and asks.asks) or asks.key}"
    return f"{event_root(event)}:{asks}"


# --- an event's ----------------------------------------------------------------------------------------------------


def event_root(event: EventFacts) -> str:
    """How each key about an event at its present time begins: the same for the same instant, in whatever zone."""
    return f"event:{event.id}:{event.starts_at.astimezone(UTC).isoformat()}"


def _event_key(event: EventFacts, step: Step) -> str:
    """Why this message exists. That a time is new is said once for each time it was changed."""
    again = f":{event.moves}" if step.moved and event.moves > 1 else ""
    return f"{event_root(event)}:{step.key}{again}"


def _is_before(step: Step) -> bool:
    return step.anchor is Anchor.START and step.offset <= timedelta() and max(step.days, default=0) <= 0


def anchored(anchor: Anchor, event: EventFacts, facts: PlanFacts, journey: Journey, *, before: bool) -> datetime | None:
    """The instant an event's step counts from; None while, or once, there is nothing to say about it."""
    if anchor is Anchor.OUT:
        return event.out_at if event.state is EventState.OUT_FOR_DELIVERY else None
    if anchor is Anchor.DONE:
        return event.done_at if event.state is EventState.DONE else None
    if anchor is Anchor.FAILED:
        return event.over_at if event.state is EventState.FAILED else None
    if anchor is Anchor.CANCELLED:
        return event.over_at if event.state is EventState.CANCELLED else None
    if anchor is Anchor.BOOKED:
        known = [instant for instant in (event.booked_at, facts.verified_at) if instant]
        return max(known) if event.state in AHEAD and known else None
    if event.state in AHEAD or (event.state is EventState.DONE and not (before and anchor is Anchor.START)):
        return event.starts_at if anchor is Anchor.START else ended(event, facts, journey)
    return None


def _running(
    step: Step, event: EventFacts, facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta
) -> Iterator[Moment]:
    """Each hour of the profile at which a device that runs for long is looked at."""
    ends = event.done_at or event.ends_at
    if ends is None and facts.infusion_minutes:
        ends = event.starts_at + timedelta(minutes=facts.infusion_minutes)
    if ends is None or ends - event.starts_at < RUNS or event.state not in (*AHEAD, EventState.DONE):
        return
    for day in _between(event.starts_at.astimezone(facts.zone).date(), ends.astimezone(facts.zone).date()):
        for hour in journey.profile(facts.therapy).pump_checks:
            at = resolve_local(day, hour, facts.zone)
            if event.starts_at < at < ends and now - LATELY <= at <= now + horizon:
                why = f"{_event_key(event, step)}@{day}T{hour:%H:%M}"
                if not (step.until_answered and why in facts.answered):
                    yield Moment(at, why, event, question=why)


def _shifted(base: datetime, step: Step | WatchStep, zone: ZoneInfo) -> datetime:
    """By calendar days and a local hour, or by real time."""
    if not step.days:
        return base + step.offset
    local = base.astimezone(zone)
    return resolve_local(local.date() + timedelta(days=step.days[0]), step.at or local.time(), zone)


# --- a plan's ------------------------------------------------------------------------------------------------------


def _of_plan(step: Step, facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta) -> Iterator[Moment]:
    if step.unless and any(e.kind is step.unless and e.state is not EventState.CANCELLED for e in facts.events):
        return
    if step.anchor is Anchor.REMINDERS:
        yield from _reminders(step, facts, journey, now, horizon)
        return
    days = _repeating(step, facts, journey, now, horizon)
    if days is None:
        if base := _plan_anchor(step.anchor, facts, journey):
            yield from _once(step, base, facts)
        return
    profile = journey.profile(facts.therapy)
    for day, spoken_of in days:
        at = resolve_local(day, step.at or MIDNIGHT, facts.zone)
        if at <= now + horizon and at > facts.first_dose_at:
            why = f"plan:{facts.id}:{step.key}:{day}"
            if not (step.until_answered and why in facts.answered):
                number = (day - facts.first_dose_at.astimezone(facts.zone).date()).days
                monthly = number >= MONTH and number % MONTH < (step.every or profile.check_in_every or MONTH)
                yield Moment(at, why, day=spoken_of, question=why, monthly=monthly)


def _once(step: Step, base: datetime, facts: PlanFacts) -> Iterator[Moment]:
    for days in step.days or (None,):
        day = base.astimezone(facts.zone).date()
        if days is None:
            why = f"plan:{facts.id}:{step.key}:{day}"
            yield Moment(base + step.offset, why, question=why)
            continue
        at = resolve_local(day + timedelta(days=days), step.at or base.astimezone(facts.zone).time(), facts.zone)
        why = f"plan:{facts.id}:{step.key}:{day + timedelta(days=days)}"
        yield Moment(at, why, day=day, question=why)


def _plan_anchor(anchor: Anchor, facts: PlanFacts, journey: Journey) -> datetime | None:
    """The instant of a plan's own fact, where it has come about."""
    if anchor is Anchor.COVER_ENDS_ON:
        if facts.cover_ends_on is None or facts.cover_ends_on >= facts.ends_on:
            return None
        return resolve_local(facts.cover_ends_on, MIDNIGHT, facts.zone)
    if anchor is Anchor.ENDS_ON:
        return resolve_local(facts.ends_on, MIDNIGHT, facts.zone)
    if anchor is Anchor.RUN_OUT:
        return _run_out(facts)
    if anchor is Anchor.REFILL:
        at = _run_out(facts)
        return at - journey.profile(facts.therapy).refill_lead if at else None
    if anchor is Anchor.PAUSED:
        return facts.paused_at if facts.state is PlanState.PAUSED else None
    return {
        Anchor.VERIFIED: facts.verified_at,
        Anchor.SUPPLIES_READY: facts.supplies_ready_at,
        Anchor.CHANGED: facts.changed_at,
        Anchor.ENDED: facts.ended_at if facts.state is PlanState.ENDED else None,
        Anchor.FIRST_DOSE: facts.first_dose_at,
    }.get(anchor)


def _run_out(facts: PlanFacts) -> datetime | None:
    """When the doses are used up, unless the therapy is over by then or a box comes before."""
    at = facts.run_out_at
    if at is None or at >= resolve_local(facts.ends_on + timedelta(days=1), MIDNIGHT, facts.zone):
        return None
    coming = any(e.kind is EventKind.DELIVERY and e.state in AHEAD and e.starts_at <= at for e in facts.events)
    return None if coming else at


def _repeating(
    step: Step, facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta
) -> list[tuple[date, date | None]] | None:
    """The calendar days of a step that comes again, and the day each speaks of; None: it comes once."""
    profile = journey.profile(facts.therapy)
    first = facts.first_dose_at.astimezone(facts.zone).date()
    since = (now - LATELY).astimezone(facts.zone).date()
    until = min((now + horizon).astimezone(facts.zone).date(), facts.ends_on)
    if step.anchor is Anchor.CHECK_INS:
        return _plain(_counted(first, profile.check_ins, profile.check_in_every, since, until))
    if step.anchor is Anchor.FIRST_DOSE:
        return _plain(_counted(first, step.days, step.every, since, until))
    if step.anchor is Anchor.ENDS_ON and step.days:
        over = facts.ended_at if facts.state is PlanState.ENDED else None
        last, until = over.astimezone(facts.zone).date() if over else facts.ends_on, (now + horizon).date()
        return _plain([day for n in step.days if since <= (day := last + timedelta(days=n)) <= until])
    if step.anchor is Anchor.SUPPLY_DAY:
        if profile.supply_day is None:
            return []
        ahead = (profile.supply_day - since.weekday()) % 7
        return _plain(_counted(since, (ahead,), 7, max(since, first), until))
    if step.anchor is Anchor.LINE_CARE:
        return _line_care(step, facts, profile, first, since, until)
    return None


def _plain(days: list[date]) -> list[tuple[date, date | None]]:
    return [(day, None) for day in days]


def _line_care(
    step: Step, facts: PlanFacts, profile: Profile, first: date, since: date, until: date
) -> list[tuple[date, date | None]]:
    """The days around each on which care of the line is due, but where a visit near it is booked or done."""
    every = profile.line_care_every
    if not every or (step.lines and facts.line not in step.lines):
        return []
    visits = [
        e.starts_at for e in facts.events if e.kind is EventKind.LINE_CARE and e.state is not EventState.CANCELLED
    ]
    booked = [at.astimezone(facts.zone).date() for at in visits]
    due = _counted(first, (every,), every, since - timedelta(days=1), until + timedelta(days=1))
    alone = [day for day in due if day <= facts.ends_on and not any(abs(day - other) <= NEAR for other in booked)]
    return [(on, day) for day in alone for n in step.days if since <= (on := day + timedelta(days=n)) <= until]


def _counted(start: date, days: tuple[int, ...], every: int | None, since: date, until: date) -> list[date]:
    """The days counted from `start`, then each `every` from the last; those from `since` to `until`."""
    offsets = [n for n in days if since <= start + timedelta(days=n) <= until]
    if every and days:
        n = days[-1] + every * max(1, -(-((since - start).days - days[-1]) // every))
        while start + timedelta(days=n) <= until:
            offsets.append(n)
            n += every
    return [start + timedelta(days=n) for n in offsets]


def _between(first: date, last: date) -> Iterator[date]:
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)


def _reminders(step: Step, facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta) -> Iterator[Moment]:
    """The hours that the patient chose, where they were chosen: a journey never shifts a dose."""
    if not facts.reminders:
        return
    lead = warm_up(facts, journey.profile(facts.therapy)) if step.warm_up else timedelta()
    if lead is None:
        return
    zone = facts.reminders_zone or facts.zone
    since, until = (now - LATELY).astimezone(zone).date(), (now + horizon).astimezone(zone).date()
    first, last = facts.first_dose_at.astimezone(zone).date(), facts.ends_on
    for day in _between(max(first, since), min(last, until)):
        for hour in sorted(set(facts.reminders)):
            dose = resolve_local(day, hour, zone)
            at = dose - lead
            if at <= now + horizon and dose > facts.first_dose_at:
                why = f"plan:{facts.id}:{step.key}@{hour:%H:%M}:{day}"
                yield Moment(at, why, hour=dose, question=why)

"""One message to one person: whether they hear it, when it may leave, and what it may say."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifier.core import gate
from notifier.core.hours import next_quiet_end, resolve_local
from notifier.core.journey import Anchor, Draft, EventFacts, Journey, Limit, PlanFacts, Recipient, Step, Who
from notifier.core.moments import MIDNIGHT, Moment
from notifier.core.states import EventState
from notifier.core.wording import moment_values, say_at, say_day

UNTOLD = "quiet hours last longer than it makes sense"


def hears(person: Recipient, step: Step, moment: Moment) -> bool:
    if not person.consented or (step.who is Who.PATIENT and not person.is_patient):
        return False
    event = moment.event
    if event and (
        (step.moved is not None and event.told is not step.moved) or (step.announced and not event.announced)
    ):
        return False
    if person.is_patient:
        return step.who is not Who.HELPERS
    return step.topic in person.topics


def draft(step: Step, moment: Moment, person: Recipient, facts: PlanFacts, journey: Journey) -> Draft | None:
    """The message to one person; None where its gate is shut, left out where quiet hours outlast it."""
    wanted = moment.at
    if step.gated and moment.event:
        opened = _gate(step, moment, facts, journey)
        if opened is None or (opened > wanted and not step.held):
            return None
        wanted = max(wanted, opened)
    wanted += behind(person, journey)
    due = wanted
    free = step.any_hour or (step.same_day and moment.event and _is_on_the_day(wanted, moment.event, person.zone))
    if not free:
        due = next_quiet_end(wanted, person.zone, facts.quiet)
    day = moment.at.astimezone(person.zone).date()
    not_after = _until(step, due, day, moment, person, facts)
    if due >= not_after and wanted >= _until(step, wanted, day, moment, person, facts):
        return None
    words = step.cold_words if step.cold_words and facts.storage in gate.COLD else step.words
    words = step.monthly_words if step.monthly_words and moment.monthly else words
    return Draft(
        f"{moment.why}:{person.contact_id}",
        step.key,
        step.template,
        person.contact_id,
        person.channel,
        person.language,
        due,
        not_after if due < not_after else due + timedelta(hours=1),
        values(moment, facts, person, words),
        step.asks,
        step.matters,
        step.urgent,
        step.any_hour or bool(free),
        moment.event.id if moment.event else None,
        moment.question if step.asks else None,
        wanted if due != wanted else None,
        UNTOLD if due >= not_after else "",
    )


def _gate(step: Step, moment: Moment, facts: PlanFacts, journey: Journey) -> datetime | None:
    """From when nothing that must come before the dose is missing; once it was given, nothing is."""
    dose = moment.event
    assert dose
    if dose.state is EventState.DONE:
        return moment.at
    return gate.opens(facts, dose, min(moment.at, dose.starts_at), journey, done_only=step.strict)


def _is_on_the_day(at: datetime, event: EventFacts, zone: ZoneInfo) -> bool:
    return at.astimezone(zone).date() == event.starts_at.astimezone(zone).date()


def values(moment: Moment, facts: PlanFacts, person: Recipient, words: str | None) -> dict[str, str]:
    values = place(person)
    if words:
        values["words"] = words
    if moment.event:
        return values | moment_values(moment.event.starts_at, moment.event.ends_at, facts.zone, person.language)
    if moment.hour:
        local = moment.hour.astimezone(facts.zone)
        values["time"] = say_at(local, person.language)
        values["time.spoken"] = say_at(local, person.language, spoken=True)
    elif moment.day:
        noon = datetime.combine(moment.day, time(12), facts.zone)
        values["day"] = say_day(noon, person.language)
        values["day.spoken"] = say_day(noon, person.language, spoken=True)
    return values


def behind(person: Recipient, journey: Journey) -> timedelta:
    """How far the same words for another patient on this phone stay apart."""
    return journey.apart * max(0, person.place - 1)


def place(person: Recipient) -> dict[str, str]:
    """Of which patient it speaks, on a phone that stands for several."""
    return {"place": str(person.place)} if person.place else {}


def _until(step: Step, due: datetime, day: date, moment: Moment, person: Recipient, facts: PlanFacts) -> datetime:
    """After which it makes no sense: the earliest of the step's limits."""
    return min(_limit(limit, due, day, moment, person, facts) for limit in step.not_after)


def _limit(limit: Limit, due: datetime, day: date, moment: Moment, person: Recipient, facts: PlanFacts) -> datetime:
    if isinstance(limit, timedelta):
        return due + limit
    if isinstance(limit, time):
        return resolve_local(day, limit, person.zone)
    if limit is Anchor.REMINDERS and moment.hour:
        return moment.hour
    if limit is Anchor.COVER_ENDS_ON and facts.cover_ends_on:
        return resolve_local(facts.cover_ends_on + timedelta(days=1), MIDNIGHT, facts.zone)
    event = moment.event
    if limit is Anchor.ENDS_ON or event is None:
        return resolve_local(facts.ends_on + timedelta(days=1), MIDNIGHT, facts.zone)
    return event.ends_at or event.starts_at if limit is Anchor.END else event.starts_at

"""Who must act, how soon, and whom to wake: from a reading and the plan's facts to a route, a ladder and a person."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from notifier.core.business import Calendar, quiet_span, within
from notifier.core.vocabulary import Channel, Pages, PromiseStep, Role, Rung, Urgency

# --- how soon -----------------------------------------------------------------------------------------------------

RESPOND = {Urgency.EMERGENCY: timedelta(minutes=10), Urgency.URGENT: timedelta(minutes=15)}
SAME_DAY = timedelta(hours=4)
MORNING = time(10)  # by when what came in the evening is answered
ACK_LAPSES = {
    Urgency.EMERGENCY: timedelta(minutes=5),
    Urgency.URGENT: timedelta(minutes=15),
    Urgency.SAME_DAY: timedelta(hours=2),
}
AGAIN = {Urgency.EMERGENCY: 5, Urgency.URGENT: 5, Urgency.SAME_DAY: 60}  # minutes until the last rung is climbed again
HARD_STOP = timedelta(minutes=30)  # without a call about a red flag: another way to reach the patient
NEXT_CONTACT = timedelta(minutes=5)  # after the hard stop, a caregiver is asked
WELFARE = timedelta(minutes=10)  # after that, the supervisor decides
HELD = timedelta(hours=24)  # how long an acknowledgement lasts once the patient was reached

# What a drug at risk looks like, and how close the next dose must be for it to be urgent (clinical table 2.2).
AT_RISK = {
    "MISSING": timedelta(hours=24),
    "MISSING_MED": timedelta(hours=24),
    "DAMAGED": timedelta(hours=24),
    "WRONG_ITEM": timedelta(hours=24),
    "TEMP_WARM": timedelta(hours=12),
    "MED_FROZEN": timedelta(hours=12),
    "DELIVERY_LATE": timedelta(hours=12),
    "DELIVERY_LOST": timedelta(hours=12),
    "LOW_SUPPLY": timedelta(hours=12),
}
CRISIS = {"SUICIDE_RISK"}  # after which nobody is asked for a dose or a smile
CRISIS_HOLDS = timedelta(hours=24)
VAGUE = {"NOT_WELL", "HELP", "CALL_ME", "UNKNOWN"}
OFFICE = (Role.DELIVERY, Role.COORDINATOR, Role.BILLING)  # who work by the office's hours
FRESH = timedelta(hours=24)  # after a first dose, every word counts more


@dataclass(frozen=True)
class Route:
    """Which teams must act, the owner first, and how soon."""

    roles: tuple[Role, ...]
    urgency: Urgency
    why: str = ""


def route(
    kinds: Sequence[str],
    urgency: Urgency,
    role: Role | None,
    symptoms: frozenset[str],
    *,
    ambers: frozenset[str] = frozenset(),
    earlier: frozenset[str] = frozenset(),
    first_dose_at: datetime | None,
    next_dose_at: datetime | None,
    needed: bool | None = None,
    now: datetime,
) -> Route:
    """Where a reading goes, given where the patient stands. The plan's facts only raise urgency, never lower it.

    `symptoms`: the codes of triage rows that a nurse answers for, by which "any symptom" is known; `ambers`: those
    that two of, in one text or with what was told `earlier` in the same day, are a red flag. `needed`: whether a dose
    needs one of the items that are missing; None: nobody knows, so that it may.
    """
    owner = role or Role.COORDINATOR
    reported = set(kinds)
    fresh = first_dose_at is not None and first_dose_at <= now <= first_dose_at + FRESH
    if fresh and reported & (symptoms | VAGUE) and urgency.rank > Urgency.URGENT.rank:
        return Route((Role.NURSE,), Urgency.URGENT, "within 24 h after the first dose")
    amber = reported & ambers
    if amber and len(amber | (earlier & ambers)) > 1 and urgency.rank > Urgency.URGENT.rank:
        return Route((Role.NURSE,), Urgency.URGENT, "two symptoms within a day")
    told = [kind for kind in kinds if kind != "MISSING" or needed is not False]
    at_risk = [kind for kind in told if kind in AT_RISK and next_dose_at and next_dose_at - now <= AT_RISK[kind]]
    if at_risk and next_dose_at and next_dose_at >= now:
        others = () if owner is Role.PHARMACIST else (Role.PHARMACIST,)
        raised = Urgency.URGENT if urgency.rank > Urgency.URGENT.rank else urgency
        return Route((owner, *others), raised, "the next dose is near")
    return Route((owner,), urgency)


def next_dose(first_dose_at: datetime, doses_per_day: int, ends_at: datetime, now: datetime) -> datetime | None:
    """The next dose at or after `now`, counted in real hours from the first; None after the end."""
    found = dose_after(first_dose_at, doses_per_day, now)
    return found if found <= max(ends_at, first_dose_at) else None


def dose_after(first_dose_at: datetime, doses_per_day: int, now: datetime) -> datetime:
    """The dose at or after `now`, in real hours from the first: every 8 hours stays so when the clocks change."""
    step = timedelta(hours=24 / doses_per_day)
    return first_dose_at + step * max(0, -(-(now - first_dose_at) // step))


def level_up(urgency: Urgency) -> Urgency:
    """One level more urgent."""
    return list(Urgency)[max(0, urgency.rank - 1)]


# --- by when ------------------------------------------------------------------------------------------------------


def wake_at(urgency: Urgency, now: datetime, zone: str, quiet: str) -> datetime:
    """When paging may begin: red flags at once; what can wait, not in the night."""
    span = quiet_span(quiet)
    local = now.astimezone(ZoneInfo(zone))
    if urgency.is_red or not within(span, local.time()):
        return now
    morning = local.date() if local.time() < span[1] else local.date() + timedelta(days=1)
    return datetime.combine(morning, span[1], ZoneInfo(zone)).astimezone(now.tzinfo)


def respond_by(
    urgency: Urgency,
    now: datetime,
    zone: str,
    quiet: str,
    target: timedelta | None = None,
    *,
    calendar: Calendar | None = None,
    role: Role | None = None,
) -> datetime:
    """By when a person must have answered: minutes for red flags, whatever the hour; the rest by the site's calendar.

    `target`: the row's own limit, when it has one tighter or wider than its level's. `calendar`: the office's hours;
    same-day work of the office (not of nurses and pharmacists, who are there day and night) counts in them.
    """
    if urgency in RESPOND:
        return now + min(RESPOND[urgency], target or RESPOND[urgency])
    calendar = calendar or Calendar(zone)
    if urgency is not Urgency.SAME_DAY:
        return calendar.closing(now)
    if role in OFFICE and calendar.hours:
        return calendar.after(now, target or SAME_DAY)
    local = now.astimezone(ZoneInfo(zone))
    span, tomorrow = quiet_span(quiet), local.date() + timedelta(days=1)
    promised = (local + (target or SAME_DAY)).astimezone(ZoneInfo(zone))
    if local.hour >= 18:
        promised = datetime.combine(tomorrow, MORNING, ZoneInfo(zone))
    elif within(span, promised.time()):  # the small hours wait for the morning; an afternoon ends with the day
        promised = datetime.combine(local.date(), MORNING if local.hour < 12 else span[0], ZoneInfo(zone))
    return promised.astimezone(now.tzinfo)


def ack_expires(
    urgency: Urgency, now: datetime, zone: str, quiet: str, *, calendar: Calendar | None = None
) -> datetime:
    """When an acknowledgement lapses, unless the patient was reached."""
    if urgency in ACK_LAPSES:
        return wake_at(urgency, now + ACK_LAPSES[urgency], zone, quiet)
    return respond_by(Urgency.ROUTINE, now, zone, quiet, calendar=calendar)


def after_promise(
    step: PromiseStep, urgency: Urgency, *, counts_from: datetime, due: datetime, clinical: bool
) -> tuple[PromiseStep, datetime] | None:
    """What follows when this step's moment has come and still nobody has called; None: nothing more.

    `clinical`: it is a nurse's or a pharmacist's call to a patient whom we know.
    """
    if not urgency.is_red:
        return None
    if step is PromiseStep.LATE:
        return PromiseStep.HARD_STOP, max(due, counts_from + HARD_STOP)
    if step is PromiseStep.HARD_STOP and clinical:
        return PromiseStep.NEXT_CONTACT, due + NEXT_CONTACT
    if step is PromiseStep.NEXT_CONTACT:
        return PromiseStep.WELFARE, due + WELFARE
    return None


# --- whom ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LadderRung:
    """One rung: whom to page, how, and how many minutes after the climb began."""

    who: Rung
    by: Channel
    after: float


class Phone(StrEnum):
    """Which of a person's two phones."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True)
class Way:
    """One step of how a person wants to be reached: by what, on which phone, how many minutes after the page."""

    by: Channel
    after: float = 0
    phone: Phone = Phone.FIRST


def ways(
    by: Channel, pages: Pages, reach: Sequence[Way] = (), *, has_second: bool, no_texts: Container[Phone] = ()
) -> list[Way]:
    """How to page one person: a call stays a call; a text follows how the person wants to be reached.

    `reach`: the person's own way; without one what `pages` says. `no_texts`: phones that sent STOP, or are landlines;
    they are called in place of texted.
    """
    own = list(reach) or [Way(channel) for channel in BY_PAGES[pages]]
    if by is Channel.VOICE:
        calls = [way for way in own if way.by is Channel.VOICE] or [Way(Channel.VOICE)]
        own = [replace(way, after=way.after - calls[0].after) for way in calls]
    own = [way for way in own if way.phone is Phone.FIRST or has_second] or [Way(by)]
    return list(dict.fromkeys(replace(way, by=Channel.VOICE) if way.phone in no_texts else way for way in own))


BY_PAGES = {
    Pages.SMS: (Channel.SMS,),
    Pages.VOICE: (Channel.VOICE,),
    Pages.BOTH: (Channel.SMS, Channel.VOICE),
}


def rung_due(ladder: Sequence[LadderRung], rung: int, began: datetime, urgency: Urgency, now: datetime) -> datetime:
    """When the rung with this index is climbed: as the ladder says after the climb began.

    Past the last one it repeats until a human answers, counted from `now`; one that should have been climbed while
    we were away is climbed in a minute, rather than all at once.
    """
    if rung >= len(ladder):
        return now + timedelta(minutes=AGAIN.get(urgency, 24 * 60))
    if rung and ladder[rung].after == ladder[rung - 1].after:
        return now  # two rungs of the same minute are climbed together
    return max(began + timedelta(minutes=ladder[rung].after), now + timedelta(minutes=1))

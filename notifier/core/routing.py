"""Who must act, how soon, and whom to wake: from a reading and the plan's facts to a route, a ladder and a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core.vocabulary import Channel, Pages, Role, Rung, Urgency

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# --- how soon -----------------------------------------------------------------------------------------------------

RESPOND = {Urgency.EMERGENCY: timedelta(minutes=10), Urgency.URGENT: timedelta(minutes=15)}
GRACE = timedelta(minutes=15)  # a red flag without a call so long after its limit is a broken promise
SAME_DAY = timedelta(hours=4)
MORNING = time(10)  # by when what came in the evening is answered
ACK_LAPSES = {
    Urgency.EMERGENCY: timedelta(minutes=5),
    Urgency.URGENT: timedelta(minutes=15),
    Urgency.SAME_DAY: timedelta(hours=2),
}
AGAIN = {Urgency.EMERGENCY: 5, Urgency.URGENT: 5, Urgency.SAME_DAY: 60}  # minutes until the last rung is climbed again
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
VAGUE = {"NOT_WELL", "HELP", "CALL_ME", "UNKNOWN"}
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


def quiet_span(text: str) -> tuple[time, time]:
    """A site's "20:00-08:00" as two local times."""
    start, end = text.split("-")
    return time.fromisoformat(start), time.fromisoformat(end)


def within(span: tuple[time, time], moment: time) -> bool:
    """Whether a local time lies in a span that may cross midnight."""
    start, end = span
    return start <= moment < end if start <= end else moment >= start or moment < end


def wake_at(urgency: Urgency, now: datetime, zone: str, quiet: str) -> datetime:
    """When paging may begin: red flags at once; what can wait, not in the night."""
    span = quiet_span(quiet)
    local = now.astimezone(ZoneInfo(zone))
    if urgency.is_red or not within(span, local.time()):
        return now
    morning = local.date() if local.time() < span[1] else local.date() + timedelta(days=1)
    return datetime.combine(morning, span[1], ZoneInfo(zone)).astimezone(now.tzinfo)


def respond_by(urgency: Urgency, now: datetime, zone: str, quiet: str, target: timedelta | None = None) -> datetime:
    """By when a person must have answered: minutes for red flags; for the rest within the site's day.

    `target`: the row's own limit, when it has one tighter or wider than its level's.
    """
    if urgency in RESPOND:
        return now + min(RESPOND[urgency], target or RESPOND[urgency])
    local = now.astimezone(ZoneInfo(zone))
    if urgency is Urgency.SAME_DAY:
        span, tomorrow = quiet_span(quiet), local.date() + timedelta(days=1)
        promised = (local + (target or SAME_DAY)).astimezone(ZoneInfo(zone))
        if local.hour >= 18:
            promised = datetime.combine(tomorrow, MORNING, ZoneInfo(zone))
        elif within(span, promised.time()):  # the small hours wait for the morning; an afternoon ends with the day
            promised = datetime.combine(local.date(), MORNING if local.hour < 12 else span[0], ZoneInfo(zone))
        return promised.astimezone(now.tzinfo)
    day = local.date() + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return datetime.combine(day, time(17), ZoneInfo(zone)).astimezone(now.tzinfo)


def ack_expires(urgency: Urgency, now: datetime, zone: str, quiet: str) -> datetime:
    """When an acknowledgement lapses, unless the patient was reached."""
    if urgency in ACK_LAPSES:
        return wake_at(urgency, now + ACK_LAPSES[urgency], zone, quiet)
    return respond_by(Urgency.ROUTINE, now, zone, quiet)


# --- whom ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LadderRung:
    """One rung: whom to page, how, and how many minutes after the climb began."""

    who: Rung
    by: Channel
    after: float


@dataclass(frozen=True)
class Shift:
    """Who holds which rung of a role: always, in a weekly pattern, or from when to when."""

    staff_id: UUID
    site: str
    role: Role
    rung: int
    days: tuple[str, ...] = ()
    hours: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_override: bool = False


def on_call(shifts: Sequence[Shift], role: Role, site: str, zone: str, now: datetime) -> dict[int, list[UUID]]:
    """Who holds each rung of a role now. The most particular word rules: override, dates, pattern, always."""
    holding: dict[int, list[Shift]] = {}
    for shift in shifts:
        if shift.role is role and shift.site in (site, "*") and _holds(shift, zone, now):
            holding.setdefault(shift.rung, []).append(shift)
    found = {}
    for rung, held in sorted(holding.items()):
        best = max(_weight(shift) for shift in held)
        found[rung] = list(dict.fromkeys(shift.staff_id for shift in held if _weight(shift) == best))
    return found


def _weight(shift: Shift) -> tuple[bool, bool, bool, bool]:
    dated = shift.starts_at is not None or shift.ends_at is not None
    return shift.is_override, dated, bool(shift.days or shift.hours), shift.site != "*"


def _holds(shift: Shift, zone: str, now: datetime) -> bool:
    if (shift.starts_at and now < shift.starts_at) or (shift.ends_at and now >= shift.ends_at):
        return False
    local = now.astimezone(ZoneInfo(zone))
    day = local.weekday()
    if shift.hours:
        span = quiet_span(shift.hours)
        if not within(span, local.time()):
            return False
        if span[0] > span[1] and local.time() < span[1]:
            day = (day - 1) % 7  # the small hours belong to the night that began the day before
    return not shift.days or DAYS[day] in shift.days


def holders(rung: Rung, team: Mapping[int, Sequence[UUID]]) -> list[UUID]:
    """The people of a team that a rung of the ladder names."""
    order = sorted(team)
    if rung is Rung.PRIMARY:
        return list(team[order[0]]) if order else []
    if rung is Rung.BACKUP:
        return list(team[order[1]]) if len(order) > 1 else []
    if rung is Rung.BOTH:
        return [person for level in order[:2] for person in team[level]]
    return []


def channels(by: Channel, pages: Pages) -> tuple[Channel, ...]:
    """How to page one person: a call stays a call; a text follows how the person wants to be reached."""
    if by is Channel.VOICE or pages is Pages.VOICE:
        return (Channel.VOICE,)
    return (Channel.SMS, Channel.VOICE) if pages is Pages.BOTH else (Channel.SMS,)


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

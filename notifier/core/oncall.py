"""Who is on call: shifts, weekly patterns, turns, overrides and holidays, asked for one moment."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core.business import DAYS, HOLIDAY, is_holiday, quiet_span, within
from notifier.core.vocabulary import Role, Rung

Team = Mapping[int, Sequence[UUID]]  # who holds each rung, 0 first


@dataclass(frozen=True)
class Shift:
    """Who holds which rung of a role: always, in a weekly pattern, in turn with others, or from when to when.

    `turn` of `turns`: this person's place among those who follow each other every `turn_days` since `starts_at`.
    """

    staff_id: UUID
    site: str
    role: Role
    rung: int
    days: tuple[str, ...] = ()
    hours: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_override: bool = False
    turn: int = 0
    turns: int = 1
    turn_days: int = 7


class Place(NamedTuple):
    """Where and by which clock a rota is read."""

    site: str
    zone: str
    holidays: str = ""


def on_call(shifts: Sequence[Shift], role: Role, place: Place, now: datetime) -> dict[int, list[UUID]]:
    """Who holds each rung of a role now. The most particular word rules: override, dates, holiday, pattern, always."""
    holding: dict[int, list[Shift]] = {}
    for shift in shifts:
        if shift.role is role and shift.site in (place.site, "*") and _holds(shift, place, now):
            holding.setdefault(shift.rung, []).append(shift)
    found = {}
    for rung, held in sorted(holding.items()):
        best = max(_weight(shift, place, now) for shift in held)
        found[rung] = list(dict.fromkeys(each.staff_id for each in held if _weight(each, place, now) == best))
    return found


def _weight(shift: Shift, place: Place, now: datetime) -> tuple[bool, ...]:
    in_turn = shift.turns > 1
    dated = not in_turn and (shift.starts_at is not None or shift.ends_at is not None)
    rests = HOLIDAY in shift.days and is_holiday(place.holidays, _day(shift, place, now))
    return shift.is_override, dated, rests, bool(shift.days or shift.hours), in_turn, shift.site != "*"


def _holds(shift: Shift, place: Place, now: datetime) -> bool:
    if (shift.starts_at and now < shift.starts_at) or (shift.ends_at and now >= shift.ends_at):
        return False
    if shift.hours and not within(quiet_span(shift.hours), now.astimezone(ZoneInfo(place.zone)).time()):
        return False
    if shift.turns > 1 and _turn(shift, place.zone, now) != shift.turn:
        return False
    if not shift.days:
        return True
    day = _day(shift, place, now)
    return DAYS[day.weekday()] in shift.days or (HOLIDAY in shift.days and is_holiday(place.holidays, day))


def _day(shift: Shift, place: Place, now: datetime) -> date:
    """The local day that a moment of this shift belongs to: the small hours are the night's that began before."""
    local = now.astimezone(ZoneInfo(place.zone))
    if shift.hours:
        start, end = quiet_span(shift.hours)
        if start > end and local.time() < end:
            return local.date() - timedelta(days=1)
    return local.date()


def _turn(shift: Shift, zone: str, now: datetime) -> int:
    """Whose turn it is. Turns change at the same local time whatever the clocks do in between."""
    assert shift.starts_at
    passed = _wall(now, zone) - _wall(shift.starts_at, zone)
    number = passed // timedelta(days=shift.turn_days)
    while now >= _change(shift, zone, number + 1):
        number += 1
    while now < _change(shift, zone, number):
        number -= 1
    return number % shift.turns


def _wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _change(shift: Shift, zone: str, number: int) -> datetime:
    """The instant at which turn `number` begins."""
    assert shift.starts_at
    return (
        (_wall(shift.starts_at, zone) + number * timedelta(days=shift.turn_days))
        .replace(tzinfo=ZoneInfo(zone))
        .astimezone(UTC)
    )


# --- whom a rung names --------------------------------------------------------------------------------------------


def holders(rung: Rung, team: Team) -> list[UUID]:
    """The people of a team that a rung of the ladder names."""
    order = sorted(team)
    if rung is Rung.PRIMARY:
        return list(team[order[0]]) if order else []
    if rung is Rung.BACKUP:
        return list(team[order[1]]) if len(order) > 1 else []
    if rung is Rung.BOTH:
        return [person for level in order[:2] for person in team[level]]
    return []


def speaking_first(team: Team, speaks: Callable[[UUID], bool]) -> dict[int, list[UUID]]:
    """The team with those who speak the patient's language asked first; nobody is lost, the others are the backup."""
    order = sorted(team)
    for number, level in enumerate(order):
        first = [person for person in team[level] if speaks(person)]
        if first and (number or len(first) < len(team[level])):
            near = order[: max(2, number + 1)]
            others = [person for each in near for person in team[each] if person not in first]
            return {0: first, 1: list(dict.fromkeys(others))} | {each: list(team[each]) for each in order[len(near) :]}
        if first:
            break
    return {level: list(team[level]) for level in order}


# --- through time -------------------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """From when to when nobody changes, and who holds the rung."""

    start: datetime
    end: datetime
    who: tuple[UUID, ...]


def stretches(
    shifts: Sequence[Shift], role: Role, rung: int, place: Place, start: datetime, end: datetime
) -> list[Stretch]:
    """Who holds a rung of a role from `start` to `end`, piece by piece; an empty piece is a gap."""
    mine = [shift for shift in shifts if shift.role is role and shift.site in (place.site, "*")]
    found: list[Stretch] = []
    for begins, ends in pairwise(cuts(mine, place.zone, start, end)):
        who = tuple(on_call(mine, role, place, begins).get(rung, ()))
        if found and found[-1].who == who:
            found[-1] = Stretch(found[-1].start, ends, who)
        else:
            found.append(Stretch(begins, ends, who))
    return found


def cuts(shifts: Iterable[Shift], zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every instant between `start` and `end` at which somebody may come or go; both ends are among them."""
    local = ZoneInfo(zone)
    shifts = list(shifts)
    edges = {edge for shift in shifts if shift.hours for edge in quiet_span(shift.hours)} | {time()}
    found = {start, end}
    for day in _local_days(local, start, end):
        found |= {
            datetime.combine(day, edge, local).replace(fold=fold).astimezone(UTC) for edge in edges for fold in (0, 1)
        }
        found |= set(_when_clocks_change(day, local))
    for shift in shifts:
        found |= {moment for moment in (shift.starts_at, shift.ends_at) if moment}
        if shift.turns > 1:
            found |= set(_changes(shift, zone, start, end))
    return sorted(moment for moment in found if start <= moment <= end)


def _local_days(local: ZoneInfo, start: datetime, end: datetime) -> Iterator[date]:
    day, last = start.astimezone(local).date(), end.astimezone(local).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _when_clocks_change(day: date, local: ZoneInfo) -> Iterator[datetime]:
    """On the two days of the year on which a local time is missing or comes twice: every quarter of an hour."""
    midnight = datetime.combine(day, time(), local).astimezone(UTC)
    tomorrow = datetime.combine(day + timedelta(days=1), time(), local).astimezone(UTC)
    if tomorrow - midnight != timedelta(days=1):
        while midnight < tomorrow:
            yield midnight
            midnight += timedelta(minutes=15)


def _changes(shift: Shift, zone: str, start: datetime, end: datetime) -> Iterator[datetime]:
    assert shift.starts_at
    number = max(0, (start - shift.starts_at) // timedelta(days=shift.turn_days) - 1)
    while (moment := _change(shift, zone, number)) <= end:
        yield moment
        number += 1


class Arrival(NamedTuple):
    """Somebody's shift begins."""

    at: datetime
    who: UUID
    rung: int


def arrivals(shifts: Sequence[Shift], role: Role, place: Place, since: datetime, until: datetime) -> Iterator[Arrival]:
    """Who came on call after `since` and no later than `until`, and was not on that role's rota just before."""
    mine = [shift for shift in shifts if shift.role is role and shift.site in (place.site, "*")]
    before = {person for held in on_call(mine, role, place, since).values() for person in held}
    for moment in cuts(mine, place.zone, since, until)[1:]:
        team = on_call(mine, role, place, moment)
        yield from (Arrival(moment, who, rung) for rung, held in team.items() for who in held if who not in before)
        before = {person for held in team.values() for person in held}

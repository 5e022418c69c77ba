"""The roster: who is on call now for each role and rung, and the week, with its gaps."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue

from notifier import clock, queries, runtime
from notifier.core import routing
from notifier.core.vocabulary import TEAMS, Role
from notifier.models import OnCallShift, Site
from webhooks.console import bp
from webhooks.console.door import person

ROLES = (*TEAMS, Role.SUPERVISOR)
RUNGS = ("first rung", "backup rung")


class Stretch(NamedTuple):
    """Who holds a rung from when to when within one local day; nobody: a gap."""

    names: tuple[str, ...]
    hours: str
    is_mine: bool
    is_override: bool


class Day(NamedTuple):
    """One local day of a rung."""

    date: date
    is_today: bool
    stretches: list[Stretch]


class Rung(NamedTuple):
    """One rung of a role through a week, and who holds it now."""

    role: Role
    name: str
    now: tuple[str, ...]
    days: list[Day]


@bp.get("/roster")
def roster() -> ResponseReturnValue:
    """One site's week."""
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        sites = queries.sites(session, viewer.sites)
        chosen = request.args.get("site", viewer.home)
        site = next((each for each in sites if each.key == chosen), sites[0] if sites else None)
        shifts = queries.shifts(session, site.key) if site else []
        today = now.astimezone(ZoneInfo(site.timezone)).date() if site else now.date()
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=_week())
        week = [monday + timedelta(days=n) for n in range(7)]
        rungs = list(_rungs(site, shifts, week, viewer.staff.id, now)) if site else []
        return render_template(
            "console/roster.html",
            sites=sites,
            site=site,
            week=week,
            turn_by=_week(),
            zone=ZoneInfo(site.timezone) if site else viewer.zone,
            today=today,
            rungs=rungs,
            gaps=sum(not stretch.names for rung in rungs for day in rung.days for stretch in day.stretches),
            people=_people(shifts),
            now=now,
        )


def _week() -> int:
    return max(-52, min(52, request.args.get("week", 0, type=int)))


def _people(shifts: Sequence[OnCallShift]) -> list[OnCallShift]:
    """One shift for each person who is on call here at some time, by name."""
    by_person = {shift.staff_id: shift for shift in shifts}
    return sorted(by_person.values(), key=lambda shift: shift.staff.name)


def _rungs(site: Site, shifts: Sequence[OnCallShift], week: list[date], me: UUID, now: datetime) -> Iterator[Rung]:
    names = {shift.staff_id: shift.staff.name for shift in shifts}
    overrides = {shift.staff_id for shift in shifts if shift.is_override}
    values = [as_value(shift) for shift in shifts]
    zone = ZoneInfo(site.timezone)

    def holders(role: Role, rung: int, at: datetime) -> tuple[UUID, ...]:
        return tuple(routing.on_call(values, role, site.key, site.timezone, at).get(rung, ()))

    for role in ROLES:
        levels = sorted({shift.rung for shift in values if shift.role is role} | {0})
        for rung in levels:
            edges = _edges([shift for shift in values if shift.role is role and shift.rung == rung])
            days = []
            for day in week:
                held: list[tuple[datetime, datetime, tuple[UUID, ...]]] = []
                for start, end in _pieces(day, edges, zone, values):
                    who = holders(role, rung, start)
                    if held and held[-1][2] == who:
                        held[-1] = (held[-1][0], end, who)
                    else:
                        held.append((start, end, who))
                stretches = [
                    Stretch(
                        tuple(names[each] for each in who),
                        _hours(start, end, zone),
                        me in who,
                        bool(overrides & {*who}),
                    )
                    for start, end, who in held
                ]
                days.append(Day(day, day == now.astimezone(zone).date(), stretches))
            title = RUNGS[rung] if rung < len(RUNGS) else f"rung {rung + 1}"
            yield Rung(role, title, tuple(names[each] for each in holders(role, rung, now)), days)


def as_value(shift: OnCallShift) -> routing.Shift:
    """A shift as the roster's rules read it."""
    return routing.Shift(
        shift.staff_id,
        shift.site,
        shift.role,
        shift.rung,
        tuple(shift.days),
        shift.hours,
        shift.starts_at,
        shift.ends_at,
        shift.is_override,
    )


def _edges(shifts: Sequence[routing.Shift]) -> set[time]:
    """The local times at which somebody's hours begin or end."""
    return {edge for shift in shifts if shift.hours for edge in routing.quiet_span(shift.hours)}


def _pieces(
    day: date, edges: set[time], zone: ZoneInfo, shifts: Sequence[routing.Shift]
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a local day between which nobody changes."""
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    tomorrow = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    cuts = {midnight, tomorrow, *(datetime.combine(day, edge, zone).astimezone(UTC) for edge in edges)}
    dated = (moment for shift in shifts for moment in (shift.starts_at, shift.ends_at) if moment)
    cuts |= {moment for moment in dated if midnight < moment < tomorrow}
    ordered = sorted(cuts)
    return pairwise(ordered)


def _hours(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    first, last = start.astimezone(zone), end.astimezone(zone)
    if first.time() == time() and last.time() == time():
        return "all day"
    return f"{_short(first)} to {_short(last)}"


def _short(local: datetime) -> str:
    if local.time() == time():
        return "midnight"
    minutes = f":{local:%M}" if local.minute else ""
    return f"{local.hour % 12 or 12}{minutes}{'a' if local.hour < 12 else 'p'}"

"""The roster: who is on call now for each role and rung, and the week, with its gaps."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue

from notifier import access, clock, queries, runtime
from notifier import roster as roster_of
from notifier.core import oncall
from notifier.core.gaps import rung_name
from notifier.core.vocabulary import Role
from notifier.models import OnCallShift, Site
from webhooks.console import bp
from webhooks.console.door import person
from webhooks.console.tongue import _

A_DAY = timedelta(days=1)


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
            lint=roster_of.lint(session, site, now) if site else None,
            covers=[shift for shift in shifts if shift.made_by and shift.ends_at and shift.ends_at > now],
            colleagues=queries.colleagues(session, (site.key,)) if site else [],
            roles=roster_of.ROLES,
            may_plan=access.may(viewer.staff.roles, access.Right.ROSTER),
            now=now,
        )


def _week() -> int:
    return max(-52, min(52, request.args.get("week", 0, type=int)))


def _people(shifts: Sequence[OnCallShift]) -> list[OnCallShift]:
    """One shift for each person who is on call here at some time, by name."""
    by_person = {shift.staff_id: shift for shift in shifts}
    return sorted(by_person.values(), key=lambda shift: shift.staff.name)


def _rungs(site: Site, rows: Sequence[OnCallShift], week: list[date], me: UUID, now: datetime) -> Iterator[Rung]:
    names = {shift.staff_id: shift.staff.name for shift in rows}
    overrides = {shift.staff_id for shift in rows if shift.is_override}
    shifts, place, zone = [roster_of.as_value(row) for row in rows], roster_of.place(site), ZoneInfo(site.timezone)
    for role in roster_of.ROLES:
        team = oncall.on_call(shifts, role, place, now)
        for rung in sorted({shift.rung for shift in shifts if shift.role is role} | {0}):
            days = []
            for day in week:
                start, end = (datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + A_DAY))
                stretches = [
                    Stretch(
                        tuple(names[each] for each in held.who),
                        _hours(held.start, held.end, zone),
                        me in held.who,
                        bool(overrides & {*held.who}),
                    )
                    for held in oncall.stretches(shifts, role, rung, place, start, end)
                ]
                days.append(Day(day, day == now.astimezone(zone).date(), stretches))
            yield Rung(role, rung_name(rung), tuple(names[each] for each in team.get(rung, ())), days)


def _hours(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    first, last = start.astimezone(zone), end.astimezone(zone)
    if first.time() == time() and last.time() == time():
        return _("all day")
    return _("%(start)s to %(end)s", start=_short(first), end=_short(last))


def _short(local: datetime) -> str:
    if local.time() == time():
        return _("midnight")
    minutes = f":{local:%M}" if local.minute else ""
    return f"{local.hour % 12 or 12}{minutes}{'a' if local.hour < 12 else 'p'}"

"""The rota as the database holds it: who is on call at a site now and ahead, whose phone rings, and who covers."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal, pages, phone_lines
from notifier.core import oncall
from notifier.core.business import Calendar, quiet_span
from notifier.core.gaps import AHEAD, Gap, gaps
from notifier.core.oncall import Place, Shift
from notifier.core.vocabulary import CANARY, TEAMS, Role
from notifier.errors import Missing, Refused
from notifier.models import OnCallShift, Site, Staff

ROLES = (*TEAMS, Role.SUPERVISOR)
LAST_RESORT = "last_resort"  # the key of the staff row that holds the answering service


def place(site: Site) -> Place:
    """A site as the rules of the rota read it."""
    return Place(site.key, site.timezone, site.holidays)


def calendar(site: Site) -> Calendar:
    """When a site's office works."""
    hours = quiet_span(site.business_hours) if site.business_hours else None
    given = {"days": tuple(site.business_days)} if site.business_days else {}
    return Calendar(site.timezone, hours, holidays=site.holidays, **given)


def as_value(row: OnCallShift) -> Shift:
    """A shift as the rules of the rota read it."""
    return Shift(
        row.staff_id,
        row.site,
        row.role,
        row.rung,
        tuple(row.days),
        row.hours,
        row.starts_at,
        row.ends_at,
        row.is_override,
        row.turn,
        row.turns,
        row.turn_days,
    )


def shifts(session: Session, site: Site, role: Role | None = None) -> list[Shift]:
    """Every shift that counts at a site. The canary's site has its own people alone, whatever "*" says."""
    wanted = [site.key] if site.key == CANARY else [site.key, "*"]
    found = select(OnCallShift).where(OnCallShift.site.in_(wanted))
    if role is not None:
        found = found.where(OnCallShift.role == role)
    return [as_value(row) for row in session.scalars(found)]


def on_call(session: Session, role: Role, site: Site, now: datetime) -> dict[int, list[uuid.UUID]]:
    """Who holds each rung of a role at a site now: rung -> staff ids. Without a roster: whoever has the role."""
    known = shifts(session, site, role)
    if known:
        return oncall.on_call(known, role, place(site), now)
    having = [person.id for person in _staff(session) if _has(person, role, site)]
    return {0: having} if having else {}


def _staff(session: Session) -> Sequence[Staff]:
    return session.scalars(select(Staff).where(Staff.active)).all()


def _has(person: Staff, role: Role, site: Site) -> bool:
    return role in person.roles and (not person.sites or site.key in person.sites)


def rings(person: Staff) -> bool:
    """Whether this person works here and has a phone that can be paged."""
    return person.active and bool(person.phone_hash)


# --- ahead of time ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doubt:
    """Somebody on the rota whose phone may not ring, and why."""

    person: Staff
    why: str


@dataclass(frozen=True)
class Lint:
    """What is wrong with a site's rota in the days ahead."""

    gaps: Sequence[Gap]
    doubts: Sequence[Doubt]
    notes: Sequence[str] = ()  # rungs that no line of the rota names: pages go past them at once, which may be meant

    def __bool__(self) -> bool:
        return bool(self.gaps or self.doubts)


def lint(session: Session, site: Site, now: datetime) -> Lint:
    """The next 30 days of a site: rungs that would wake nobody, and phones that may not ring."""
    known, people = shifts(session, site), {person.id: person for person in session.scalars(select(Staff))}
    staff = [person for person in people.values() if rings(person)]
    found = gaps(
        known,
        ROLES,
        place(site),
        now,
        now + AHEAD,
        rings=lambda staff_id: rings(people[staff_id]),
        anybody=lambda role: any(_has(person, role, site) for person in staff),
    )
    named = {shift.staff_id for shift in known if shift.ends_at is None or shift.ends_at > now}
    named |= {person.id for person in people.values() if person.key == LAST_RESORT}
    doubts = list(_doubts(session, (people[staff_id] for staff_id in named)))
    return Lint(found, doubts, list(notes(known, any(person.key == LAST_RESORT for person in staff))))


def notes(known: Sequence[Shift], has_last_resort: bool) -> Iterable[str]:
    """What the ladders name and nobody will ever hold."""
    for role in ROLES:
        rungs = {shift.rung for shift in known if shift.role is role}
        if role in (Role.NURSE, Role.PHARMACIST) and 1 not in rungs:
            yield f"{role}: no backup stands on the rota; a page goes on to the supervisor"
        if role is Role.SUPERVISOR and not rungs:
            yield "supervisor: no rota; whoever has the role is paged"
    if not has_last_resort:
        yield "no answering service: give [last_resort] a phone, or the ladder ends with the supervisor"


def _doubts(session: Session, people: Iterable[Staff]) -> Iterable[Doubt]:
    for person in sorted(people, key=lambda each: each.key):
        if not person.active:
            yield Doubt(person, "no longer works here")
        elif not person.phone_hash:
            yield Doubt(person, "has no phone")
        elif person.texts_stopped_at:
            yield Doubt(person, "texted STOP: pages come by call alone")
        elif person.phone_verified_at is None and person.key != LAST_RESORT:
            yield Doubt(person, "has a phone that has never answered us")
        elif person.key != LAST_RESORT and not phone_lines.kind_of(session, person.phone_hash).takes_texts:
            yield Doubt(person, "has a landline: pages come by call alone")


def report(session: Session, site_key: str | None, now: datetime) -> Iterable[tuple[str, bool]]:
    """The lint of every site, or of one, a line each; whether the line is a gap. Raises Missing."""
    sites = session.scalars(select(Site).where(Site.key != CANARY).order_by(Site.key)).all()
    chosen = [site for site in sites if site_key in (None, site.key)]
    if not chosen:
        raise Missing(f"There is no site {site_key}." if site_key else "There is no site yet: run `notifier apply`.")
    for site in chosen:
        zone, found = ZoneInfo(site.timezone), lint(session, site, now)
        for gap in found.gaps:
            span = f"{gap.start.astimezone(zone):%Y-%m-%d %H:%M} to {gap.end.astimezone(zone):%Y-%m-%d %H:%M}"
            why = "no phone that rings" if gap.held else "nobody"
            yield f"{site.key}: {gap.role}, {gap.name}: {span}: {why}", True
        for doubt in found.doubts:
            yield f"{site.key}: {doubt.person.key} {doubt.why}", False
        for note in found.notes:
            yield f"{site.key}: {note}", False
        if not found:
            yield f"{site.key}: every rung is held by a phone that has answered", False


# --- covers and swaps ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cover:
    """One person takes a rung from when to when."""

    site: str
    role: Role
    rung: int
    staff_id: uuid.UUID
    starts_at: datetime
    ends_at: datetime


def cover(session: Session, wanted: Sequence[Cover], *, by: str, now: datetime) -> list[OnCallShift]:
    """Make these covers all at once: one for a cover, two for a swap. They rule over every other line of the rota.

    Raises Refused: over already, ends before it begins, the person is gone, has no phone or not the role.
    """
    made = []
    for each in wanted:
        person = session.get(Staff, each.staff_id)
        if each.ends_at <= each.starts_at:
            raise Refused("A cover must end after it begins.")
        if each.ends_at <= now:
            raise Refused("That time is over already.")
        if person is None or not rings(person):
            raise Refused("Choose somebody who works here and has a phone.")
        if each.role not in person.roles:
            raise Refused(f"{person.name} is not a {each.role}.")
        row = OnCallShift(
            site=each.site,
            role=each.role,
            rung=each.rung,
            staff_id=person.id,
            days=[],
            starts_at=each.starts_at,
            ends_at=each.ends_at,
            is_override=True,
            made_by=by,
        )
        session.add(row)
        session.flush()
        journal.note(session, row, "on_call_shift.covered", now=now, by=by, detail=f"{each.role} {each.rung}")
        made.append(row)
    return made


def uncover(session: Session, row: OnCallShift, *, by: str, now: datetime) -> None:
    """Take a cover back. Raises Refused for a line of the file."""
    if row.made_by is None:
        raise Refused("This line comes from pharmacy.toml; change it there.")
    journal.note(session, row, "on_call_shift.uncovered", now=now, by=by, detail=f"{row.role} {row.rung}")
    session.delete(row)
    session.flush()


# --- who hears of it ----------------------------------------------------------------------------------------------


def supervisors(session: Session, site: Site, now: datetime) -> list[Staff]:
    """Who supervises a site now and can be told; nobody on call: everybody who has the role."""
    held = [person for level in on_call(session, Role.SUPERVISOR, site, now).values() for person in level]
    found = [person for person in session.scalars(select(Staff).where(Staff.id.in_(held))) if rings(person)]
    return found or [person for person in _staff(session) if _has(person, Role.SUPERVISOR, site) and rings(person)]


def operations(session: Session) -> list[Staff]:
    """Who hears that the service itself is not well: administrators, else supervisors, else the answering service."""
    people = [person for person in _staff(session) if rings(person) and person.key != CANARY]
    for wanted in (Role.ADMIN, Role.SUPERVISOR):
        if found := [person for person in people if wanted in person.roles]:
            return found
    return [person for person in people if person.key == LAST_RESORT] or people


def tell_of_gaps(session: Session, site: Site, now: datetime) -> Lint:
    """Tell the site's supervisor once a day what is wrong with the coming rota; nothing when all is well."""
    found = lint(session, site, now)
    zone = ZoneInfo(site.timezone)
    if found:
        first = found.gaps[0] if found.gaps else None
        values = {
            "number": str(len(found.gaps) + len(found.doubts)),
            "role": f"{first.role} {first.name}" if first else found.doubts[0].person.name,
            "time": f"{first.start.astimezone(zone):%b %d %H:%M}" if first else found.doubts[0].why,
        }
        for person in supervisors(session, site, now):
            key = f"gaps:{site.key}:{now.astimezone(zone).date()}:{person.id}"
            pages.notify(session, person, site.key, key, "staff.gaps", values, now=now)
    return found


def test_phone(session: Session, person: Staff, site_key: str, *, by: str, now: datetime) -> None:
    """Ask a phone to answer, so that we know that it rings. Raises Refused: there is none."""
    if not rings(person):
        raise Refused(f"{person.name} has no phone.")
    key = f"test:{person.id}:{int(now.timestamp())}"
    pages.notify(session, person, site_key, key, "staff.test", {}, now=now)
    journal.note(session, person, "staff.phone_tested", now=now, by=by)

"""Makes the sites, staff, rotas and ladders of a pharmacy those of its file, and tells what changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal, phone_lines, tickets
from notifier.core.states import TicketState
from notifier.core.vocabulary import CANARY, Pages, Role, Urgency
from notifier.db import Base
from notifier.errors import Invalid
from notifier.models import Ladder, OnCallShift, Site, Staff, Ticket
from notifier.pharmacy_file import Row, read
from notifier.roster import LAST_RESORT
from notifier.sealing import lookup

_SITE_DEFAULTS: Row = {
    "sms_from": None,
    "messaging_service": None,
    "voice_from": None,
    "languages": ["en"],
    "quiet_hours": "20:00-08:00",
    "sender_rate": 1.0,
    "call_rate": 1.0,
    "business_hours": None,
    "business_days": [],
    "holidays": "",
}
_CALENDAR = {"timezone", "quiet_hours", "business_hours", "business_days", "holidays"}
_STAFF_DEFAULTS: Row = {
    "sites": [],
    "email": None,
    "languages": ["en"],
    "pages": Pages.SMS,
    "active": True,
    "second_phone": None,
    "reach": [],
}


def apply(session: Session, text: str, *, by: str, now: datetime) -> list[str]:
    """Make sites, staff, rotas and ladders those of the file. Returns the difference, a line each; [] the second time.

    Sites that the file does not name stay; staff that it no longer names are told nothing more and cannot sign in.
    Raises Invalid, which names every fault of the file at once.
    """
    file = read(text)
    if file.faults:
        raise Invalid(file.faults)
    changes = [line for key, row in file.sites.items() for line in _site(session, key, row, by, now)]
    changes += _staff(session, file.staff, by, now)
    changes += _shifts(session, file.shifts, by, now)
    for urgency in list(Urgency)[:-1]:
        changes += _ladder(session, urgency, file.ladders.get(urgency), by, now)
    session.flush()
    return changes


def _site(session: Session, key: str, row: Row, by: str, now: datetime) -> list[str]:
    facts = _SITE_DEFAULTS | row
    site = session.get(Site, key)
    if site is None:
        site = Site(key=key, **facts)
        session.add(site)
        session.flush()
        journal.note(session, site, "site.added", now=now, by=by)
        return [f"site {key}: added"]
    changed = any(getattr(site, column) != facts.get(column, getattr(site, column)) for column in _CALENDAR)
    lines = _change(session, site, f"site {key}", facts, by, now)
    if changed:  # what is due is due by the new calendar
        for ticket in session.scalars(
            select(Ticket).where(Ticket.site_key == key, Ticket.state != TicketState.RESOLVED)
        ):
            tickets.recompute(ticket)
    return lines


def _change(session: Session, row: Base, name: str, facts: Row, by: str, now: datetime) -> list[str]:
    """Set what differs. The lines name settings, never values: a value may be somebody's phone."""
    changed = [column for column, value in facts.items() if getattr(row, column) != value]
    for column in changed:
        setattr(row, column, facts[column])
    if not changed:
        return []
    told = ", ".join(column for column in changed if not column.endswith("_hash"))
    journal.note(session, row, f"{row.__tablename__}.changed", now=now, by=by, detail=told)
    return [f"{name}: {told} changed"]


def _staff(session: Session, wanted: Mapping[str, Row], by: str, now: datetime) -> list[str]:
    changes = []
    people = session.scalars(select(Staff)).all()
    by_key = {person.key: person for person in people}
    by_email = {person.email_hash: person for person in people if person.email_hash}
    for former in people:
        # `user add` makes its own; those of the file go with it.
        own = former.key == CANARY or former.key.startswith("user-")
        if former.active and former.key not in wanted and not own:
            changes += _change(session, former, f"staff {former.key}", {"active": False}, by, now)
            former.phone, former.phone_hash = None, None  # the number may be somebody else's next
            former.second_phone, former.second_phone_hash = None, None
    for key, row in wanted.items():
        if key in by_key and by_key[key].phone_hash != lookup(row["phone"]):
            by_key[key].phone_hash = None  # two people may have changed phones with each other
            by_key[key].phone_verified_at = by_key[key].texts_stopped_at = None  # another phone has proven nothing
        if key in by_key:
            by_key[key].second_phone_hash = None
    session.flush()
    for key, row in wanted.items():
        facts = _STAFF_DEFAULTS | row
        facts["phone_hash"] = lookup(facts["phone"])
        facts["second_phone_hash"] = lookup(facts["second_phone"]) if facts["second_phone"] else None
        facts["email_hash"] = lookup(facts["email"].lower()) if facts["email"] else None
        person = by_key.get(key) or by_email.get(facts["email_hash"])
        if person is None:
            newcomer = Staff(key=key, **facts)
            session.add(newcomer)
            session.flush()
            journal.note(session, newcomer, "staff.added", now=now, by=by)
            changes.append(f"staff {key}: added")
            continue
        if Role.ADMIN in person.roles and Role.ADMIN not in facts["roles"]:
            facts["roles"] = [*facts["roles"], Role.ADMIN.value]  # given by hand: the file shuts nobody out
        if facts["email"] is None:
            del facts["email"], facts["email_hash"]
        changes += _change(session, person, f"staff {key}", {"key": key, **facts}, by, now)
    session.flush()
    for key, row in wanted.items():
        if key != LAST_RESORT:  # which is called in any case
            for phone in filter(None, (row["phone"], row.get("second_phone"))):
                phone_lines.want(session, phone, now=now)
    return changes


def _shifts(session: Session, wanted: list[Row], by: str, now: datetime) -> list[str]:
    ids = dict(session.execute(select(Staff.key, Staff.id)).all())
    names = {staff_id: key for key, staff_id in ids.items()}
    columns = ["site", "role", "rung", "staff_id", "days", "hours", "starts_at", "ends_at", "is_override"]
    columns += ["turn", "turns", "turn_days"]
    changes = []
    standing = {_shape({column: getattr(shift, column) for column in columns}): shift for shift in _all_shifts(session)}
    facts = [
        {**{name: value for name, value in row.items() if name != "staff"}, "staff_id": ids[row["staff"]]}
        for row in wanted
    ]
    shapes = {_shape(row): row for row in facts}
    for shape, row in shapes.items():
        if shape not in standing:
            shift = OnCallShift(**row)
            session.add(shift)
            session.flush()
            journal.note(session, shift, "on_call_shift.added", now=now, by=by)
            changes.append(f"{_told(row, names)}: added")
    for shape, shift in standing.items():
        if shape not in shapes:
            row = {column: getattr(shift, column) for column in columns}
            journal.note(session, shift, "on_call_shift.removed", now=now, by=by)
            session.delete(shift)
            changes.append(f"{_told(row, names)}: removed")
    return changes


def _all_shifts(session: Session) -> list[OnCallShift]:
    """The lines of the file; covers made in the console stand beside them."""
    ours = select(OnCallShift).where(OnCallShift.made_by.is_(None), OnCallShift.site != CANARY)
    return list(session.scalars(ours).unique().all())


def _shape(row: Row) -> tuple[tuple[str, Any], ...]:
    """A shift as a value, by which it is known again."""
    return tuple(
        (name, tuple(value) if isinstance(value, list) else value.timestamp() if isinstance(value, datetime) else value)
        for name, value in sorted(row.items())
    )


def _told(row: Row, names: Mapping[Any, str]) -> str:
    kind = "override" if row["is_override"] else "rota"
    when = " ".join(filter(None, (",".join(row["days"]), row["hours"])))
    dates = f" from {row['starts_at']:%Y-%m-%d %H:%M}" if row["starts_at"] else ""
    dates += f", turn {row['turn'] + 1} of {row['turns']}" if row["turns"] > 1 else ""
    return (
        f"{kind} {row['site']} {row['role']} {row['rung']}: {names[row['staff_id']]}{' ' if when else ''}{when}{dates}"
    )


def _ladder(session: Session, urgency: Urgency, rungs: list[Row] | None, by: str, now: datetime) -> list[str]:
    standing = session.get(Ladder, urgency)
    if rungs is None:
        if standing is None:
            return []
        journal.note(session, standing, "ladder.removed", now=now, by=by, detail=urgency)
        session.delete(standing)
        return [f"ladder {urgency}: removed; the catalog's stands"]
    if standing is None:
        standing = Ladder(urgency=urgency, rungs=rungs)
        session.add(standing)
        session.flush()
        journal.note(session, standing, "ladder.added", now=now, by=by, detail=urgency)
        return [f"ladder {urgency}: added"]
    return _change(session, standing, f"ladder {urgency}", {"rungs": rungs}, by, now)

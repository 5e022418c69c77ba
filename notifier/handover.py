"""A shift begins: who comes is told what waits, and confirms; if nobody does, the supervisor hears of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, joinedload

from notifier import journal, pages, queries, roster
from notifier.core import oncall, wording
from notifier.core.gaps import Gap
from notifier.core.states import PlanState, TicketState
from notifier.core.vocabulary import Prompt, Role
from notifier.models import HandOver, Inbound, Message, Site, Staff, TherapyPlan, Ticket

CONFIRM = timedelta(minutes=15)
CONFIRMABLE = timedelta(hours=12)
PROMISES_AHEAD = timedelta(hours=2)
FIRST_WEEK = timedelta(days=7)
SILENT = timedelta(hours=4)  # a check-in that nobody has answered for so long
FAILED = timedelta(hours=12)
GAPS_AHEAD = timedelta(days=1)
QUIET_PLANS = (PlanState.RECEIVED, PlanState.PAUSED, PlanState.ENDED, PlanState.DECEASED)


@dataclass(frozen=True)
class Digest:
    """What waits for a role at a site; rows for the console, counts for a text."""

    tickets: Sequence[Ticket]  # unresolved, the least time left first
    promises: Sequence[Ticket]  # promised within two hours or late, nobody reached yet
    silent: Sequence[Message]  # check-ins of first-week patients without an answer
    failed: Sequence[Message]  # to patients, not arrived or in doubt
    gaps: Sequence[Gap]  # in the role's rota, in the next day

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "open": len(self.tickets),
            "promised": len(self.promises),
            "silent": len(self.silent),
            "failed": len(self.failed),
            "gaps": len(self.gaps),
        }


def digest(session: Session, site: Site, role: Role, now: datetime) -> Digest:
    """What somebody whose shift begins now must know."""
    mine: list[ColumnElement[bool]] = [Ticket.site_key == site.key, Ticket.state != TicketState.RESOLVED]
    if role is not Role.SUPERVISOR:
        mine.append(Ticket.role == role)
    unresolved = select(Ticket).where(*mine).options(joinedload(Ticket.patient)).order_by(Ticket.respond_by).limit(500)
    tickets = session.scalars(unresolved).all()
    promised = [
        ticket
        for ticket in tickets
        if ticket.promised_by and ticket.contacted_at is None and ticket.promised_by <= now + PROMISES_AHEAD
    ]
    return Digest(
        tickets,
        promised,
        _silent(session, site, now),
        queries.needing_a_hand(session, (site.key,), now - FAILED),
        [gap for gap in roster.lint(session, site, now).gaps if gap.role is role and gap.start < now + GAPS_AHEAD],
    )


def _silent(session: Session, site: Site, now: datetime) -> Sequence[Message]:
    """Check-ins of patients in their first week that nobody has answered, by any word of theirs since."""
    spoke = exists().where(Inbound.patient_id == Message.patient_id, Inbound.received_at >= Message.sent_at)
    later = (
        select(func.max(Message.sent_at))
        .where(Message.patient_id == TherapyPlan.patient_id, Message.prompt == Prompt.CHECK_IN)
        .correlate(TherapyPlan)
        .scalar_subquery()
    )
    found = (
        select(Message)
        .join(TherapyPlan, TherapyPlan.id == Message.plan_id)
        .where(
            Message.site_key == site.key,
            Message.prompt == Prompt.CHECK_IN,
            Message.sent_at.is_not(None),
            Message.sent_at <= now - SILENT,
            Message.sent_at == later,
            Message.answered_at.is_(None),
            TherapyPlan.first_dose_at <= now,
            TherapyPlan.first_dose_at > now - FIRST_WEEK,
            TherapyPlan.state.not_in(QUIET_PLANS),
            ~spoke,
        )
        .options(joinedload(Message.contact))
        .order_by(Message.sent_at)
    )
    return session.scalars(found).all()


def begin(session: Session, since: datetime, now: datetime) -> list[HandOver]:
    """Tell everybody whose shift began after `since` what waits. The same shift is told once."""
    made = []
    for site in queries.sites(session):
        known, where = roster.shifts(session, site), roster.place(site)
        for role in roster.ROLES:
            for came in oncall.arrivals(known, role, where, since, now):
                person = session.get_one(Staff, came.who)
                if roster.rings(person) and (row := _begin(session, site, role, person, came.at, now)):
                    made.append(row)
    return made


def _begin(
    session: Session, site: Site, role: Role, person: Staff, began_at: datetime, now: datetime
) -> HandOver | None:
    same = select(HandOver.id).where(
        HandOver.site_key == site.key,
        HandOver.role == role,
        HandOver.staff_id == person.id,
        HandOver.began_at == began_at,
    )
    if session.scalars(same).first() is not None:
        return None
    row = HandOver(
        site_key=site.key,
        role=role,
        staff_id=person.id,
        began_at=began_at,
        counts=digest(session, site, role, now).counts,
        confirm_by=now + CONFIRM,
    )
    session.add(row)
    session.flush()
    values = {"role": role.value, "others": in_words(row.counts)}
    pages.notify(session, person, site.key, f"handover:{row.id}", "staff.handover", values, now=now)
    return row


def in_words(counts: dict[str, int]) -> str:
    """`3 open, 1 promised within 2 h, 0 silent, 0 failed sends, 1 gap ahead`."""
    gaps = counts["gaps"]
    return (
        f"{counts['open']} open, {counts['promised']} promised within 2 h, {counts['silent']} silent, "
        f"{counts['failed']} failed sends, {gaps} gap{'s' if gaps != 1 else ''} ahead"
    )


def confirm(session: Session, person: Staff, *, now: datetime) -> bool:
    """The one who came has read it: every hand-over that waits for them is confirmed. False: none waited."""
    waiting = session.scalars(
        select(HandOver).where(
            HandOver.staff_id == person.id, HandOver.confirmed_at.is_(None), HandOver.began_at > now - CONFIRMABLE
        )
    ).all()
    for row in waiting:
        row.confirmed_at, row.confirm_by = now, None
        journal.note(session, row, "hand_over.confirmed", now=now, by=person.name)
    return bool(waiting)


def waiting(session: Session, person: Staff, now: datetime) -> bool:
    """Whether a shift of theirs waits to be confirmed."""
    row = select(HandOver.id).where(
        HandOver.staff_id == person.id, HandOver.confirmed_at.is_(None), HandOver.began_at > now - CONFIRMABLE
    )
    return session.scalars(row.limit(1)).first() is not None


def recent(session: Session, site: Site, now: datetime) -> Sequence[HandOver]:
    """The shifts that began at a site in the last half day, the newest first."""
    rows = select(HandOver).where(HandOver.site_key == site.key, HandOver.began_at > now - CONFIRMABLE)
    return session.scalars(rows.order_by(HandOver.began_at.desc()).limit(20)).all()


def unconfirmed(session: Session, now: datetime) -> int:
    """Tell the supervisor of every shift that nobody has confirmed in time. Returns how many."""
    late = session.scalars(select(HandOver).where(HandOver.confirm_by.is_not(None), HandOver.confirm_by <= now)).all()
    for row in late:
        row.confirm_by = None
        at = row.began_at.astimezone(ZoneInfo(row.site.timezone))
        values = {"owner": row.staff.name, "role": row.role.value, "time": wording.say_time(at, "en")}
        for person in roster.supervisors(session, row.site, now):
            key = f"unconfirmed:{row.id}:{person.id}"
            pages.notify(session, person, row.site_key, key, "staff.handover.unconfirmed", values, now=now)
    return len(late)

"""Taking what is due: checked once more, its words frozen, its attempt written down and leased, all before any call."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, insert, select, update
from sqlalchemy.orm import Session

from notifier import call_limit, journal, phone_lines, saying
from notifier.catalog import Catalog
from notifier.core import leaving, wording
from notifier.core.leaving import Drop, Facts, Leave, TooLate, Wait
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Contact, Message, Patient, PhoneLine, Site, TherapyPlan, Ticket
from notifier.provider import Order
from notifier.sending.lanes import PLANNED, Lane, in_lane, sender_of
from notifier.sending.ways import when_it_mattered

ENOUGH = float("inf")
LEASE = timedelta(seconds=60)  # four times the longest call to Twilio
PUT_OFF = timedelta(minutes=5)


def due(session: Session, lane: Lane | None, *, now: datetime, limit: int) -> Sequence[uuid.UUID]:
    """Ids of planned messages whose time has come, of one lane or (None) all that are urgent.

    On PostgreSQL those that nobody else is claiming, held for this transaction.
    """
    wanted = select(Message.id).where(in_lane(lane) if lane else PLANNED & Message.urgent, Message.due_at <= now)
    # What is due at the same instant leaves in the order of the journey: the consent's text first.
    wanted = wanted.order_by(Message.due_at, Message.template).limit(limit)
    return session.scalars(wanted.with_for_update(skip_locked=True)).all()


def any_urgent(session: Session, *, now: datetime) -> bool:
    """Whether anything urgent is due."""
    return bool(session.scalar(select(exists().where(PLANNED, Message.urgent, Message.due_at <= now))))


@dataclass
class _Claims:
    """What becomes of the messages of one batch."""

    orders: dict[uuid.UUID, Order] = field(default_factory=dict)  # by message
    facts: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    dropped: defaultdict[str, list[uuid.UUID]] = field(default_factory=lambda: defaultdict(list))
    waiting: defaultdict[datetime, list[uuid.UUID]] = field(default_factory=lambda: defaultdict(list))
    too_late: list[uuid.UUID] = field(default_factory=list)


def claim_all(
    session: Session,
    ids: Sequence[uuid.UUID],
    *,
    catalog: Catalog,
    public_base_url: str,
    now: datetime,
    real_now: datetime,
    lease: timedelta = LEASE,
    rooms: Mapping[str, float] | None = None,
    calls_at_once: int = 0,
    line_hold: timedelta = timedelta(),
) -> list[Order]:
    """Take the due messages among these. What is not wanted (any more) is cancelled, too late or put off.

    `rooms`: so many segments (calls) of a lane may leave now, of one that is not named any number; those beyond stay,
    but a lane's first leaves however long it is. `line_hold`: so long a journey's texts wait to hear what kind of phone
    a new number is.
    """
    if not ids:
        return []
    sites = {site.key: site for site in session.scalars(select(Site))}
    claims, left, used = _Claims(), dict(rooms or {}), Counter[str]()
    lines = call_limit.Lines(session, calls_at_once, real_now)
    for row in _read(session, ids, now):
        match leaving.verdict(_facts(row, sites[row.site_key], catalog, line_hold), now):
            case Drop(why):
                claims.dropped[why].append(row.id)
            case Wait(until):
                claims.waiting[until].append(row.id)
            case TooLate():
                claims.too_late.append(row.id)
            case Leave() if row.channel is Channel.VOICE and not lines.take(urgent=row.urgent):
                claims.waiting[now + call_limit.HELD].append(row.id)
            case Leave() if left.get(name := sender_of(sites[row.site_key], row.channel), ENOUGH) > 0:
                order = _take(session, claims, row, sites[row.site_key], catalog, public_base_url, now, real_now, lease)
                left[name] = left.get(name, ENOUGH) - order.segments
                if left[name] < 0 and used[name]:
                    _leave_behind(claims, row.id)
                used[name] += order.segments
    _write(session, claims, now=now)
    for message_id in claims.too_late:
        _expire(session, session.get_one(Message, message_id), catalog=catalog, now=now)
    return list(claims.orders.values())


def claim(session: Session, message_id: uuid.UUID, **given: Any) -> Order | None:
    """Take one due message. None: not wanted (any more), or taken."""
    return next(iter(claim_all(session, [message_id], **given)), None)


def _read(session: Session, ids: Sequence[uuid.UUID], now: datetime) -> Sequence[Row[Any]]:
    """Everything that decides about these messages, in the order given, held for this transaction."""
    rows: Any = session.execute(
        select(
            *(Message.id, Message.site_key, Message.channel, Message.to, Message.template, Message.language),
            *(Message.values, Message.step, Message.not_after, Message.any_hour, Message.after_opt_out),
            *(Message.attempts, Message.contact_id, Message.ticket_id, Message.urgent),
            Contact.active,
            Contact.sms_consent,
            Contact.voice_consent,
            Patient.timezone,
            Patient.held_until,
            TherapyPlan.state.label("plan"),
            Ticket.state.label("ticket"),
            PhoneLine.wanted_at,
        )
        .outerjoin(Contact, Contact.id == Message.contact_id)
        .outerjoin(Patient, Patient.id == Contact.patient_id)
        .outerjoin(TherapyPlan, TherapyPlan.id == Message.plan_id)
        .outerjoin(Ticket, Ticket.id == Message.ticket_id)
        .outerjoin(PhoneLine, (PhoneLine.phone_hash == Message.to_hash) & PhoneLine.waits)
        .where(Message.id.in_(ids), PLANNED, Message.due_at <= now)
        .with_for_update(of=Message)
    ).all()
    place = {message_id: place for place, message_id in enumerate(ids)}
    return sorted(rows, key=lambda row: place[row.id])


def _facts(row: Row[Any], site: Site, catalog: Catalog, line_hold: timedelta) -> Facts:
    asked = bool(row.step) and row.channel is Channel.SMS and row.wanted_at is not None
    return Facts(
        template=row.template,
        is_step=bool(row.step),
        after_end=bool(row.step) and catalog.journeys.speaks_after_end(row.step),
        not_after=row.not_after,
        quiet=site.quiet_hours,
        any_hour=row.any_hour,
        after_opt_out=row.after_opt_out,
        page_is_wanted=row.template != "page" or row.ticket_id is None or row.ticket is TicketState.OPEN,
        plan=row.plan,
        has_contact=row.contact_id is not None,
        active=row.active is not False,
        consent=row.sms_consent if row.channel is Channel.SMS else row.voice_consent,
        zone=row.timezone or "UTC",
        held_until=row.held_until,
        line_by=phone_lines.awaited_until(row.wanted_at, line_hold) if asked else None,
    )


def _take(
    session: Session,
    claims: _Claims,
    row: Row[Any],
    site: Site,
    catalog: Catalog,
    base: str,
    now: datetime,
    real_now: datetime,
    lease: timedelta,
) -> Order:
    body = saying.say(session, row, site, catalog)
    is_call = row.channel is Channel.VOICE
    segments = 1 if is_call else wording.segments(body)[0]
    attempt_id, n = uuid.uuid4(), row.attempts + 1
    claims.facts[row.id] = {
        "lease_until": real_now + lease,
        "attempt_id": attempt_id,
        "attempts": n,
        "body": body,
        "template_version": catalog.version(row.values.get("words", row.template), row.language, row.channel),
        "segments": None if is_call else segments,
    }
    claims.attempts.append(
        {"id": attempt_id, "message_id": row.id, "n": n, "started_at": now, "began": real_now, "looked": 0}
    )
    left = int((row.not_after - now).total_seconds())
    claims.orders[row.id] = order = Order(
        attempt_id=str(attempt_id),
        channel=row.channel,
        to=row.to,
        sender=(site.voice_from if is_call else site.sms_from) or "",
        messaging_service="" if is_call else (site.messaging_service or ""),
        body="" if is_call else body,
        status_url=f"{base}/twilio/status/{attempt_id}",
        voice_url=f"{base}/twilio/voice/{attempt_id}" if is_call else "",
        machine_url=f"{base}/twilio/voice/{attempt_id}/machine" if is_call else "",
        ring_seconds=catalog.calls.ring_seconds,
        valid_seconds=max(60, min(left, 36_000)),
        segments=segments,
        lane=sender_of(site, row.channel),
    )
    return order


def _leave_behind(claims: _Claims, message_id: uuid.UUID) -> None:
    del claims.orders[message_id], claims.facts[message_id]
    claims.attempts.pop()


def _write(session: Session, claims: _Claims, *, now: datetime) -> None:
    by = journal.SYSTEM
    journal.advance_each(session, Message, claims.facts, MessageState.SENDING, now=now, by=by)
    if claims.attempts:
        session.connection().execute(insert(Attempt.__table__), claims.attempts)  # type: ignore[arg-type]
    for why, ids in claims.dropped.items():
        journal.advance_all(session, Message, ids, MessageState.CANCELLED, now=now, by=by, why=why)
    for until, ids in claims.waiting.items():
        session.execute(
            update(Message)
            .where(Message.id.in_(ids), PLANNED)
            .values(due_at=until)
            .execution_options(synchronize_session=False)
        )


def put_off(session: Session, message_id: uuid.UUID, fault: str, *, now: datetime, pace: float) -> None:
    """A fault of ours keeps this one from being made ready: it steps out of the others' way and is tried again."""
    session.execute(
        update(Message)
        .where(Message.id == message_id, Message.state == MessageState.PLANNED)
        .values(due_at=now + PUT_OFF * pace, why=f"could not be made ready: {fault}"[:200])
        .execution_options(synchronize_session=False)
    )


def _expire(session: Session, message: Message, *, catalog: Catalog, now: datetime) -> None:
    moved = journal.advance(
        session, message, MessageState.EXPIRED, now=now, by=journal.SYSTEM, why="its time passed", ended_at=now
    )
    if moved:
        when_it_mattered(session, message, "could not be sent in time", catalog=catalog, now=now)

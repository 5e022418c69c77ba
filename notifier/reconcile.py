"""Our books made to agree with Twilio's after any fault: doubts settled, lost receipts and lost texts fetched.

Twilio is asked between two transactions, never inside one: find, ask, record.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from notifier import inbox, journal, sending
from notifier.catalog import Catalog
from notifier.core import triage
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Intent, Source
from notifier.db import add_once
from notifier.models import Attempt, Inbound, Mark, Message, Site
from notifier.provider import Seen

LOOKS = (5.0, 60.0, 180.0)  # real seconds after the call at which Twilio's list is asked; unseen at the last: not sent
# Real time after the call at which Twilio is asked for a receipt that has not come; after the last it ends.
RECEIPT_LATE = (timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6), timedelta(hours=12))
NO_WORD = "the carrier has not told in 12 hours whether it arrived"
CALL_LATE = timedelta(minutes=5)  # a call is over sooner than a text's receipt is missed
INBOUND = "inbound"
TRIES = 3
BACK_OFF = timedelta(minutes=15)  # real, before the last try: an outage may last
EARLY = datetime.min.replace(tzinfo=UTC)
OVERLAP = timedelta(minutes=15)  # read again what lies this close before the mark: lists lag
FIRST_LOOK = timedelta(days=3)


@dataclass(frozen=True)
class Doubt:
    """One attempt of which we do not know whether Twilio took it."""

    attempt_id: uuid.UUID
    channel: Channel
    to: str
    body: str
    began: datetime  # real
    started_at: datetime  # by the product's clock, which Twilio's double shares
    looked: int


def doubts(session: Session, *, looks: Sequence[float] = LOOKS, real_now: datetime) -> list[Doubt]:
    """The doubts whose next look is due."""
    rows = session.execute(
        select(Message, Attempt)
        .join(Attempt, Attempt.id == Message.attempt_id)
        .where(Message.state == MessageState.UNCERTAIN)
        .order_by(Attempt.began)
        .limit(500)
    )
    return [
        Doubt(
            attempt.id,
            message.channel,
            message.to,
            message.body or "",
            attempt.began,
            attempt.started_at,
            attempt.looked,
        )
        for message, attempt in rows
        if real_now >= attempt.began + timedelta(seconds=looks[min(attempt.looked, len(looks) - 1)])
    ]


def match(doubt: Doubt, listed: Iterable[Seen], taken: set[str]) -> Seen | None:
    """The entry of Twilio's list that is this attempt: same number, same words, not earlier, not another's."""
    since = doubt.started_at - timedelta(seconds=5)
    found = [
        seen
        for seen in listed
        if seen.sid not in taken
        and seen.to == doubt.to
        and (doubt.channel is Channel.VOICE or seen.body == doubt.body)
        and (seen.created_at is None or seen.created_at >= since)
    ]
    return min(found, key=lambda seen: (seen.created_at is not None, seen.created_at or since), default=None)


def known_sids(session: Session, listed: Iterable[Seen]) -> set[str]:
    """Which of these SIDs are some attempt's already."""
    sids = [seen.sid for seen in listed]
    return set(session.scalars(select(Attempt.provider_sid).where(Attempt.provider_sid.in_(sids))).all()) - {None}  # type: ignore[return-value]


def settle(
    session: Session,
    doubt: Doubt,
    found: Seen | None,
    *,
    looks: Sequence[float] = LOOKS,
    catalog: Catalog,
    now: datetime,
    pace: float = 1.0,
) -> None:
    """Write down what Twilio's list said. Unseen at the last look: Twilio never had it, so it may go again.

    The second time at once, the last time after a while, if there is so much time.
    """
    attempt = session.get_one(Attempt, doubt.attempt_id, with_for_update=True)
    message = session.get_one(Message, attempt.message_id)
    if message.state is not MessageState.UNCERTAIN or message.attempt_id != attempt.id:
        return  # its receipt was faster
    if found is None and attempt.looked != doubt.looked:
        return  # somebody else looked at the same time: that was one look, not two
    if found is not None:
        attempt.looked = 0
        _believe(session, attempt.id, found, catalog=catalog, now=now)
        return
    attempt.looked += 1
    if attempt.looked < len(looks):
        return
    attempt.ended_at = now
    mine = (Message.attempt_id == attempt.id,)
    tried = sending.tries(session, message, catalog.failures)
    if now <= message.not_after and tried < TRIES:
        why, later = "Twilio never had it", now + BACK_OFF * pace
        due_at = later if tried == TRIES - 1 and later <= message.not_after else now
        journal.advance(
            session, message, MessageState.PLANNED, now=now, by="reconcile", why=why, only_if=mine, due_at=due_at
        )
        return
    moved = journal.advance(
        session,
        message,
        MessageState.EXPIRED,
        now=now,
        by="reconcile",
        why="Twilio never had it, " + ("tried often enough" if now <= message.not_after else "and its time passed"),
        only_if=mine,
        ended_at=now,
    )
    if moved:
        sending.when_it_mattered(session, message, "could not be sent in time", catalog=catalog, now=now)


def on_their_way(session: Session, *, since: datetime) -> list[tuple[uuid.UUID, Channel, str]]:
    """Every attempt since then (real time) that Twilio took and whose end we do not know: (attempt, channel, SID)."""
    rows = session.execute(
        select(Attempt.id, Message.channel, Attempt.provider_sid)
        .join(Message, Message.attempt_id == Attempt.id)
        .where(Message.state == MessageState.SENT, Attempt.provider_sid.is_not(None), Attempt.began >= since)
        .order_by(Attempt.began)
    )
    return [(attempt, channel, sid) for attempt, channel, sid in rows if sid]


def record_answer(
    session: Session, attempt_id: uuid.UUID, seen: Seen | None, *, catalog: Catalog, now: datetime
) -> None:
    """Write down what Twilio holds about an attempt, asked out of turn."""
    if seen is not None:
        _believe(session, attempt_id, seen, catalog=catalog, now=now)


def without_receipt(session: Session, *, real_now: datetime) -> list[tuple[uuid.UUID, Channel, str]]:
    """Attempts that Twilio took and told nothing more about, whose next look is due: (attempt, channel, SID).

    Each look is counted and the next one is later, so that those whose carrier never tells starve no others.
    """
    due = or_(*(and_(Attempt.looked == n, Attempt.began < real_now - late) for n, late in enumerate(RECEIPT_LATE)))
    due |= and_(Attempt.looked == 0, Message.channel == Channel.VOICE, Attempt.began < real_now - CALL_LATE)
    rows = session.execute(
        select(Attempt.id, Message.channel, Attempt.provider_sid)
        .join(Message, Message.attempt_id == Attempt.id)
        .where(Message.state == MessageState.SENT, Attempt.provider_sid.is_not(None), due)
        .order_by(Attempt.began)
        .limit(200)
    )
    return [(attempt, channel, sid) for attempt, channel, sid in rows if sid]


def record_look(session: Session, attempt_id: uuid.UUID, seen: Seen | None, *, catalog: Catalog, now: datetime) -> None:
    """Write down what Twilio holds about an attempt without a receipt, and that it was asked.

    After twelve hours it ends: answered is delivered, and what nobody tells of has failed, until somebody does.
    """
    attempt = session.get_one(Attempt, attempt_id)
    attempt.looked += 1
    if seen is not None:
        _believe(session, attempt_id, seen, catalog=catalog, now=now)
    message = session.get_one(Message, attempt.message_id)
    if attempt.looked < len(RECEIPT_LATE) or message.state is not MessageState.SENT:
        return
    mine = (Message.attempt_id == attempt.id,)
    end: dict[str, Any] = {"now": now, "by": "reconcile", "only_if": mine, "ended_at": now}
    attempt.ended_at = now
    if message.answered_at is not None:
        journal.advance(session, message, MessageState.DELIVERED, why="it was answered", **end)
    elif journal.advance(session, message, MessageState.FAILED, why=NO_WORD, **end):
        sending.when_it_mattered(session, message, NO_WORD, catalog=catalog, now=now)


def _believe(session: Session, attempt_id: uuid.UUID, seen: Seen, *, catalog: Catalog, now: datetime) -> None:
    sending.record_receipt(
        session,
        attempt_id,
        sid=seen.sid,
        status=seen.status,
        error_code=seen.error_code,
        answered_by=seen.answered_by,
        catalog=catalog,
        now=now,
    )


def waiting_for_twilio(session: Session, *, until: datetime) -> datetime | None:
    """Since when (real time) the oldest message tries to leave, which Twilio did not hear the last time.

    Of those due again `until` then: back-off moves them, so none of them looks overdue.
    """
    first, last = aliased(Attempt), aliased(Attempt)
    return session.scalar(
        select(func.min(first.began))
        .join(Message, Message.id == first.message_id)
        .join(last, last.id == Message.attempt_id)
        .where(Message.state == MessageState.PLANNED, Message.due_at <= until, first.n == 1)
        .where(last.provider_sid.is_(None), last.error_code.is_(None), last.looked == 0)
    )


def in_vain(session: Session, *, until: datetime) -> dict[Channel, int]:
    """How many messages, by channel, were offered to Twilio twice or more and are still not taken: it has a bad day.

    Of those due again `until` then.
    """
    rows = session.execute(
        select(Message.channel, func.count())
        .join(Attempt, Attempt.id == Message.attempt_id)
        .where(
            or_(
                and_(Message.state == MessageState.PLANNED, Message.due_at <= until),
                Message.state == MessageState.UNCERTAIN,
            ),
            Message.attempts >= 2,
            Attempt.provider_sid.is_(None),
            Attempt.error_code.is_(None),
        )
        .group_by(Message.channel)
    )
    return dict(rows.all())


def oldest_doubt(session: Session) -> datetime | None:
    """When (real time) the oldest attempt began of which nobody knows yet whether Twilio took it."""
    return session.scalar(
        select(func.min(Attempt.began))
        .join(Message, Message.attempt_id == Attempt.id)
        .where(Message.state == MessageState.UNCERTAIN)
    )


def numbers_to_read(session: Session) -> tuple[list[str], list[str]]:
    """Our numbers to which patients may have texted, and the messaging services whose numbers Twilio knows."""
    sites = session.execute(select(Site.sms_from, Site.messaging_service)).all()
    return sorted({number for number, _ in sites if number}), sorted({service for _, service in sites if service})


def read_since(session: Session, now: datetime) -> datetime:
    """From when Twilio's list of inbound texts must be read."""
    mark = session.get(Mark, INBOUND)
    return (mark.at if mark else now - FIRST_LOOK) - OVERLAP


def unknown(session: Session, listed: Sequence[Seen]) -> list[Seen]:
    """Those of Twilio's inbound texts that we never got, as they came."""
    sids = [seen.sid for seen in listed]
    known = set(session.scalars(select(Inbound.provider_sid).where(Inbound.provider_sid.in_(sids))))
    return sorted((seen for seen in listed if seen.sid not in known), key=lambda seen: seen.created_at or EARLY)


def wants_no_more(seen: Seen, catalog: Catalog) -> bool:
    """Whether this text withdraws consent: acted on before any other, and before anything else leaves."""
    return triage.read(seen.body, catalog.rules).intent is Intent.OPT_OUT


def take_in(session: Session, seen: Seen, *, catalog: Catalog, now: datetime) -> uuid.UUID | None:
    """Store a text that we never got. Returns its id; None: it has come in meanwhile."""
    inbound, is_new = inbox.receive(
        session,
        provider_sid=seen.sid,
        source=Source.SMS,
        sender=seen.sender,
        recipient=seen.to,
        body=seen.body,
        media=seen.media,
        received_at=seen.created_at or now,
        hurry=inbox.looks_red(seen.body, catalog),
    )
    if not is_new:
        return None
    journal.note(session, inbound, "inbound.recovered", now=now, by="reconcile")
    return inbound.id


def mark_read(session: Session, at: datetime) -> None:
    """Remember how far the list of inbound texts was read."""
    row, new = add_once(session, Mark(name=INBOUND, at=at), Mark.name)
    if not new:
        row.at = max(row.at, at)

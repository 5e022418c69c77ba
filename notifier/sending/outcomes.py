"""What became of a call to Twilio: taken, refused, never heard or not known; and what follows if it did not arrive."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import random
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from notifier import enrolment, journal, pages, reached
from notifier.catalog import Catalog
from notifier.core.failures import Failure, Failures, Rule
from notifier.core.phone import WHY, Unreached
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent
from notifier.enrolment import landlines
from notifier.models import Attempt, Message
from notifier.provider import Accepted, Outcome, Rejected, Unavailable, Uncertain
from notifier.sending import stops
from notifier.sending.ways import by_call, tell_of_number, when_it_mattered

BACKOFF = (timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=60), timedelta(minutes=5))
URGENT_BACKOFF = timedelta(seconds=20)
JITTER = 0.2  # so that what failed together does not come back together


def record_outcomes(
    session: Session,
    outcomes: Mapping[uuid.UUID, Outcome],
    *,
    catalog: Catalog,
    now: datetime,
    real_now: datetime,
    pace: float,
) -> None:
    """Write down how calls to Twilio ended, by attempt. A receipt may have been faster; then nothing moves back.

    `pace`: seconds of `now` in a real second, because back-off is real.
    """
    taken = {attempt: outcome for attempt, outcome in outcomes.items() if isinstance(outcome, Accepted)}
    _record_taken(session, taken, now=now)
    for attempt in _held(session, [each for each in outcomes if each not in taken]):
        message = attempt.message
        match outcomes[attempt.id]:
            case Rejected(code):
                attempt.error_code, attempt.ended_at = code, now
                not_delivered(session, message, attempt, code, catalog=catalog, now=now, pace=pace)
            case Unavailable(reason):
                _back_off(session, message, attempt, reason, now=now, pace=pace)
            case Uncertain(reason):
                doubt(session, message, attempt, reason, now=now, real_now=real_now)


def _record_taken(session: Session, taken: Mapping[uuid.UUID, Accepted], *, now: datetime) -> None:
    """All in three statements, however many they are."""
    if not taken:
        return
    table: Any = Attempt.__table__
    held = select(Attempt.id, Attempt.message_id).where(Attempt.id.in_(taken)).order_by(Attempt.id).with_for_update()
    messages = [message_id for _, message_id in session.execute(held)]
    of_sid, of_word = table.c.provider_sid, table.c.provider_status
    session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("attempt"))
        .values(
            provider_sid=func.coalesce(of_sid, bindparam("sid", type_=of_sid.type)),
            provider_status=func.coalesce(of_word, bindparam("word", type_=of_word.type)),
        ),
        [{"attempt": attempt, "sid": each.sid, "word": each.status} for attempt, each in taken.items()],
    )
    mine = (Message.attempt_id.in_(taken),)
    journal.advance_all(
        session, Message, messages, MessageState.SENT, now=now, by=journal.SYSTEM, only_if=mine, sent_at=now
    )


def _held(session: Session, attempts: list[uuid.UUID]) -> list[Attempt]:
    if not attempts:
        return []
    wanted = select(Attempt).where(Attempt.id.in_(attempts)).order_by(Attempt.id).options(joinedload(Attempt.message))
    return list(session.scalars(wanted.with_for_update(of=Attempt)))


def _back_off(session: Session, message: Message, attempt: Attempt, reason: str, *, now: datetime, pace: float) -> None:
    attempt.ended_at = now
    wait = BACKOFF[min(attempt.n, len(BACKOFF)) - 1]
    if message.urgent:
        wait = min(wait, URGENT_BACKOFF)
    journal.advance(
        session,
        message,
        MessageState.PLANNED,
        now=now,
        by=journal.SYSTEM,
        why=f"Twilio was not there ({reason})",
        only_if=(Message.attempt_id == attempt.id,),
        due_at=now + jittered(wait) * pace,
    )


def jittered(wait: timedelta) -> timedelta:
    """A little longer than asked for."""
    return wait * (1 + JITTER * random())


def doubt(
    session: Session, message: Message, attempt: Attempt, reason: str, *, now: datetime, real_now: datetime
) -> bool:
    """Twilio may or may not have it: not sent again until a receipt or Twilio's list tells."""
    return journal.advance(
        session,
        message,
        MessageState.UNCERTAIN,
        now=now,
        by=journal.SYSTEM,
        why=f"no answer from Twilio ({reason})",
        only_if=(Message.attempt_id == attempt.id,),
        lease_until=real_now,
    )


def reap(session: Session, *, now: datetime, real_now: datetime) -> int:
    """Messages whose worker died in the middle become uncertain. Returns how many."""
    left = session.scalars(
        select(Message.id)
        .where(Message.state == MessageState.SENDING, Message.lease_until < real_now)
        .order_by(Message.lease_until)
        .limit(500)
        .with_for_update(skip_locked=True)
    ).all()
    why = "no answer from Twilio (the worker died)"
    moved = journal.advance_all(
        session,
        Message,
        left,
        MessageState.UNCERTAIN,
        now=now,
        by=journal.SYSTEM,
        why=why,
        only_if=(Message.lease_until < real_now,),
        lease_until=real_now,
    )
    return len(moved)


def tries(session: Session, message: Message, failures: Failures) -> int:
    """How many of its attempts Twilio had, or may have had; a fault of our set-up, or silence, uses up none."""
    of_theirs = Attempt.error_code.is_not(None) & Attempt.error_code.not_in(failures.ours())
    reached = or_(Attempt.provider_sid.is_not(None), of_theirs, Attempt.looked > 0)
    return session.scalar(select(func.count()).where(Attempt.message_id == message.id, reached)) or 0


def not_delivered(
    session: Session,
    message: Message,
    attempt: Attempt,
    code: int | None,
    *,
    catalog: Catalog,
    now: datetime,
    pace: float,
    unreached: Unreached | None = None,
) -> None:
    """It did not arrive: once more while it makes sense, else failed, and what mattered goes another way."""
    rule = catalog.failures.of(code)
    if unreached and not code:
        rule = Rule(Failure.TRANSIENT, WHY[unreached])
    reason = rule.means + (f" (Twilio {code})" if code else "")
    if rule.failure.is_ours:
        stops.report(session, message, rule, code or 0, catalog=catalog, now=now, wait=stops.FIRST * pace)
    if _again(session, message, attempt, rule, reason, unreached, catalog=catalog, now=now, pace=pace):
        return
    moved = journal.advance(
        session,
        message,
        MessageState.FAILED,
        now=now,
        by="twilio",
        why=reason[:200],
        only_if=(Message.attempt_id == attempt.id,),
        ended_at=now,
    )
    if not moved:
        return
    if rule.failure is Failure.OPTED_OUT and message.contact:
        enrolment.record_consent(
            session, message.contact, Channel.SMS, Consent.WITHDRAWN, "told by Twilio (21610)", by="twilio", now=now
        )
    if message.staff and message.template in pages.STOPPABLE:
        pages.failed(session, message, opted_out=rule.failure is Failure.OPTED_OUT, now=now)
    if rule.failure is Failure.LANDLINE:
        is_landline = landlines.refused(session, message.to, code, catalog=catalog, by="twilio", now=now)
        if is_landline and message.step:
            by_call(session, message, catalog=catalog, now=now)
    if rule.failure is Failure.INVALID:
        tell_of_number(session, message, reason, catalog=catalog, now=now)
    when_it_mattered(session, message, reason, catalog=catalog, now=now, may_call=rule.voice)


def _again(
    session: Session,
    message: Message,
    attempt: Attempt,
    rule: Rule,
    reason: str,
    unreached: Unreached | None,
    *,
    catalog: Catalog,
    now: datetime,
    pace: float,
) -> bool:
    """Plan it once more, if that may help and there is time. False: it may not."""
    if rule.failure is Failure.SHUT_OUT or (rule.failure is Failure.CONFIGURATION and not message.urgent):
        # Our own fault: it waits for the mend, unless it matters and another sender may be well.
        due_at = now + jittered(URGENT_BACKOFF if message.urgent else stops.FIRST) * pace
        may = rule.failure is Failure.SHUT_OUT or not message.matters
    else:
        tried = tries(session, message, catalog.failures)
        due_at = rule.next_try(tried, now, urgent=message.urgent)
        due_at += (due_at - now) * JITTER * random() if rule.wait else timedelta()
        may = rule.failure.may_pass and message.template not in pages.ONCE and tried < rule.tries
        if unreached:
            again = reached.again_at(unreached, tried, catalog.calls, urgent=message.urgent, now=now)
            due_at, may = again or due_at, may and again is not None
    if not may or due_at > message.not_after:
        return False
    return journal.advance(
        session,
        message,
        MessageState.PLANNED,
        now=now,
        by="twilio",
        why=f"{reason}; trying again"[:200],
        only_if=(Message.attempt_id == attempt.id,),
        due_at=due_at,
    )

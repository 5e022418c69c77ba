"""What is due leaves once: found, claimed, sent by the edges, and its outcome and receipts recorded."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from notifier import enrolment, journal, tickets
from notifier.catalog import Catalog
from notifier.core import planning, wording
from notifier.core.failures import WORDS, Failure, failure
from notifier.core.states import MessageState, PlanState, TicketState
from notifier.core.vocabulary import Channel, Consent, Role, Source, Urgency
from notifier.db import add_once
from notifier.models import Attempt, Contact, Message, Patient, TherapyPlan, Ticket
from notifier.provider import Accepted, Order, Outcome, Rejected, Unavailable, Uncertain
from notifier.saying import words

LEASE = timedelta(seconds=60)  # four times the longest call to Twilio
TRIES = 3
SILENT = {PlanState.RECEIVED, PlanState.PAUSED, PlanState.ENDED, PlanState.DECEASED}
PUT_OFF = timedelta(minutes=5)
AT_HAND = (joinedload(Message.site), joinedload(Message.contact))
BACKOFF = (timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=60), timedelta(minutes=5))
URGENT_BACKOFF = timedelta(seconds=20)


def due(session: Session, *, urgent: bool | None, now: datetime, limit: int) -> Sequence[uuid.UUID]:
    """Ids of planned messages whose time has come, urgent ones first; on PostgreSQL those nobody else is claiming."""
    wanted = select(Message.id).where(Message.state == MessageState.PLANNED, Message.due_at <= now)
    if urgent is not None:
        wanted = wanted.where(Message.urgent.is_(urgent))
    # What is due at the same instant leaves in the order of the journey: the consent's text first.
    wanted = wanted.order_by(Message.urgent.desc(), Message.due_at, Message.template).limit(limit)
    return session.scalars(wanted.with_for_update(skip_locked=True)).all()


def claim_all(session: Session, ids: Sequence[uuid.UUID], **given: Any) -> list[Order]:
    """claim() for each of them, read in one go."""
    held = session.scalars(select(Message).where(Message.id.in_(ids)).options(*AT_HAND)).all()
    orders = (claim(session, message_id, **given) for message_id in ids)
    return [order for order in orders if order] if held else []


def claim(
    session: Session,
    message_id: uuid.UUID,
    *,
    catalog: Catalog,
    public_base_url: str,
    now: datetime,
    real_now: datetime,
    lease: timedelta = LEASE,
) -> Order | None:
    """Take one due message: checked once more, its words frozen, leased. None: not wanted (any more), or taken."""
    message = session.get(Message, message_id, options=AT_HAND)
    if message is None or message.state is not MessageState.PLANNED or message.due_at > now:
        return None
    if now > message.not_after:
        _expire(session, message, catalog=catalog, now=now)
        return None
    if why := _unwanted(session, message, catalog):
        journal.advance(session, message, MessageState.CANCELLED, now=now, by=journal.SYSTEM, why=why)
        return None
    if (later := _held_until(session, message, now)) is not None:
        if later > message.not_after:
            _expire(session, message, catalog=catalog, now=now)
        else:
            session.execute(
                update(Message)
                .where(Message.id == message.id, Message.state == MessageState.PLANNED)
                .values(due_at=later)
                .execution_options(synchronize_session=False)
            )
        return None
    body = words(message, catalog)
    attempt = Attempt(id=uuid.uuid4(), message_id=message.id, n=message.attempts + 1, started_at=now, began=real_now)
    with session.no_autoflush:  # what many of these add is written together at the end
        taken = journal.advance(
            session,
            message,
            MessageState.SENDING,
            now=now,
            by=journal.SYSTEM,
            lease_until=real_now + lease,
            attempt_id=attempt.id,
            attempts=attempt.n,
            body=body,
            segments=wording.segments(body)[0] if message.channel is Channel.SMS else None,
        )
    if not taken:
        return None
    session.add(attempt)
    return _order(message, attempt, body, public_base_url, now)


def put_off(session: Session, message_id: uuid.UUID, fault: str, *, now: datetime, pace: float) -> None:
    """A fault of ours keeps this one from being made ready: it steps out of the others' way and is tried again."""
    session.execute(
        update(Message)
        .where(Message.id == message_id, Message.state == MessageState.PLANNED)
        .values(due_at=now + PUT_OFF * pace, why=f"could not be made ready: {fault}"[:200])
        .execution_options(synchronize_session=False)
    )


def _order(message: Message, attempt: Attempt, body: str, base: str, now: datetime) -> Order:
    site = message.site
    is_call = message.channel is Channel.VOICE
    left = int((message.not_after - now).total_seconds())
    return Order(
        attempt_id=str(attempt.id),
        channel=message.channel,
        to=message.to,
        sender=(site.voice_from if is_call else site.sms_from) or "",
        messaging_service="" if is_call else (site.messaging_service or ""),
        body="" if is_call else body,
        status_url=f"{base}/twilio/status/{attempt.id}",
        voice_url=f"{base}/twilio/voice/{attempt.id}" if is_call else "",
        valid_seconds=max(60, min(left, 36_000)),
    )


def _unwanted(session: Session, message: Message, catalog: Catalog) -> str:
    """Why this message must not leave any more; empty when it may."""
    if message.template == "page" and message.ticket_id:
        ticket = session.scalar(select(Ticket.state).where(Ticket.id == message.ticket_id))
        if ticket is not TicketState.OPEN:
            return "acknowledged"
    if message.plan_id and message.step:
        plan = session.scalars(select(TherapyPlan.state).where(TherapyPlan.id == message.plan_id)).one()
        over = plan is PlanState.ENDED and catalog.journeys.speaks_after_end(message.step)
        if plan in SILENT and not over:
            return f"the plan is {plan}"
    if message.contact is None:
        return ""
    if not message.contact.active:
        return "this phone is no longer used"
    consent = message.contact.consent(message.channel)
    if consent is Consent.WITHDRAWN and not message.after_opt_out:
        return "consent withdrawn"
    if message.step and consent is not Consent.GIVEN:
        return "no consent"
    return ""


def _held_until(session: Session, message: Message, now: datetime) -> datetime | None:
    """The end of the recipient's quiet hours, when it is night there and this can wait."""
    if message.any_hour or message.contact is None:
        return None
    zone = session.scalars(select(Patient.timezone).where(Patient.id == message.contact.patient_id)).one()
    quiet = message.site.quiet_hours
    if not planning.in_quiet_hours(now, ZoneInfo(zone), quiet):
        return None
    return planning.next_quiet_end(now, ZoneInfo(zone), quiet)


def _expire(session: Session, message: Message, *, catalog: Catalog, now: datetime) -> None:
    moved = journal.advance(
        session, message, MessageState.EXPIRED, now=now, by=journal.SYSTEM, why="its time passed", ended_at=now
    )
    if moved:
        when_it_mattered(session, message, "could not be sent in time", catalog=catalog, now=now)


# --- what Twilio said ---------------------------------------------------------------------------------------------


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
    attempts = session.scalars(
        select(Attempt)
        .where(Attempt.id.in_(outcomes))
        .order_by(Attempt.id)
        .options(joinedload(Attempt.message))
        .with_for_update(of=Attempt)
    ).all()
    for attempt in attempts:
        message, mine = attempt.message, (Message.attempt_id == attempt.id,)
        match outcomes[attempt.id]:
            case Accepted(sid, status):
                attempt.provider_sid = attempt.provider_sid or sid
                attempt.provider_status = attempt.provider_status or status
                with session.no_autoflush:  # what many of these add is written together at the end
                    journal.advance(
                        session,
                        message,
                        MessageState.SENT,
                        now=now,
                        by=journal.SYSTEM,
                        only_if=mine,
                        sent_at=now,
                    )
            case Rejected(code):
                attempt.error_code, attempt.ended_at = code, now
                _not_delivered(session, message, attempt, code, catalog=catalog, now=now)
            case Unavailable(reason):
                _back_off(session, message, attempt, reason, now=now, pace=pace)
            case Uncertain(reason):
                doubt(session, message, attempt, reason, now=now, real_now=real_now)


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
        due_at=now + wait * pace,
    )


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
        select(Message).where(Message.state == MessageState.SENDING, Message.lease_until < real_now).limit(500)
    ).all()
    for message in left:
        attempt = session.get_one(Attempt, message.attempt_id)
        doubt(session, message, attempt, "the worker died", now=now, real_now=real_now)
    return len(left)


def tries(session: Session, message: Message) -> int:
    """How many of its attempts Twilio had, or may have had; those that never reached it do not count."""
    reached = or_(Attempt.provider_sid.is_not(None), Attempt.error_code.is_not(None), Attempt.looked > 0)
    return session.scalar(select(func.count()).where(Attempt.message_id == message.id, reached)) or 0


# Twilio's words for where a message or a call stands, as ours.
ON_ITS_WAY = {"accepted", "scheduled", "queued", "sending", "sent", "initiated", "ringing", "in-progress"}
ARRIVED = {"delivered", "read", "completed"}
DID_NOT_ARRIVE = {"undelivered", "failed", "canceled", "busy", "no-answer"}
RANG_OUT = {"busy", "no-answer"}


def record_receipt(
    session: Session,
    attempt_id: uuid.UUID,
    *,
    sid: str,
    status: str,
    error_code: int | None,
    answered_by: str | None = None,
    catalog: Catalog,
    now: datetime,
) -> None:
    """Write down what a status callback (or Twilio's list) says of one attempt. Forward only, whatever the order."""
    attempt = session.get(Attempt, attempt_id, with_for_update=True)  # two callbacks may come at once
    if attempt is None:
        return  # a callback for an attempt that we never made
    message = session.get_one(Message, attempt.message_id)
    if attempt.provider_sid is None:
        attempt.provider_sid = sid
    elif attempt.provider_sid != sid:
        journal.note(session, message, "message.odd_receipt", now=now, by="twilio", detail=f"another SID: {status}")
        return
    answered_by = answered_by or attempt.answered_by
    attempt.answered_by = answered_by
    if attempt.provider_status in ARRIVED | DID_NOT_ARRIVE:
        if status in ARRIVED | DID_NOT_ARRIVE and status != attempt.provider_status:
            journal.note(session, message, "message.odd_receipt", now=now, by="twilio", detail=f"then {status}")
        if not (status in ARRIVED and attempt.provider_status in DID_NOT_ARRIVE):
            return
    attempt.provider_status = status
    attempt.error_code = error_code or attempt.error_code
    mine = (Message.attempt_id == attempt.id,)
    if status in ON_ITS_WAY:
        journal.advance(session, message, MessageState.SENT, now=now, by="twilio", only_if=mine, sent_at=now)
        return
    attempt.ended_at = now
    if status in ARRIVED and not (message.channel is Channel.VOICE and _machine(answered_by)):
        facts: dict[str, Any] = {} if message.sent_at else {"sent_at": now}
        journal.advance(
            session, message, MessageState.DELIVERED, now=now, by="twilio", only_if=mine, ended_at=now, **facts
        )
    elif status in ARRIVED:  # a machine took the call: nobody was reached
        _not_delivered(session, message, attempt, None, catalog=catalog, now=now, why="a machine answered")
    elif status in DID_NOT_ARRIVE:
        _not_delivered(session, message, attempt, attempt.error_code, catalog=catalog, now=now, rang=status)


def _machine(answered_by: str | None) -> bool:
    return bool(answered_by) and str(answered_by).startswith(("machine", "fax"))


def _not_delivered(
    session: Session,
    message: Message,
    attempt: Attempt,
    code: int | None,
    *,
    catalog: Catalog,
    now: datetime,
    rang: str = "",
    why: str = "",
) -> None:
    """It did not arrive: once more while it makes sense, else failed, and what mattered goes another way."""
    what = failure(code)
    reason = why or (f"call: {rang}" if rang in RANG_OUT else f"{WORDS[what]}" + (f" (Twilio {code})" if code else ""))
    mine = (Message.attempt_id == attempt.id,)
    tried = tries(session, message)
    wait = timedelta(minutes=5 * 3 ** (tried - 1)) if not message.urgent else timedelta(minutes=2)
    again = rang in RANG_OUT or what in (Failure.TRANSIENT, Failure.UNKNOWN)
    if message.template != "page" and again and tried < TRIES and now + wait <= message.not_after:
        moved = journal.advance(
            session,
            message,
            MessageState.PLANNED,
            now=now,
            by="twilio",
            why=f"{reason}; trying again",
            only_if=mine,
            due_at=now + wait,
        )
        if moved:
            return
    moved = journal.advance(
        session, message, MessageState.FAILED, now=now, by="twilio", why=reason, only_if=mine, ended_at=now
    )
    if not moved:
        return
    if what is Failure.OPTED_OUT and message.contact:
        enrolment.record_consent(
            session, message.contact, Channel.SMS, Consent.WITHDRAWN, "told by Twilio (21610)", by="twilio", now=now
        )
    when_it_mattered(session, message, reason, catalog=catalog, now=now)


def when_it_mattered(session: Session, message: Message, reason: str, *, catalog: Catalog, now: datetime) -> None:
    """A message that mattered did not arrive: by voice, if that was agreed to; else a coordinator is told."""
    contact = message.contact
    if not message.matters or contact is None:
        return
    if (
        message.channel is Channel.SMS
        and contact.voice_consent is Consent.GIVEN
        and catalog.has_voice(message.template)
        and now < message.not_after
    ):
        _by_voice(session, message, contact, now=now)
        return
    patient = session.get_one(Patient, contact.patient_id)
    need = tickets.Need(
        site_key=message.site_key,
        subject=f"patient:{patient.id}",
        role=Role.COORDINATOR,
        urgency=Urgency.SAME_DAY,
        kinds=("UNREACHABLE",),
        source=Source.SYSTEM,
        text=f"{message.template} by {message.channel} did not arrive: {reason}. Please call.",
        patient_id=patient.id,
        contact_id=contact.id,
        plan_id=message.plan_id,
    )
    tickets.open_or_append(session, need, catalog=catalog, now=now)


def _by_voice(session: Session, message: Message, contact: Contact, *, now: datetime) -> None:
    call = Message(
        key=f"fallback:{message.id}",
        site_key=message.site_key,
        patient_id=message.patient_id,
        plan_id=message.plan_id,
        event_id=message.event_id,
        contact_id=contact.id,
        ticket_id=message.ticket_id,
        to=message.to,
        to_hash=message.to_hash,
        channel=Channel.VOICE,
        step=message.step,
        template=message.template,
        language=message.language,
        values=message.values,
        prompt=message.prompt,
        matters=True,
        urgent=message.urgent,
        any_hour=message.any_hour,
        due_at=now,
        not_after=message.not_after,
        created_at=now,
    )
    add_once(session, call, Message.key)

"""A call while it is talked: who is on it, what they press and say, and that none of it is lost when they hang up."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from notifier import answering, bridging, inbox, sealing
from notifier.catalog import Catalog
from notifier.core.states import InboundState
from notifier.core.vocabulary import Role, Source, Urgency
from notifier.db import add_once
from notifier.hearing import Told, contacts_of, hear
from notifier.models import Attempt, Contact, Inbound, Message, PhoneCall, Site, Staff

UNCONFIRMED = timedelta(seconds=45)  # after which what was said is taken as it was heard


@dataclass(frozen=True)
class Answer:
    """What a caller hears next, and the people who are rung for them."""

    template: str
    role: Role | None = None
    people: tuple[Staff, ...] = ()
    closed_until: datetime | None = None
    is_closed: bool = False


def came_in(session: Session, sid: str, sender: str, recipient: str, *, real_now: datetime) -> PhoneCall:
    """A call to one of our numbers; the same SID is one call. Known by its number, never named."""
    site = inbox.site_of(session, recipient)
    contact = _known(session, sender)
    call = PhoneCall(
        provider_sid=sid,
        site_key=contact.patient.site_key if contact else site.key,
        patient_id=contact.patient_id if contact else None,
        party=sender,
        ours=recipient,
        language=contact.language if contact else site.languages[0],
        began=real_now,
    )
    return add_once(session, call, PhoneCall.provider_sid)[0]


def _known(session: Session, number: str) -> Contact | None:
    found = select(Contact).where(Contact.phone_hash == sealing.lookup(number), Contact.active)
    return session.scalars(found.order_by(Contact.created_at).limit(1)).first()


def went_out(session: Session, sid: str, attempt: Attempt, message: Message, *, real_now: datetime) -> PhoneCall:
    """A call of ours that was taken."""
    site = session.get_one(Site, message.site_key)
    call = PhoneCall(
        provider_sid=sid,
        site_key=site.key,
        attempt_id=attempt.id,
        message_id=message.id,
        staff_id=message.staff_id,
        patient_id=message.patient_id,
        party=message.to,
        ours=site.voice_from or site.phone,
        language=message.language,
        began=real_now,
    )
    return add_once(session, call, PhoneCall.provider_sid)[0]


# --- what they press and say ----------------------------------------------------------------------------------------


def tell(session: Session, call: PhoneCall, step: str, body: str, *, catalog: Catalog, now: datetime) -> Answer:
    """Store what was pressed or said, once for each `step` of the call, and decide what the caller hears at once.

    Whoever reads it later reads the same; people who are rung now are paged only if none of them takes the call.
    """
    inbound = _receive(session, call, step, body, now=now)
    call.said = call.said_at = None
    told = _heard(session, inbound, catalog=catalog, now=now)
    call.inbound_id = inbound.id
    answer = _answer(session, call, told, now=now)
    if answer.people:
        assert answer.role
        bridging.begin(session, call, answer.role, answer.people, catalog.calls.staff_ring_seconds, now)
    session.flush()
    return answer


def _receive(session: Session, call: PhoneCall, step: str, body: str, *, now: datetime) -> Inbound:
    return add_once(session, _inbound(call, step, body, now), Inbound.provider_sid)[0]


def _inbound(call: PhoneCall, step: str, body: str, now: datetime) -> Inbound:
    return inbox.row(
        provider_sid=f"{call.provider_sid}-{step}",
        source=Source.VOICE,
        sender=call.party,
        recipient=call.ours,
        body=body,
        received_at=now,
        message_id=call.message_id,
        call_id=call.id,
    )


def _heard(session: Session, inbound: Inbound, *, catalog: Catalog, now: datetime) -> Told:
    """The most urgent reading of it. A fault of ours in reading is a nurse's to read, and stands in nobody's way."""
    site = inbox.site_of(session, inbound.recipient)
    people: Sequence[Contact | None] = contacts_of(session, inbound) or [None]

    def read(*, readable: bool) -> Told:
        told = (hear(session, inbound, who, site, catalog=catalog, now=now, readable=readable) for who in people)
        return min(told, key=lambda each: each.route.urgency.rank)

    try:
        with session.begin_nested():
            return read(readable=True)
    except Exception:  # noqa: BLE001  the worker that reads it meets the same fault, and logs it
        return read(readable=False)


def is_red(session: Session, call: PhoneCall, words: str, *, catalog: Catalog, now: datetime) -> bool:
    """Whether these words must not wait for any menu. Stores nothing."""
    told = _heard(session, _inbound(call, "look", words, now), catalog=catalog, now=now)
    return told.route.urgency.is_red and told.reading.ticket


def _answer(session: Session, call: PhoneCall, told: Told, *, now: datetime) -> Answer:
    role, urgency = told.route.roles[0], told.route.urgency
    if told.withdraws and not urgency.is_red:
        return Answer("voice.stopped")
    if urgency.is_red:
        people = bridging.ladder(session, told.site, role, red=True, now=now)
        template = "voice.emergency" if urgency is Urgency.EMERGENCY else "voice.connecting"
        return Answer(template, role, _in_order(session, people, role, call))
    if call.message_id is not None or not told.reading.ticket:
        return Answer("voice.thanks")
    if bridging.is_there(session, told.site, role, now):
        people = bridging.ladder(session, told.site, role, red=False, now=now)
        return Answer("voice.connecting", role, _in_order(session, people, role, call))
    return Answer("voice.closed", role, closed_until=bridging.back_at(session, told.site, role, now), is_closed=True)


def _in_order(session: Session, people: Sequence[Staff], role: Role, call: PhoneCall) -> tuple[Staff, ...]:
    """Who has the matter in hand first, then the ladder; never the caller."""
    owner = bridging.owner(session, call.patient_id, role)
    first = [owner] if owner else []
    return tuple(person for person in dict.fromkeys([*first, *people]) if person.phone != call.party)


def if_nobody(session: Session, call: PhoneCall, *, catalog: Catalog, now: datetime) -> str:
    """The template for a caller whom nobody took: a nurse is promised only where one is paged and can call back."""
    inbound = session.get(Inbound, call.inbound_id) if call.inbound_id else None
    if inbound is None:
        return "voice.goodbye"
    template = answering.spoken(_heard(session, inbound, catalog=catalog, now=now))
    return {"voice.emergency": "voice.promise", "voice.thanks": "voice.nobody"}.get(template, template)


def keep(call: PhoneCall, words: str, *, now: datetime) -> None:
    """What was said and is being read back: if nobody says that it is wrong, it is taken as it was heard."""
    call.said, call.said_at = words, now


def unconfirmed(session: Session, now: datetime, *, limit: int = 100) -> Sequence[uuid.UUID]:
    """Calls on which something was said that was never confirmed: they hung up."""
    waits = select(PhoneCall.id).where(PhoneCall.ended_at.is_(None), PhoneCall.said_at <= now - UNCONFIRMED)
    return session.scalars(waits.limit(limit)).all()


def take_as_heard(session: Session, call_id: uuid.UUID, *, now: datetime) -> uuid.UUID | None:
    """Store what was said and not confirmed. Returns the id of what now waits to be read."""
    call = session.scalars(select(PhoneCall).where(PhoneCall.id == call_id).with_for_update()).one()
    if call.said is None or call.said_at is None:
        return None
    inbound = _receive(session, call, f"unconfirmed-{int(call.said_at.timestamp())}", call.said, now=now)
    call.inbound_id = call.inbound_id or inbound.id
    call.said = call.said_at = None
    session.flush()
    return inbound.id if inbound.state is InboundState.RECEIVED else None


# --- the end --------------------------------------------------------------------------------------------------------

LATE = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4), timedelta(hours=24))  # real, after it began


def without_end(session: Session, *, real_now: datetime) -> list[tuple[uuid.UUID, str]]:
    """Calls that began long ago and of whose end nobody has told, whose next look is due: (id, SID)."""
    due = or_(*(and_(PhoneCall.looked == n, PhoneCall.began < real_now - late) for n, late in enumerate(LATE)))
    rows = session.execute(
        select(PhoneCall.id, PhoneCall.provider_sid)
        .where(PhoneCall.ended_at.is_(None), due)
        .order_by(PhoneCall.began)
        .limit(200)
    )
    return [(call_id, sid) for call_id, sid in rows]


def wants_a_look(session: Session, *, now: datetime, real_now: datetime) -> bool:
    """Whether any call has something that nobody has confirmed, or no end."""
    return bool(unconfirmed(session, now, limit=1) or without_end(session, real_now=real_now))


def record_look(
    session: Session, call_id: uuid.UUID, is_over: bool, *, catalog: Catalog, now: datetime
) -> uuid.UUID | None:
    """What Twilio holds about a call: over (or unknown), or still talked. Asked often enough, it counts as over.

    Returns the attempt that it was, if the call was ours.
    """
    call = session.get_one(PhoneCall, call_id)
    call.looked += 1
    if is_over or call.looked >= len(LATE):
        end(session, call, catalog=catalog, now=now)
    return call.attempt_id


def end(session: Session, call: PhoneCall, *, catalog: Catalog, now: datetime) -> None:
    """The call is over, told once or twice: what was said is taken as it was heard, who waited is paged."""
    if call.ended_at is not None:
        return
    if call.said is not None:
        take_as_heard(session, call.id, now=now)
    if call.rings_until is not None and call.taken_by is None and call.rings_until > now:
        bridging.nobody(session, call, catalog=catalog, now=now)
    call.ended_at = now


def by_sid(session: Session, sid: str) -> PhoneCall | None:
    """The call with this SID."""
    return session.scalars(select(PhoneCall).where(PhoneCall.provider_sid == sid)).one_or_none()

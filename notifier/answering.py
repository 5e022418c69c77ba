"""The safe answer to what someone told us: at once, in their language, promising no more than the roster keeps."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import boxes, links, paging, roster, shared_phone
from notifier.catalog import Catalog
from notifier.catalog.links import pages_in
from notifier.core import routing, supplies, wording
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent, Intent, Prompt, Role, Source, Urgency
from notifier.db import add_once
from notifier.hearing import FOUND, ODD_COUNT, Told
from notifier.models import Inbound, Message

ANSWER_AGAIN = timedelta(minutes=3)  # at most one answer of a kind in this time
MOST_ANSWERS, BRAKE = 8, timedelta(hours=1)  # more are two machines that talk to each other
CALL_911 = "EMERGENCY_UNSPEC"  # the answer to an emergency whose own row answers something milder
ROOM = 140  # letters for what is in the box, in an answer of two segments
ASKS = {"TEMP_LOW_GRADE": Prompt.TEMPERATURE}  # rows whose answer asks for a number
PROMISE = "{minutes}"  # where an answer says how soon somebody calls
UNSENT = (MessageState.FAILED, MessageState.CANCELLED, MessageState.EXPIRED)

# Twilio confirms these itself, when they are the whole message; a second confirmation would be one too many.
TWILIO_STOPS = {"stop", "stopall", "unsubscribe", "end", "quit", "revoke", "optout", "cancel"}
TWILIO_STARTS = {"start", "unstop"}

# What Twilio gives in place of a number that the caller holds back (the letters of ANONYMOUS, RESTRICTED and so on).
WITHHELD = {"+266696687", "+7378742883", "+2562533", "+8656696", "+86282452253"}


def answer(session: Session, told: Told, *, catalog: Catalog, now: datetime, shared: bool = False) -> None:
    """Plant the safe answer of the most urgent row. It is never held; a call has answered for itself.

    `shared`: the phone is more than one patient's, so it asks whom it is about, without a name.
    """
    inbound, contact = told.inbound, told.contact
    if inbound.source is Source.VOICE or _is_silent(session, told) or _is_braked(session, told, now):
        return
    kind = _kind(told, catalog)
    row = catalog.rules.rows.get(kind)
    language = contact.language if contact else told.site.languages[0]
    text = row.reply.get(wording.best_language(row.reply, language), "") if row else ""
    soon = promised(session, told, catalog=catalog, now=now)
    if PROMISE in text and soon is None:  # nobody can be woken: no call may be promised
        text = catalog.messages["promise.none"].words(language, Channel.SMS)
    template = f"ack.{kind}"
    own = _own_words(session, told, kind, language, catalog)
    if own:
        template, text = own.template, own.text
    values = _values(told, soon, language, now) | (own.values if own else {})
    if not text or _answered_just_now(session, inbound, template, now):
        return
    words = catalog.fill(text, language, values, _pages(session, told, text))
    if shared and told.reading.ticket:
        words = shared_phone.asking(words, wording.best_language(row.reply if row else {}, language))
    add_once(
        session,
        Message(
            key=f"ack:{inbound.id}",
            site_key=told.site.key,
            patient_id=contact.patient_id if contact else None,
            contact_id=contact.id if contact else None,
            inbound_id=inbound.id,
            to=inbound.sender,
            to_hash=inbound.sender_hash,
            channel=Channel.SMS,
            template=template,
            language=language,
            values={"text": words},
            prompt=own.asks if own else ASKS.get(kind),
            urgent=True,
            any_hour=True,
            after_opt_out=told.withdraws,
            due_at=now,
            not_after=now + timedelta(minutes=30 if told.route.urgency.is_red else 120),
            created_at=now,
        ),
        Message.key,
    )


@dataclass(frozen=True)
class _Own:
    """Words of the catalog's messages that answer better than the row's own."""

    template: str
    text: str
    asks: Prompt | None
    values: dict[str, str]


def _own_words(session: Session, told: Told, kind: str, language: str, catalog: Catalog) -> _Own | None:
    """MISSING is answered with the box's own list; what was named, found or counted is said to be understood."""
    key, values = "", {}
    if told.reading is FOUND:
        key = "M29"
    elif told.reading is ODD_COUNT:
        key = "supply.odd"
    elif told.asked and told.asked.prompt is Prompt.SUPPLY_COUNT and kind == "OK_FINE" and told.count is not None:
        key = "supply.thanks"
    elif kind == "MISSING" and told.plan and (box := boxes.last_delivery(session, told.plan)) and box.items:
        profile = catalog.journeys.profile(told.plan.therapy)
        key = "missing.noted" if told.named else "missing.list"
        if told.named:
            labels = dict.fromkeys(supplies.label(name, profile, language) for name, _ in told.named)
            values["items"] = ", ".join(labels)[:ROOM]
        else:
            values["items"] = supplies.listing(boxes.manifest(box), profile, language, ROOM)
    if not key:
        return None
    template = catalog.messages[key]
    return _Own(key, template.words(language, Channel.SMS), template.asks, values)


def spoken(told: Told) -> str:
    """The voice template that answers on the phone: 911 first, a nurse only where one is paged and can call back."""
    if told.route.urgency is Urgency.EMERGENCY:
        return "voice.emergency"
    if told.withdraws:
        return "voice.stopped"
    if told.contact is None and not can_be_called(told.inbound.sender):
        return "voice.withheld"
    nurse = told.route.urgency.is_red and told.route.roles[0] is Role.NURSE
    return "voice.promise" if nurse else "voice.thanks"


def can_be_called(sender: str) -> bool:
    """Whether this is a number, and not what stands in its place."""
    return sender not in WITHHELD and sender.startswith("+") and sender[1:].isdigit()


def _is_silent(session: Session, told: Told) -> bool:
    """Whether nothing may be said: Twilio has said it, or the person has opted out and the ticket says: call."""
    intent, out = told.reading.intent, told.contact is not None and told.contact.sms_consent is Consent.WITHDRAWN
    if intent is Intent.OPT_IN:
        return told.reading.urgency is Urgency.NONE and _twilio_starts(session, told, out)
    if told.opts_out and (_word(told.inbound) in TWILIO_STOPS or told.inbound.opt_out):
        return True
    if told.inbound.opt_out == "HELP" and told.reading.intent is Intent.HELP:
        return True
    return out


def _is_braked(session: Session, told: Told, now: datetime) -> bool:
    """Whether this phone had so many answers lately that a machine may sit there. A red flag is always answered."""
    if told.route.urgency.is_red or told.withdraws:
        return False
    answers = select(func.count()).where(
        Message.to_hash == told.inbound.sender_hash,
        Message.key.startswith("ack:"),
        Message.created_at > now - BRAKE,
    )
    return (session.scalar(answers) or 0) >= MOST_ANSWERS


def _twilio_starts(session: Session, told: Told, out: bool) -> bool:
    """Whether Twilio answers a START: it does where it took the STOP, not where ours was another word, as ALTO."""
    if _word(told.inbound) not in TWILIO_STARTS or (told.contact and not out):
        return False
    last = session.scalars(
        select(Inbound)
        .where(Inbound.sender_hash == told.inbound.sender_hash, Inbound.intent == Intent.OPT_OUT)
        .order_by(Inbound.received_at.desc())
        .limit(1)
    ).first()
    return _word(last) in TWILIO_STOPS if last else out


def _word(inbound: Inbound) -> str:
    return inbound.body.strip().lower()


def _kind(told: Told, catalog: Catalog) -> str:
    """The row whose answer is given: the most urgent one; the emergency's own words for what was raised to one."""
    reading = told.reading
    if told.opts_out:
        return "STOP"
    if reading.intent is Intent.OPT_IN and reading.urgency is Urgency.NONE:
        return "START"
    as_urgent = [kind for kind in reading.kinds if catalog.rules.rows[kind].urgency is reading.urgency]
    if not as_urgent and reading.urgency is Urgency.EMERGENCY:
        return CALL_911
    return (as_urgent or reading.kinds)[0]


def promised(session: Session, told: Told, *, catalog: Catalog, now: datetime) -> timedelta | None:
    """How soon somebody calls about a red flag: as its row says, never sooner than the roster can. None: no promise."""
    if not told.route.urgency.is_red or told.route.urgency is Urgency.EMERGENCY:
        return None
    row = catalog.rules.rows.get(_kind(told, catalog))
    can = paging.can_call_within(session, told.site, told.route.roles[0], told.route.urgency, catalog=catalog, now=now)
    return None if can is None else max(can, timedelta(minutes=row.promise if row and row.promise else 15))


def call_now(session: Session, inbound: Inbound) -> None:
    """The same told again and again has become an emergency: the answer that waits says to call now."""
    answer = session.scalars(
        select(Message).where(Message.key == f"ack:{inbound.id}", Message.state == MessageState.PLANNED)
    ).one_or_none()
    if answer is not None:
        answer.template, answer.values = "promise.call_now", {}


def _values(told: Told, soon: timedelta | None, language: str, now: datetime) -> dict[str, str]:
    """The variables of an answer: who we are, whom to call, and by when a person calls."""
    return {
        "brand": told.site.brand,
        "phone": wording.written_phone(told.site.phone),
        "minutes": str(round((soon or timedelta(minutes=15)) / timedelta(minutes=1))),
        "today": _by_when(told, language, now),
    }


def _pages(session: Session, told: Told, text: str) -> Container[str]:
    """The pages that the answer may name: none to whoever needs help now."""
    return links.alive(session) if pages_in(text) and not told.route.urgency.is_red else ()


def _by_when(told: Told, language: str, now: datetime) -> str:
    """By when somebody calls, as the ticket asks of them, by the reader's own clock."""
    spanish = wording.best_language({"en": "", "es": ""}, language) == "es"
    if told.route.urgency.is_red:  # the row says "today", and it has become more urgent than its row
        minutes = 15 if told.route.roles[0] is Role.NURSE else 30
        return f"en {minutes} min" if spanish else f"in {minutes} min"
    site = told.site
    zone = ZoneInfo(told.contact.patient.timezone if told.contact else site.timezone)
    due = routing.respond_by(
        told.route.urgency,
        now,
        site.timezone,
        site.quiet_hours,
        told.target,
        calendar=roster.calendar(site),
        role=told.route.roles[0],
    ).astimezone(zone)
    days = (due.date() - now.astimezone(zone).date()).days
    if not days:
        return "hoy" if spanish else "today"
    if days > 1:
        at = f"{wording.say_day(due, language)}, {wording.say_at(due, language)}"
        return f"antes del {at}" if spanish else f"by {at}"
    return f"mañana antes de {wording.say_at(due, 'es')}" if spanish else f"by {wording.say_time(due, 'en')}"


def _answered_just_now(session: Session, inbound: Inbound, template: str, now: datetime) -> bool:
    return (
        session.scalars(
            select(Message.id).where(
                Message.to_hash == inbound.sender_hash,
                Message.template == template,
                Message.created_at > now - ANSWER_AGAIN,
                Message.state.not_in(UNSENT),
            )
        ).first()
        is not None
    )

"""What came in, read against all that is known: whose phone it is, what we asked, the plan, what was told before."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from notifier import boxes
from notifier.catalog import Catalog
from notifier.core import routing, supplies, triage
from notifier.core.states import PlanState
from notifier.core.supplies import Named
from notifier.core.vocabulary import (
    THERAPY_FLAGS,
    Channel,
    EventKind,
    Flag,
    Intent,
    Prompt,
    Role,
    Source,
    Urgency,
    most_urgent,
)
from notifier.models import CareEvent, Contact, Inbound, Message, Site, TherapyPlan, Ticket

UNREAD = triage.Reading(("UNKNOWN",), Urgency.URGENT, Role.NURSE, ticket=True, intent=Intent.OTHER)
PICTURE = triage.Reading(("PHOTO",), Urgency.SAME_DAY, Role.NURSE, ticket=True, intent=Intent.REPORT)
ODD_COUNT = triage.Reading(
    ("LOW_SUPPLY",), Urgency.SAME_DAY, Role.DELIVERY, ticket=True, intent=Intent.ANSWER
)  # a count that cannot be right: a person asks again
FOUND = triage.Reading(("DELIVERY_RECEIVED",), Urgency.NONE, None, ticket=False, intent=Intent.REPORT)
MAY_BE_FOUND = {"UNKNOWN", "OK_FINE", "PAST_HISTORY", "MISSING", "THANKS", "DELIVERY_RECEIVED"}
COUNTS = (Prompt.SUPPLY_COUNT, Prompt.SURVEY)
PROMPT_LIVES = A_DAY = timedelta(hours=24)
OVER = {PlanState.ENDED, PlanState.DECEASED}
LOOK = timedelta(minutes=30)  # what may be a red flag is looked at by a nurse
# Asked as a delivery is; a bare NO or CHANGE is about the visit.
VISITS = {"M09", "M10", "M16", "M17", "visit.day_before", "visit.moved"}
STOP_CALLS = "STOP"  # the key that stops calls stops them to this phone, whomever it stands for
ASKS_FOR_NURSE = {"CALL_ME", "NOT_WELL"}  # on the phone


@dataclass(frozen=True)
class Told:
    """One reading, where it goes, and all that it was read against."""

    inbound: Inbound
    reading: triage.Reading
    route: routing.Route
    contact: Contact | None
    asked: Message | None  # the question that it answers
    site: Site
    plan: TherapyPlan | None
    target: timedelta | None  # the limit of the row that rules, when it has one
    named: Named = ()  # the items of the last box that are said to be missing
    count: float | None = None  # the number told, where one was asked for

    @property
    def opts_out(self) -> bool:
        """It asks for no more texts, and tells nothing that needs somebody sooner."""
        return self.reading.intent is Intent.OPT_OUT and self.reading.urgency is Urgency.NONE

    @property
    def withdraws(self) -> bool:
        """This phone is to be left alone: they asked for it, or it is not our patient's."""
        wrong = "WRONG_NUMBER" in self.reading.kinds and self.reading.urgency is Urgency.NONE
        return self.reading.intent is Intent.OPT_OUT or wrong


def hear(
    session: Session,
    inbound: Inbound,
    contact: Contact | None,
    texted: Site,
    *,
    catalog: Catalog,
    now: datetime,
    readable: bool = True,
) -> Told:
    """What came in, as one of those whose phone it is; a stranger's goes to the site that they texted.

    Not `readable`: a nurse reads it in our place.
    """
    plan = _plan(session, contact.patient_id) if contact else None
    asked = _asked(session, inbound, contact)
    reading = _read(session, inbound, asked, plan, catalog) if readable else UNREAD
    named = boxes.named(session, inbound.body, reading.kinds, asked, plan)
    needed = supplies.is_needed(named, catalog.journeys.profile(plan.therapy)) if plan else None
    route = _route(session, inbound, reading, contact, plan, catalog, now, needed)
    rows = [catalog.rules.rows[kind] for kind in reading.kinds if kind in catalog.rules.rows]
    limits = [timedelta(minutes=row.minutes) for row in rows if row.minutes and row.urgency is reading.urgency]
    target = min(limits, default=None) if route.urgency is reading.urgency else None
    if reading.look and not route.urgency.is_red:
        target = LOOK
    site = contact.patient.site if contact else texted
    count = supplies.counted(inbound.body) if asked and asked.prompt in COUNTS else None
    return Told(inbound, reading, route, contact, asked, site, plan, target, named, count)


def contacts_of(session: Session, inbound: Inbound) -> list[Contact]:
    """Whose phone this is: one contact for each patient that it stands for; a key answers for whom we called."""
    called = session.get(Message, inbound.message_id) if inbound.message_id else None
    if called and called.contact and inbound.body != STOP_CALLS:
        return [called.contact]
    found = session.scalars(
        select(Contact)
        .where(Contact.phone_hash == inbound.sender_hash, Contact.active)
        .options(joinedload(Contact.patient))
        .order_by(Contact.created_at)
    ).all()
    return list({contact.patient_id: contact for contact in found}.values())


def _read(
    session: Session, inbound: Inbound, asked: Message | None, plan: TherapyPlan | None, catalog: Catalog
) -> triage.Reading:
    reading = triage.read(
        inbound.body,
        catalog.rules,
        prompt=asked.prompt if asked else None,
        flags=_flags(plan),
        last_outbound=_last_text(session, inbound) or "",
    )
    reading = _as_twilio_took_it(reading, inbound.opt_out)
    if asked and asked.prompt is Prompt.SUPPLY_COUNT and not reading.ticket:
        count = supplies.counted(inbound.body)
        if count is not None and supplies.is_odd(count, catalog.journeys.most_doses):
            return ODD_COUNT
    if asked and asked.prompt is Prompt.FIXED and reading.kinds == ("CALL_ME",) and asked.ticket_id:
        return replace(reading, role=session.get_one(Ticket, asked.ticket_id).role)
    if (
        not reading.urgency.is_red
        and set(reading.kinds) <= MAY_BE_FOUND
        and boxes.found_again(session, inbound.body, plan)
    ):
        return FOUND
    if asked and asked.template in VISITS and reading.kinds == ("DELIVERY_CHANGE",) and len(inbound.body.split()) <= 2:
        return replace(reading, kinds=("VISIT_CHANGE",), role=Role.COORDINATOR)
    if inbound.media and (not reading.ticket or reading.kinds == ("UNKNOWN",)):
        return PICTURE  # words that tell nothing beside a picture that may
    if inbound.source is Source.VOICE and ASKS_FOR_NURSE & set(reading.kinds):
        # The call has just promised a nurse within minutes.
        urgency = most_urgent(reading.urgency, Urgency.URGENT)
        reading = replace(reading, urgency=urgency, role=Role.NURSE, ticket=True)
    return reading


def _as_twilio_took_it(reading: triage.Reading, opt_out: str | None) -> triage.Reading:
    """The reading with the opt-out that Twilio has seen in it and acted on already, where ours saw none."""
    if opt_out == "STOP" and reading.intent is not Intent.OPT_OUT:
        if reading.ticket and not set(reading.kinds) <= {"UNKNOWN", "OK_FINE"}:
            return replace(reading, kinds=(*reading.kinds, "STOP"), intent=Intent.OPT_OUT)
        stopped = replace(reading, kinds=("STOP",), intent=Intent.OPT_OUT, urgency=Urgency.NONE)
        return replace(stopped, role=Role.COORDINATOR, ticket=True, look=False, like=())
    if opt_out == "START" and reading.intent is not Intent.OPT_IN:
        return replace(reading, kinds=(*reading.kinds, "START"), intent=Intent.OPT_IN)
    return reading


def _route(
    session: Session,
    inbound: Inbound,
    reading: triage.Reading,
    contact: Contact | None,
    plan: TherapyPlan | None,
    catalog: Catalog,
    now: datetime,
    needed: bool | None,
) -> routing.Route:
    ends = datetime.combine(plan.ends_on, time(23, 59), ZoneInfo(contact.patient.timezone)) if plan and contact else now
    return routing.route(
        reading.kinds,
        most_urgent(reading.urgency, Urgency.ROUTINE),  # a ticket waits for somebody, however little it says
        reading.role,
        catalog.rules.nursing,
        ambers=catalog.rules.ambers - routing.VAGUE,
        earlier=_told_earlier(session, inbound, contact),
        first_dose_at=_first_dose_done(session, plan),
        next_dose_at=routing.next_dose(plan.first_dose_at, plan.doses_per_day, ends, now) if plan else None,
        needed=needed,
        now=now,
    )


def _told_earlier(session: Session, inbound: Inbound, contact: Contact | None) -> frozenset[str]:
    """What was told about the same patient, or from the same phone, in the day before."""
    same = Inbound.sender_hash == inbound.sender_hash
    if contact is not None:
        same |= Inbound.patient_id == contact.patient_id
    lately = (Inbound.received_at >= inbound.received_at - A_DAY, Inbound.received_at <= inbound.received_at)
    told = session.scalars(select(Inbound.kinds).where(same, *lately, Inbound.id != inbound.id))
    return frozenset(kind for kinds in told for kind in kinds)


def _plan(session: Session, patient_id: uuid.UUID) -> TherapyPlan | None:
    """The live plan of a patient, the newest one first."""
    plans = session.scalars(
        select(TherapyPlan).where(TherapyPlan.patient_id == patient_id).order_by(TherapyPlan.created_at.desc())
    ).all()
    live = [plan for plan in plans if plan.state not in OVER]
    return next(iter([*live, *plans]), None)


def _flags(plan: TherapyPlan | None) -> frozenset[Flag]:
    if plan is None:
        return frozenset()
    own = {Flag(flag) for flag in plan.flags}
    return frozenset(own | ({THERAPY_FLAGS[plan.therapy]} if plan.therapy in THERAPY_FLAGS else set()))


def _asked(session: Session, inbound: Inbound, contact: Contact | None) -> Message | None:
    """The question that this answers: the message it came back on, else the last one that asked, within a day."""
    if inbound.message_id:
        return session.get(Message, inbound.message_id)
    if contact is None:
        return None
    return session.scalars(
        select(Message)
        .where(
            Message.contact_id == contact.id,
            Message.prompt.is_not(None),
            Message.sent_at.is_not(None),
            Message.sent_at <= inbound.received_at + timedelta(seconds=5),
            Message.sent_at >= inbound.received_at - PROMPT_LIVES,
        )
        .order_by(Message.sent_at.desc())
        .limit(1)
    ).first()


def _last_text(session: Session, inbound: Inbound) -> str | None:
    return session.scalars(
        select(Message.body)
        .where(
            Message.to_hash == inbound.sender_hash,
            Message.channel == Channel.SMS,
            Message.due_at >= inbound.received_at - timedelta(days=7),
            Message.body.is_not(None),
        )
        .order_by(Message.due_at.desc())
        .limit(1)
    ).first()


def _first_dose_done(session: Session, plan: TherapyPlan | None) -> datetime | None:
    if plan is None:
        return None
    event = session.scalars(
        select(CareEvent)
        .where(CareEvent.plan_id == plan.id, CareEvent.kind == EventKind.FIRST_DOSE)
        .order_by(CareEvent.starts_at)
        .limit(1)
    ).first()
    return (event.done_at or event.starts_at) if event else plan.first_dose_at

"""Patients: find one, and see all that was and will be around one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import phonenumbers
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from notifier import access, clock, phone_lines, queries, rehearsal, runtime
from notifier.catalog import Catalog
from notifier.core.states import EventState, MessageState
from notifier.core.vocabulary import EventKind
from notifier.errors import Missing
from notifier.models import Attempt, AuditEvent, CareEvent, Inbound, Message
from notifier.queries import Story
from notifier.rehearsal import spoken
from webhooks.console import bp, words
from webhooks.console.door import Person, person
from webhooks.console.drawing import may_read
from webhooks.console.thread import REPLY, answer, how_it_went
from webhooks.console.ticket import READ_ANEW, next_dose
from webhooks.console.tongue import _

PAGE = 50
RECENT = 12  # of what has been; the rest is folded away, so that the page opens near now


@bp.get("/patients")
def patients() -> ResponseReturnValue:
    """Everybody, the newest first."""
    viewer, now = person(), clock.now()
    offset = max(0, request.args.get("from", 0, type=int))
    with runtime.reading() as session:
        found = queries.patients(session, viewer.sites, limit=PAGE, offset=offset)
        count = queries.count_patients(session, viewer.sites)
        following = offset + PAGE if offset + PAGE < count else None
        return render_template(
            "console/patients.html", patients=found, count=count, following=following, sought="", now=now
        )


@bp.post("/search")
def search() -> ResponseReturnValue:
    """A ticket by number, or patients by name, phone or the pharmacy's own number. A POST: a name is no address."""
    viewer, now = person(), clock.now()
    sought = request.form.get("q", "").strip()
    with runtime.reading() as session:
        if (number := sought.lstrip("#")).isdigit() and len(number) < 7:
            try:
                return redirect(url_for(".ticket", number=queries.ticket(session, int(number), viewer.sites).number))
            except Missing:
                pass  # no such ticket; it may be the pharmacy's number of a patient
        found = queries.find_patients(session, viewer.sites, sought, _e164(sought)) if sought else []
        return render_template(
            "console/patients.html", patients=found, count=len(found), following=None, sought=sought, now=now
        )


def _e164(text: str) -> str | None:
    try:
        parsed = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


# --- one patient ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pin:
    """One thing on the timeline. `tone` colours it; `state` stands in for whether it was or will be."""

    at: datetime
    icon: str
    title: str
    detail: str = ""
    tone: str = ""
    quote: bool = False
    until: datetime | None = None
    ticket: int | None = None
    words: str = ""  # of a message, to be unfolded


class Line(NamedTuple):
    """A pin and when it is, in words."""

    when: str
    pin: Pin


@bp.get("/patients/<uuid:patient_id>")
def patient(patient_id: UUID) -> ResponseReturnValue:
    """One patient's whole story. Opening it leaves a line in the journal."""
    viewer, now, catalog = person(), clock.now(), runtime.current().catalog
    show = request.args.get("show", "")
    with runtime.reading() as session:
        row = queries.patient(session, patient_id, viewer.sites)
        token = queries.patient_token(session, row.id)
        zone = ZoneInfo(row.timezone)
        story = queries.story(session, row.id)
        later = rehearsal.later(session, row.id, catalog, now)
        plans = queries.plans(session, row.id)
        events = [event for plan in plans for event in plan.events]
        tried = queries.attempts(session, story.messages)
        pins = sorted(
            [
                *_told(story, tried, catalog, viewer, zone, now),
                *_to_come(later, catalog, zone, now),
                *_asked(story, viewer),
                *(pin for event in events for pin in _event(event)),
                *(pin for line in story.journal for pin in _line(line, viewer)),
            ],
            key=lambda pin: (pin.at, not pin.quote),
        )
        chosen = [pin for pin in pins if show in ("", pin.icon) or (show == "messages" and pin.quote)]
        past = [_placed(pin, zone, now) for pin in chosen if pin.at <= now]
        future = [_placed(pin, zone, now) for pin in chosen if pin.at > now]
        fold = max(0, len(past) - RECENT)
        page = render_template(
            "console/patient.html",
            patient=row,
            plans=plans,
            zone=zone,
            now=now,
            earlier=past[:fold],
            past=past[fold:],
            future=future[:RECENT],
            far=future[RECENT:],
            show=show,
            next_doses={plan.id: next_dose(plan, zone, now) for plan in plans},
            deliveries=sorted(
                (e for e in events if e.kind is EventKind.DELIVERY), key=lambda e: e.starts_at, reverse=True
            ),
            visits=sorted(
                (e for e in events if e.kind is not EventKind.DELIVERY), key=lambda e: e.starts_at, reverse=True
            ),
            wrong=queries.wrong_numbers(session, row),
            sharers=queries.sharers(session, row),
            unresolved=[ticket for ticket in story.tickets if ticket.state != "resolved"],
            resolved=[ticket for ticket in reversed(story.tickets) if ticket.state == "resolved"],
            lines=phone_lines.known(session, {one.phone_hash for one in row.contacts}),
            consents={record.contact_id: record for record in story.consents},
            views={line.actor: line.at for line in reversed(story.views) if line.actor != viewer.name},
            may_read=lambda ticket: may_read(viewer, ticket.kinds),
            clinical=viewer.reads_clinical,
            token=token,
        )
        new = not queries.viewed_since(session, row, viewer.name, now - READ_ANEW)
    if new:
        with runtime.transaction() as session:
            access.viewed(session, row, viewer.name, now=now)
    return page


def _placed(pin: Pin, zone: ZoneInfo, now: datetime) -> Line:
    return Line(words.window(pin.at, pin.until, zone, now), pin)


def _told(
    story: Story, tried: dict[UUID, Attempt], catalog: Catalog, viewer: Person, zone: ZoneInfo, now: datetime
) -> Iterable[Pin]:
    answered = {row.id: row for row in story.inbound}
    for message in story.messages:
        to = message.contact
        cause = answered.get(message.inbound_id) if message.inbound_id else None
        readable = may_read(viewer, cause.kinds) if cause else message.template != REPLY or viewer.reads_clinical
        who = "" if to is None or to.is_patient else " " + _("to %(name)s", name=to.name)
        state = how_it_went(message, tried.get(message.id), zone, now)
        if message.state is MessageState.PLANNED:
            state = _("Of use until %(at)s", at=words.when(message.not_after, zone, now))
        at = (
            message.sent_at or (message.ended_at if message.state is MessageState.CANCELLED else None) or message.due_at
        )
        unsent = message.state in (MessageState.CANCELLED, MessageState.EXPIRED)
        yield Pin(
            at=message.due_at if unsent else at,
            icon="cross" if unsent else "phone" if message.channel == "voice" else "messages",
            title=f"{answer(message, readable) if cause else _title(message)}{who}",
            detail=f"{_in(message)}. {state}",
            tone={MessageState.FAILED: "urgent", MessageState.UNCERTAIN: "sameday"}.get(message.state, ""),
            words=spoken(message, catalog) if readable else "",
        )


def _in(message: Message) -> str:
    """`Text in English`."""
    how = words.by_way(message.channel).capitalize()
    return _("%(how)s in %(language)s", how=how, language=words.language(message.language))


def _to_come(later: Sequence[Message], catalog: Catalog, zone: ZoneInfo, now: datetime) -> Iterable[Pin]:
    """What is not written down yet, because its day is far."""
    for message in later:
        to = message.contact
        who = "" if to is None or to.is_patient else " " + _("to %(name)s", name=to.name)
        yield Pin(
            at=message.due_at,
            icon="phone" if message.channel == "voice" else "messages",
            title=f"{_title(message)}{who}",
            detail=f"{_in(message)}. " + _("Of use until %(at)s", at=words.when(message.not_after, zone, now)),
            words=spoken(message, catalog),
        )


ASIDE = {REPLY: "Text from staff", "M30": "Asked to pick up"}  # what leaves without a step of the journey


def _title(message: Message) -> str:
    if message.template in ASIDE:
        return _(ASIDE[message.template])
    return words.step(message.step or message.template)


def _asked(story: Story, viewer: Person) -> Iterable[Pin]:
    numbers = {ticket.id: ticket.number for ticket in story.tickets}
    for row in story.inbound:
        readable = may_read(viewer, row.kinds)
        yield Pin(
            at=row.received_at,
            icon=words.tone(row.urgency) if row.urgency and row.urgency != "none" else "messages",
            title=row.body if readable else _("Clinical text: nurses and pharmacists only"),
            detail=_read_as(row) if readable else "",
            tone=words.tone(row.urgency) if row.urgency and row.urgency != "none" else "ok",
            quote=readable,
            ticket=numbers.get(row.ticket_id) if row.ticket_id else None,
        )


def _read_as(row: Inbound) -> str:
    return _("Read as %(kinds)s.", kinds=words.kinds(row.kinds)) if row.kinds else _("Not read yet.")


EVENTS = {
    EventKind.DELIVERY: ("truck", "Delivery"),
    EventKind.EDUCATION: ("nurse", "Teaching"),
    EventKind.FIRST_DOSE: ("check", "First dose"),
    EventKind.VISIT: ("nurse", "Nurse visit"),
    EventKind.LAB: ("nurse", "Lab draw"),
    EventKind.LINE_CARE: ("nurse", "Line care"),
    EventKind.PICKUP: ("truck", "Pick-up"),
    EventKind.LAST_VISIT: ("nurse", "Last visit"),
}
HOW = {
    EventState.SCHEDULED: "",
    EventState.OUT_FOR_DELIVERY: "On the way",
    EventState.DONE: "Done",
    EventState.FAILED: "Did not happen",
    EventState.CANCELLED: "Cancelled",
}


def _event(event: CareEvent) -> Iterable[Pin]:
    icon, name = EVENTS[event.kind]
    said = [
        _(HOW[event.state]) if HOW[event.state] else "",
        _("the patient said yes") if event.confirmed_at and event.state == "scheduled" else "",
    ]
    if event.items:
        said.append(_("%(count)s items", count=len(event.items)) if len(event.items) > 1 else _("1 item"))
    if event.received_at:
        said.append(_("all there"))
    if event.mode:
        said.append({"phone": _("by phone"), "video": _("by video")}.get(event.mode, _("at home")))
    done = event.state is EventState.DONE
    yield Pin(
        at=event.done_at if done and event.done_at else event.starts_at,
        until=None if done else event.ends_at,
        icon=icon,
        title=_(name),
        detail=" · ".join(part for part in said if part).capitalize(),
        tone="ok" if done else "urgent" if event.state is EventState.FAILED else "",
    )


TOLD = {
    "patient.enrolled": ("enrol", "Enrolled", ""),
    "contact.landline": ("phone", "Found to be a landline: called from now on", "note"),
    "contact.takes_texts": ("messages", "No landline: texted again", ""),
    "therapy_plan.verified": ("check", "Plan verified, five checks", "ok"),
    "therapy_plan.paused": ("clock", "Plan paused", "note"),
    "therapy_plan.active": ("check", "Therapy under way", "ok"),
    "therapy_plan.ending": ("clock", "Therapy is ending", ""),
    "therapy_plan.ended": ("check", "Therapy ended", ""),
    "therapy_plan.deceased": ("clock", "Deceased: everything is silent", ""),
}


def _line(line: AuditEvent, viewer: Person) -> Iterable[Pin]:
    if line.verb in TOLD:
        icon, title, tone = TOLD[line.verb]
        detail = line.detail if line.detail and viewer.reads_clinical else ""
        yield Pin(
            line.at,
            icon,
            _(title),
            ". ".join(part for part in (detail, _("By %(name)s", name=line.actor)) if part),
            tone,
        )

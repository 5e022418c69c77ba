"""One ticket: what was promised, the thread, what a call needs to know; and every verb that a person has for it."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from jobs import queue
from notifier import access, bridging, clock, handling, presence, queries, runtime, tickets, voicemail
from notifier.core import routing, triage, wording
from notifier.core.states import EventState, TicketState
from notifier.core.vocabulary import TEAMS, Channel, Consent, EventKind, Role
from notifier.errors import Refused
from notifier.models import CareEvent, Contact, Inbound, Patient, Staff, TherapyPlan, Ticket
from webhooks.console import bp, words
from webhooks.console.door import Person, person
from webhooks.console.drawing import may_read, whose, zone_of
from webhooks.console.saved_answers import answers
from webhooks.console.telling import told
from webhooks.console.thread import Eyes, draw
from webhooks.console.tongue import _

READ_ANEW = timedelta(minutes=10)  # within this, looking again is the same reading
Verb = Callable[[Session, Ticket, Person, datetime], str]


class Problem(NamedTuple):
    """A form that was refused: which, why, and what was typed stays."""

    form: str
    why: str


@bp.get("/tickets/<int:number>")
def ticket(number: int) -> ResponseReturnValue:
    """One ticket, whole."""
    return _page(number)


def _page(number: int, problem: Problem | None = None) -> ResponseReturnValue:
    viewer, now, catalog = person(), clock.now(), runtime.current().catalog
    with runtime.reading() as session:
        row = queries.ticket(session, number, viewer.sites)
        token = queries.ticket_token(session, row)
        zone = zone_of(row)
        patient = queries.patient(session, row.patient_id) if row.patient_id else None
        said = queries.thread(session, row)
        people = {contact.id: contact for contact in patient.contacts} if patient else {}
        teller = people.get(row.contact_id) if row.contact_id else None
        eyes = Eyes(lambda kinds: may_read(viewer, kinds), catalog, zone, now)
        readable = may_read(viewer, row.kinds)
        follows = queries.earlier_ticket(session, row)
        page = render_template(
            "console/ticket.html",
            ticket=row,
            name=whose(row),
            about=words.kinds(row.kinds) if readable else _("Clinical").lower(),
            readable=readable,
            zone=zone,
            now=now,
            promise=_promise(row, zone, now, viewer.zone),
            thread=draw(row, said, people, queries.attempts(session, said.messages), eyes),
            teller=teller,
            call=_number_to_call(row, patient, teller),
            through_us=bool(viewer.staff.phone and bridging.number_of(session, row)),
            cannot_text=_cannot_text(teller),
            voicemails=voicemail.of_ticket(session, row.id),
            facts=_facts(patient, row, said.inbound, viewer, zone, now) if patient else None,
            others=queries.other_tickets(session, row),
            linked=handling.linked(session, row),
            follows=follows,
            last_word=queries.last_word(session, follows) if follows else None,
            checklist=catalog.checklists.of(row.kinds, catalog.rules.rows),
            teams=TEAMS,
            colleagues=queries.colleagues(session, (row.site_key,)),
            outcomes=tickets.OUTCOMES,
            nonce=uuid.uuid4().hex,
            saved=answers(teller.language) if teller else {},
            saying=answers(teller.language).get(request.args.get("say", ""), "") if teller else "",
            safer=_safer(problem, patient, teller),
            problem=problem,
            typed=request.form,
            writing=request.args.get("write", "") if problem is None else problem.form,
            may_read=lambda other: may_read(viewer, other.kinds),
            token=token,
            present=presence.others(session, row.id, viewer.staff.id, real_now=clock.real()),
        )
        stale = presence.is_stale(session, row.id, viewer.staff.id, now=now, real_now=clock.real())
        new = not queries.viewed_since(session, row, viewer.name, now - READ_ANEW)
    if new or stale:
        with runtime.transaction() as session:
            presence.saw(session, row.id, viewer.staff.id, now=now, real_now=clock.real())
            if new:
                access.viewed(session, row, viewer.name, now=now)
    return page, 409 if problem else 200


# --- what the page tells --------------------------------------------------------------------------------------------


class Promise(NamedTuple):
    """What was promised until when, and what happens next."""

    main: str
    words: str


def _promise(ticket: Ticket, zone: ZoneInfo, now: datetime, reader: ZoneInfo) -> Promise:
    def at(instant: datetime | None) -> str:
        return words.when(instant, zone, now) if instant else ""

    if ticket.state is TicketState.RESOLVED:
        outcome = told(tickets.OUTCOMES.get(ticket.outcome or "", ticket.outcome or ""))
        return Promise(_("Resolved %(at)s", at=at(ticket.resolved_at)), f"{ticket.owner}: {outcome}.")
    main = _first_line(ticket, words.due(ticket.opened_at, ticket.respond_by, ticket.urgency, zone, now, reader))
    if ticket.promised_by and ticket.contacted_at is None and ticket.urgency.is_red:
        main += " · " + _("promised %(at)s", at=at(ticket.promised_by))
    if ticket.state is TicketState.OPEN:
        paged = [_("Staff were paged %(often)s.", often=words.often(ticket.step))] if ticket.step else []
        if ticket.escalate_at:
            paged.append(_("The next page leaves at %(at)s.", at=at(ticket.escalate_at)))
        return Promise(main, " ".join([_("Nobody has it yet."), *paged]))
    has_it = _("%(name)s has it since %(at)s.", name=ticket.owner, at=at(ticket.acknowledged_at))
    if ticket.contacted_at:
        return Promise(_("Reached %(at)s", at=at(ticket.contacted_at)), f"{has_it} {_('Resolve it when all is done.')}")
    again = _("Without a logged contact it opens again at %(at)s.", at=at(ticket.ack_expires_at))
    return Promise(main, f"{has_it} {again}")


def _first_line(ticket: Ticket, due: words.Due) -> str:
    if due.style == "is-late":
        return f"{due.main}: {due.help}"
    if ticket.urgency.is_red:
        return _("Call %(due)s", due=due.sentence)
    return _("Answer %(due)s", due=due.sentence)


def _safer(problem: Problem | None, patient: Patient | None, teller: Contact | None) -> str:
    """A refused text said so that it may leave; "" where no better words are known."""
    if problem is None or problem.form != "reply" or patient is None or teller is None:
        return ""
    names = (patient.given_name, patient.family_name, teller.name)
    typed = request.form.get("text", "")
    better = wording.safer(typed, teller.language, names)
    return better if better and better != typed and not wording.guard(better, names) else ""


class Call(NamedTuple):
    """Whom to call."""

    name: str  # empty: whoever called
    number: str


def _number_to_call(ticket: Ticket, patient: Patient | None, teller: Contact | None) -> Call | None:
    if teller:
        return Call(teller.name.split()[0], teller.phone)
    if patient:
        return Call(patient.given_name, patient.contact.phone)
    return Call("", ticket.sender) if ticket.sender else None


def _cannot_text(teller: Contact | None) -> str:
    """Why no text can be sent; empty: it can. The verb itself decides again."""
    if teller is None:
        return _("This ticket has no phone that can be texted.")
    if teller.sms_consent is Consent.WITHDRAWN:
        return _("%(name)s has opted out of texts. Please call.", name=teller.name.split()[0])
    return _("This phone takes calls only. Please call.") if teller.channel is Channel.VOICE else ""


@dataclass(frozen=True)
class Facts:
    """What a call needs to know, in that order."""

    patient: Patient
    plan: TherapyPlan | None
    next_dose: datetime | None
    day: int  # of the therapy, from 1; 0: not begun
    flags: tuple[str, ...]
    delivery: CareEvent | None
    items: tuple[tuple[str, str, bool], ...]  # (name, how many, is something missing)
    clinical: bool  # whether this person may read about the therapy


def _facts(
    patient: Patient,
    ticket: Ticket,
    inbound: Sequence[Inbound],
    viewer: Person,
    zone: ZoneInfo,
    now: datetime,
) -> Facts:
    live = [plan for plan in patient.plans if plan.state.value not in ("ended", "deceased")] or patient.plans
    plan = next((each for each in live if each.id == ticket.plan_id), live[-1] if live else None)
    delivery = _last_delivery(plan) if plan else None
    return Facts(
        patient=patient,
        plan=plan,
        next_dose=next_dose(plan, zone, now) if plan else None,
        day=(now.astimezone(zone).date() - plan.first_dose_at.astimezone(zone).date()).days + 1
        if plan and plan.first_dose_at <= now
        else 0,
        flags=tuple(words.plain(flag) for flag in plan.flags) if plan else (),
        delivery=delivery,
        items=_items(delivery, inbound, ticket) if delivery else (),
        clinical=viewer.reads_clinical,
    )


def next_dose(plan: TherapyPlan, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The next dose of a plan, until the end of its last day."""
    ends = datetime.combine(plan.ends_on, time(23, 59), zone).astimezone(UTC)
    return routing.next_dose(plan.first_dose_at, plan.doses_per_day, ends, now)


def _last_delivery(plan: TherapyPlan) -> CareEvent | None:
    deliveries = [event for event in plan.events if event.kind is EventKind.DELIVERY]
    came = [event for event in deliveries if event.state is EventState.DONE]
    return (came or deliveries)[-1] if deliveries else None


def _items(delivery: CareEvent, inbound: Sequence[Inbound], ticket: Ticket) -> tuple[tuple[str, str, bool], ...]:
    manifest = [(str(item["name"]), int(item["quantity"])) for item in delivery.items]
    missing: dict[str, int | None] = {}
    for row in inbound:
        if row.ticket_id == ticket.id and {"MISSING", "MISSING_MED"} & set(row.kinds):
            missing.update(triage.missing_items(row.body, manifest))
    return tuple(
        (name, _how_many(quantity, missing.get(name), name in missing), name in missing) for name, quantity in manifest
    )


def _how_many(quantity: int, lacking: int | None, is_missing: bool) -> str:
    if not is_missing:
        return str(quantity)
    if lacking:
        return _("%(lacking)s of %(count)s missing", lacking=lacking, count=quantity)
    return _("of %(count)s, some missing", count=quantity)


# --- what a person does ---------------------------------------------------------------------------------------------


def _do(number: int, form: str, verb: Verb) -> ResponseReturnValue:
    """One verb on one ticket, then ring, then back to the page. Refused: the page again with what was typed."""
    viewer, now = person(), clock.now()
    try:
        with runtime.transaction() as session:
            row = queries.ticket(session, number, viewer.sites)
            if not may_read(viewer, row.kinds):
                abort(HTTPStatus.FORBIDDEN)
            said = verb(session, row, viewer, now)
    except Refused as refusal:
        return _page(number, Problem(form, told(str(refusal))))
    queue.ring()
    flash(said)
    return redirect(url_for(".ticket", number=number))


@bp.get("/tickets/<int:number>/<any(acknowledge, call, pass, assign, note, contact, resolve, reply, checklist):verb>")
@bp.get("/tickets/<int:number>/<any(merge, link, role):verb>")
def after_refusal(number: int, verb: str) -> ResponseReturnValue:
    """A refused form leaves its address in the browser, which asks for it again: live, by reload, after sign-in."""
    return redirect(url_for(".ticket", number=number))


@bp.post("/tickets/<int:number>/acknowledge")
def acknowledge(number: int) -> ResponseReturnValue:
    """Take it; paging stops at once."""

    def take(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        if tickets.acknowledge(session, row, viewer.actor, now=now):
            return _("#%(number)s is yours", number=number)
        if row.state is TicketState.RESOLVED:
            return _("#%(number)s is resolved already", number=number)
        if row.owner_id == viewer.staff.id:
            return _("#%(number)s is with you already", number=number)
        return _("#%(number)s is with %(name)s already", number=number, name=row.owner)

    return _do(number, "acknowledge", take)


@bp.post("/tickets/<int:number>/call")
def call_through(number: int) -> ResponseReturnValue:
    """Ring whoever clicked, to connect them with the patient."""

    def call(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        staff = session.get_one(Staff, viewer.staff.id)
        new = bridging.call_through(session, row, staff, now=now)
        if new:
            return _("#%(number)s: your phone rings now", number=number)
        return _("#%(number)s: your phone rings already: take that call", number=number)

    return _do(number, "call", call)


@bp.post("/tickets/<int:number>/pass")
def pass_on(number: int) -> ResponseReturnValue:
    """Give it to the next rung."""

    def give(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        moved = tickets.pass_on(session, row, viewer.actor, catalog=runtime.current().catalog, now=now)
        if moved:
            return _("#%(number)s is passed on: the next rung is paged", number=number)
        return _("#%(number)s is resolved already", number=number)

    return _do(number, "pass", give)


@bp.post("/tickets/<int:number>/assign")
def assign(number: int) -> ResponseReturnValue:
    """Give it to a colleague, who is told by text."""

    def give(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        to = session.get(Staff, request.form.get("to", type=UUID))
        if to is None:
            raise Refused(_("Choose who shall have it."))
        tickets.assign(session, row, to, viewer.actor, now=now)
        return _("#%(number)s is with %(name)s now", number=number, name=to.name)

    return _do(number, "assign", give)


@bp.post("/tickets/<int:number>/note")
def note(number: int) -> ResponseReturnValue:
    """Write down what only staff see."""

    def write(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        tickets.note(session, row, request.form.get("text", ""), viewer.actor, now=now)
        return _("Note added to #%(number)s", number=number)

    return _do(number, "note", write)


@bp.post("/tickets/<int:number>/contact")
def contact(number: int) -> ResponseReturnValue:
    """Write down a call."""

    def log(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        reached = request.form.get("reached") == "yes"
        catalog = runtime.current().catalog
        tickets.log_contact(session, row, reached, request.form.get("text", ""), viewer.actor, catalog=catalog, now=now)
        if reached:
            return _("#%(number)s: contact logged", number=number)
        return _("#%(number)s: no answer, logged", number=number)

    return _do(number, "contact", log)


@bp.post("/tickets/<int:number>/checklist")
def checklist(number: int) -> ResponseReturnValue:
    """Keep what was asked and answered on the call."""

    def keep(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        catalog, form = runtime.current().catalog, request.form
        asked = catalog.checklists.of(row.kinds, catalog.rules.rows).lines
        given = {line: form.get(f"answer-{n}", "") for n, line in enumerate(asked)}
        kept = handling.record(session, row, given, viewer.actor, asked=asked, now=now)
        if not kept:
            return _("#%(number)s: nothing new", number=number)
        if kept == 1:
            return _("#%(number)s: 1 answer kept", number=number)
        return _("#%(number)s: %(count)s answers kept", number=number, count=kept)

    return _do(number, "checklist", keep)


@bp.post("/tickets/<int:number>/merge")
def merge(number: int) -> ResponseReturnValue:
    """Let another ticket take this one over."""

    def give(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        into = _named(session, viewer)
        handling.merge(session, row, into, viewer.actor, catalog=runtime.current().catalog, now=now)
        return _("#%(number)s is merged into #%(other)s", number=number, other=into.number)

    return _do(number, "merge", give)


@bp.post("/tickets/<int:number>/link")
def link(number: int) -> ResponseReturnValue:
    """Say that another ticket belongs to this one."""

    def join(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        other = _named(session, viewer)
        handling.link(session, row, other, viewer.actor, now=now)
        return _("#%(number)s and #%(other)s are linked", number=number, other=other.number)

    return _do(number, "link", join)


def _named(session: Session, viewer: Person) -> Ticket:
    """The ticket that the form names. Raises Refused, Missing."""
    number = request.form.get("number", "").strip().lstrip("#")
    if not number.isdigit():
        raise Refused(_("Give the number of the other ticket."))
    other = queries.ticket(session, int(number), viewer.sites)
    if not may_read(viewer, other.kinds):
        abort(HTTPStatus.FORBIDDEN)
    return other


@bp.post("/tickets/<int:number>/role")
def reroute(number: int) -> ResponseReturnValue:
    """Make it another team's, which is paged."""

    def give(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        role = request.form.get("role", "")
        if role not in TEAMS:
            raise Refused(_("Choose the team that shall have it."))
        held = handling.reroute(session, row, Role(role), viewer.actor, catalog=runtime.current().catalog, now=now)
        team = words.role_word(Role(role)).lower()
        return _("#%(number)s is given to %(team)s: they are paged", number=held.number, team=team)

    return _do(number, "role", give)


@bp.post("/tickets/<int:number>/resolve")
def resolve(number: int) -> ResponseReturnValue:
    """Close it with an outcome."""

    def close(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        form = request.form
        tickets.resolve(session, row, form.get("outcome", ""), form.get("text", ""), viewer.actor, now=now)
        return _("#%(number)s resolved", number=number)

    return _do(number, "resolve", close)


@bp.post("/tickets/<int:number>/reply")
def reply(number: int) -> ResponseReturnValue:
    """Text whoever told us. The form's nonce makes a double click one text."""

    def send(session: Session, row: Ticket, viewer: Person, now: datetime) -> str:
        form = request.form
        nonce = form.get("nonce", "")
        if not nonce.isalnum():
            raise Refused(_("That form was damaged on its way; send it again."))
        text, catalog = form.get("text", ""), runtime.current().catalog
        tickets.reply(session, row, text, nonce, viewer.actor, catalog=catalog, now=now)
        return _("#%(number)s: text on its way", number=number)

    return _do(number, "reply", send)

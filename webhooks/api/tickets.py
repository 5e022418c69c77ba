"""Tickets: what needs a human, who has it, and what was done."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from pydantic import Field

from notifier import handling, models, queries, tickets
from notifier.core.states import MessageState, TicketState
from notifier.core.triage import Row
from notifier.core.vocabulary import TEAMS, Role, Scope, Source, Urgency, most_urgent
from notifier.errors import Invalid, Refused
from webhooks.api import pages
from webhooks.api.calls import Answer, Ask, call
from webhooks.api.fields import Asked, Instant, Nothing, SiteKey, Text, Told, Word

TAG = "Tickets"
READERS = (Scope.READ, Scope.TICKETS)


# --- in and out ---------------------------------------------------------------------------------------------------


class TicketEvent(Told):
    """One line of a ticket's journal."""

    at: Instant
    actor: str
    action: str = Field(examples=["ticket.acknowledged"])
    detail: str | None


class Ticket(Told):
    """A need that a person must meet."""

    id: UUID
    number: int = Field(description="short, for speech and for answering pages")
    site: str
    patient: UUID | None
    kinds: list[str]
    urgency: Urgency
    state: TicketState
    role: Role = Field(description="whose job it is")
    owner: str | None = Field(description="who has it")
    source: Source
    text: str
    opened_at: Instant
    respond_by: Instant
    acknowledged_at: Instant | None
    resolved_at: Instant | None
    outcome: str | None
    step: int = Field(description="rungs of the ladder climbed so far")
    follows: UUID | None = Field(description="the resolved ticket that this one follows")
    merged: UUID | None = Field(description="the ticket that took this one over")
    linked: list[UUID] = Field(description="tickets that belong to this one, such as another team's part of the text")
    promised_by: Instant | None = Field(description="by when the patient was told that somebody calls")
    answers: dict[str, str] = Field(description="what was asked and recorded on the call, by question")
    events: list[TicketEvent]


class Tickets(Told):
    """A page of tickets, the newest first."""

    items: list[Ticket]
    next: str | None


class Reply(Ticket):
    """The ticket after a reply, and the text message that the reply became."""

    message: UUID
    message_state: MessageState


class Search(pages.Page):
    """Which tickets."""

    site: SiteKey | None = None
    state: TicketState | None = None
    urgency: Urgency | None = None
    role: Role | None = None
    patient: UUID | None = None


class NewTicket(Asked):
    """A ticket by hand: about a patient, or about a site when no patient is named."""

    patient: UUID | None = None
    site: Word | None = Field(None, description="needed when no patient is named")
    kinds: list[Word] = Field(
        default_factory=list, max_length=20, description="codes of the triage catalogue; they set urgency and role"
    )
    urgency: Urgency | None = Field(None, description="only raises what the kinds say; needed without kinds")
    role: Role | None = Field(None, description="default: the role of the most urgent kind; needed without kinds")
    text: Text


class Assignment(Asked):
    """Who shall have it."""

    to: Word = Field(description="a member of staff: the key in pharmacy.toml, or the id")


class Note(Asked):
    """Something that only staff see."""

    text: Text


class Words(Asked):
    """A text message to the person who told us."""

    text: Text


class Contact(Asked):
    """A call to the patient: reached or not."""

    reached: bool
    note: str = Field("", max_length=2000)


class Resolution(Asked):
    """How it ended."""

    outcome: Word = Field(json_schema_extra={"enum": list(tickets.OUTCOMES)})
    note: str = Field("", max_length=2000)


class Other(Asked):
    """Another ticket."""

    ticket: UUID = Field(description="its id")


class Team(Asked):
    """The team that shall have it."""

    role: Role


class Answers(Asked):
    """What was asked and recorded on the call."""

    answers: dict[str, str] = Field(description="by the checklist's own questions; others are refused")


def _told(ask: Ask, row: models.Ticket) -> Ticket:
    return _all_told(ask, [row])[0]


def _all_told(ask: Ask, rows: Sequence[models.Ticket]) -> list[Ticket]:
    ask.session.flush()
    lines = queries.journals_of(ask.session, [row.id for row in rows])
    linked = queries.links_of(ask.session, [row.id for row in rows])
    return [Ticket(**_facts(row), linked=linked.get(row.id, []), events=_events(lines.get(row.id, ()))) for row in rows]


def _facts(row: models.Ticket) -> dict[str, Any]:
    same = (
        "id number kinds urgency state role owner source text opened_at respond_by acknowledged_at resolved_at "
        "outcome step promised_by"
    )
    return {
        **{name: getattr(row, name) for name in same.split()},
        "site": row.site_key,
        "patient": row.patient_id,
        "follows": row.follows_id,
        "merged": row.merged_id,
        "answers": row.answers or {},
    }


def _events(lines: Iterable[models.AuditEvent]) -> list[TicketEvent]:
    return [TicketEvent(at=line.at, actor=line.actor, action=line.verb, detail=line.detail) for line in lines]


# --- reading ------------------------------------------------------------------------------------------------------


@call("GET", "/tickets", *READERS, tag=TAG, answers=Tickets, query=Search)
def search(ask: Ask, query: Search) -> Tickets:
    """List tickets, the newest first"""
    rows = queries.list_tickets(
        ask.session,
        site=query.site,
        state=query.state,
        urgency=query.urgency,
        role=query.role,
        patient_id=query.patient,
        before=query.cursor,
        limit=query.limit + 1,
    )
    shown, following = pages.cut(rows, query.limit, lambda row: (row.opened_at, row.id))
    return Tickets(items=_all_told(ask, shown), next=following)


@call("GET", "/tickets/<uuid:ticket_id>", *READERS, tag=TAG, answers=Ticket)
def get(ask: Ask, ticket_id: UUID) -> Ticket:
    """Read one ticket with its events"""
    return _told(ask, queries.ticket_by_id(ask.session, ticket_id))


# --- working ------------------------------------------------------------------------------------------------------


@call(
    "POST",
    "/tickets",
    Scope.TICKETS,
    tag=TAG,
    body=NewTicket,
    answers=Ticket,
    status=201,
    also={200: "The patient has an unresolved ticket of that role: the news was added to it."},
)
def open_by_hand(ask: Ask, body: NewTicket) -> Answer:
    """Open a ticket by hand"""
    ticket, new = tickets.open_or_append(
        ask.session, _need(ask, body), catalog=ask.catalog, now=ask.now, by=ask.by.name
    )
    return Answer(_told(ask, ticket), 201 if new else 200)


def _need(ask: Ask, body: NewTicket) -> tickets.Need:
    rows = _rows(ask, body.kinds)
    first = min(rows, key=lambda row: row.urgency.rank, default=None)
    urgency = most_urgent(*(row.urgency for row in rows), *([body.urgency] if body.urgency else []))
    role = body.role or (first.role if first else None)
    wrong = {}
    if urgency is Urgency.NONE:
        wrong["urgency"] = "needed: how soon must a person act"
    if role not in TEAMS:
        wrong["role"] = f"needed: one of {', '.join(TEAMS)}"
    if body.patient:
        patient = queries.patient(ask.session, body.patient)
        site_key, subject, contact_id = patient.site_key, f"patient:{patient.id}", patient.contact.id
        if body.site not in (None, site_key):
            wrong["site"] = "is not the patient's site"
    else:
        site_key, subject, contact_id = body.site or "", f"site:{body.site}", None
        if not queries.sites(ask.session, [site_key]):
            wrong["site"] = "no such site" if body.site else "needed when no patient is named"
    if wrong or role is None:
        raise Invalid(wrong)
    return tickets.Need(
        site_key=site_key,
        subject=subject,
        role=role,
        urgency=urgency,
        kinds=tuple(body.kinds),
        source=Source.MANUAL,
        text=body.text,
        patient_id=body.patient,
        contact_id=contact_id,
    )


def _rows(ask: Ask, kinds: list[str]) -> list[Row]:
    unknown = {
        f"kinds.{n}": "no such code in the triage catalogue"
        for n, kind in enumerate(kinds)
        if kind not in ask.catalog.rules.rows
    }
    if unknown:
        raise Invalid(unknown)
    return [ask.catalog.rules.rows[kind] for kind in kinds]


@call("POST", "/tickets/<uuid:ticket_id>/acknowledge", Scope.TICKETS, tag=TAG, body=Nothing, answers=Ticket)
def acknowledge(ask: Ask, ticket_id: UUID, body: Nothing) -> Ticket:
    """Take a ticket: paging stops at once"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    if not tickets.acknowledge(ask.session, ticket, ask.by, now=ask.now):
        if ticket.state is TicketState.RESOLVED:
            raise Refused(f"Ticket {ticket.number} is resolved.")
        if ticket.owner != ask.by.name:
            raise Refused(f"{ticket.owner} has ticket {ticket.number} already.")
    return _told(ask, ticket)


@call("POST", "/tickets/<uuid:ticket_id>/assign", Scope.TICKETS, tag=TAG, body=Assignment, answers=Ticket)
def assign(ask: Ask, ticket_id: UUID, body: Assignment) -> Ticket:
    """Make somebody the owner"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    person = queries.staff_member(ask.session, body.to)
    if person is None:
        raise Invalid({"to": "nobody of the staff has this key or id"})
    tickets.assign(ask.session, ticket, person, ask.by, now=ask.now)
    return _told(ask, ticket)


@call("POST", "/tickets/<uuid:ticket_id>/note", Scope.TICKETS, tag=TAG, body=Note, answers=Ticket)
def note(ask: Ask, ticket_id: UUID, body: Note) -> Ticket:
    """Write down something that only staff see"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    tickets.note(ask.session, ticket, body.text, ask.by, now=ask.now)
    return _told(ask, ticket)


@call("POST", "/tickets/<uuid:ticket_id>/reply", Scope.TICKETS, tag=TAG, body=Words, answers=Reply)
def reply(ask: Ask, ticket_id: UUID, body: Words) -> Reply:
    """Text the person who told us"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    nonce = ask.nonce or str(uuid4())
    message = tickets.reply(ask.session, ticket, body.text, nonce, ask.by, catalog=ask.catalog, now=ask.now)
    told = _told(ask, ticket)
    return Reply(**told.model_dump(), message=message.id, message_state=message.state)


@call("POST", "/tickets/<uuid:ticket_id>/contact", Scope.TICKETS, tag=TAG, body=Contact, answers=Ticket)
def contact(ask: Ask, ticket_id: UUID, body: Contact) -> Ticket:
    """Log a call to the patient: reached or not"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    tickets.log_contact(ask.session, ticket, body.reached, body.note, ask.by, catalog=ask.catalog, now=ask.now)
    return _told(ask, ticket)


@call("POST", "/tickets/<uuid:ticket_id>/merge", Scope.TICKETS, tag=TAG, body=Other, answers=Ticket)
def merge(ask: Ask, ticket_id: UUID, body: Other) -> Ticket:
    """Let another ticket take this one over; answers with that one"""
    ticket, into = queries.ticket_by_id(ask.session, ticket_id), queries.ticket_by_id(ask.session, body.ticket)
    handling.merge(ask.session, ticket, into, ask.by, catalog=ask.catalog, now=ask.now)
    return _told(ask, into)


@call("POST", "/tickets/<uuid:ticket_id>/link", Scope.TICKETS, tag=TAG, body=Other, answers=Ticket)
def link(ask: Ask, ticket_id: UUID, body: Other) -> Ticket:
    """Say that another ticket belongs to this one"""
    ticket, other = queries.ticket_by_id(ask.session, ticket_id), queries.ticket_by_id(ask.session, body.ticket)
    handling.link(ask.session, ticket, other, ask.by, now=ask.now)
    return _told(ask, ticket)


@call("POST", "/tickets/<uuid:ticket_id>/role", Scope.TICKETS, tag=TAG, body=Team, answers=Ticket)
def reroute(ask: Ask, ticket_id: UUID, body: Team) -> Ticket:
    """Make it another team's, which is paged; answers with the ticket that holds the need now"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    if body.role not in TEAMS:
        raise Invalid({"role": f"must be one of {', '.join(TEAMS)}"})
    held = handling.reroute(ask.session, ticket, body.role, ask.by, catalog=ask.catalog, now=ask.now)
    return _told(ask, held)


@call("POST", "/tickets/<uuid:ticket_id>/checklist", Scope.TICKETS, tag=TAG, body=Answers, answers=Ticket)
def checklist(ask: Ask, ticket_id: UUID, body: Answers) -> Ticket:
    """Keep what was asked and recorded on the call"""
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    asked = ask.catalog.checklists.of(ticket.kinds, ask.catalog.rules.rows).lines
    if unknown := [question for question in body.answers if question not in asked]:
        raise Invalid({"answers": f"no such question: {', '.join(unknown)}"})
    handling.record(ask.session, ticket, body.answers, ask.by, asked=asked, now=ask.now)
    return _told(ask, ticket)


@call("POST", "/tickets/<uuid:ticket_id>/resolve", Scope.TICKETS, tag=TAG, body=Resolution, answers=Ticket)
def resolve(ask: Ask, ticket_id: UUID, body: Resolution) -> Ticket:
    """Close a ticket with an outcome; a red flag only after the patient was reached"""
    if body.outcome not in tickets.OUTCOMES:
        raise Invalid({"outcome": f"must be one of {', '.join(tickets.OUTCOMES)}"})
    ticket = queries.ticket_by_id(ask.session, ticket_id)
    tickets.resolve(ask.session, ticket, body.outcome, body.note, ask.by, now=ask.now)
    return _told(ask, ticket)

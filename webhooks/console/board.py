"""The board: who needs a human, the most urgent and least time left on top."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from jobs import queue
from notifier import access, clock, presence, queries, roster, runtime, tickets
from notifier.core.states import TicketState
from notifier.core.vocabulary import TEAMS, Role, Urgency
from notifier.errors import Refused
from notifier.models import Contact, Site, Staff, Ticket
from notifier.queries import Wanted
from webhooks.console import bp, words
from webhooks.console.door import Person, person
from webhooks.console.tongue import _

SHOWN = {Urgency.EMERGENCY: 100, Urgency.URGENT: 100, Urgency.SAME_DAY: 25, Urgency.ROUTINE: 15, Urgency.NONE: 15}
BULK = (Urgency.ROUTINE, Urgency.NONE)  # what may be acted on without being opened
RESOLVED_SHOWN = 20
MORE = 300
UNRESOLVED = (TicketState.OPEN, TicketState.ACKNOWLEDGED)
STATES = {"": UNRESOLVED, "nobody": (TicketState.OPEN,), "resolved": (TicketState.RESOLVED,)}


@dataclass(frozen=True)
class Row:
    """One ticket as a row of the board: how urgent, who and what, in their words, who has it, by when."""

    number: int
    urgency: Urgency
    name: str
    about: tuple[str, ...]  # the kinds, in words
    aside: str  # "caregiver · 3 texts"
    said: str | None  # None: this person may not read it
    added: str  # what the service put beside their words
    quoted: bool
    language: str
    role: Role
    owner: str
    is_mine: bool
    is_new: bool  # it told something since this person last looked
    state: TicketState
    due: words.Due


class Group(NamedTuple):
    """The tickets of one urgency."""

    urgency: Urgency
    rows: list[Row]
    total: int
    promised: str


@bp.get("/")
def board() -> ResponseReturnValue:
    """The board under the filters of its address."""
    viewer, now = person(), clock.now()
    show, role, state, more = (request.args.get(name, "") for name in ("show", "role", "state", "more"))
    site = request.args.get("site", "")
    with runtime.reading() as session:
        sites = queries.sites(session, viewer.sites)
        seen = tuple(place.key for place in sites if place.key == site) or viewer.sites
        wanted = Wanted(seen, states=STATES.get(state, UNRESOLVED))
        views = {
            "mine": Wanted(seen, owner_id=viewer.staff.id, states=wanted.states),
            "roles": Wanted(seen, roles=tuple(viewer.staff.roles), states=wanted.states),
            "": wanted,
        }
        chosen = views.get(show, wanted)
        if role in TEAMS:
            chosen = Wanted(seen, (role,), chosen.owner_id, wanted.states)
        groups = [_group(session, chosen, urgency, viewer, more, now) for urgency in Urgency]
        return render_template(
            "console/board.html",
            groups=[group for group in groups if group.total],
            counts={name: sum(queries.board_counts(session, each).values()) for name, each in views.items()},
            show=show if show in views else "",
            role=role,
            state=state,
            site=site,
            sites=sites,
            teams=TEAMS,
            alarms=queries.emergencies(session, viewer.sites),
            may_read=lambda ticket: may_read(viewer, ticket.kinds),
            outcomes=tickets.OUTCOMES,
            token=queries.board_token(session, viewer.sites),
            now=now,
        )


def _group(session: Session, wanted: Wanted, urgency: Urgency, viewer: Person, more: str, now: datetime) -> Group:
    limit = MORE if more == urgency else RESOLVED_SHOWN if TicketState.RESOLVED in wanted.states else SHOWN[urgency]
    found = queries.board(session, wanted, urgency, limit)
    total = len(found) if len(found) < limit else queries.board_counts(session, wanted)[urgency]
    return Group(urgency, rows(session, found, viewer, now), total, words.PROMISED[urgency])


def rows(session: Session, found: Sequence[Ticket], viewer: Person, now: datetime) -> list[Row]:
    """Tickets as rows, with what this person may read of them."""
    people = queries.contacts(session, (ticket.contact_id for ticket in found))
    told = queries.texts_told(session, found)
    new = presence.unseen(session, viewer.staff.id, found)
    drawn = [
        _row(ticket, people.get(ticket.contact_id) if ticket.contact_id else None, told.get(ticket.id, []), viewer, now)
        for ticket in found
    ]
    return [replace(row, is_new=ticket.id in new) for row, ticket in zip(drawn, found, strict=True)]


def _row(ticket: Ticket, teller: Contact | None, told: list[str], viewer: Person, now: datetime) -> Row:
    readable = may_read(viewer, ticket.kinds)
    # A second team's ticket holds no text of its own: their words are its first line.
    said = told[0] if told and told[0] else ticket.text.split("\n", 1)[0]
    if not ticket.text.startswith(said):
        said = ticket.text
    aside = [teller.relation] if teller and not teller.is_patient else []
    aside += [_("%(count)s texts", count=len(told))] if len(told) > 1 else []
    return Row(
        number=ticket.number,
        urgency=ticket.urgency,
        name=whose(ticket),
        about=tuple(words.kind(code) for code in ticket.kinds) if readable else (_("Clinical"),),
        aside=" · ".join(aside),
        said=said if readable else None,
        added=ticket.text[len(said) :].strip() if readable else "",
        quoted=ticket.source in ("sms", "voice"),
        language=teller.language if teller else "en",
        role=ticket.role,
        owner=ticket.owner or "",
        is_mine=ticket.owner_id == viewer.staff.id,
        is_new=False,
        state=ticket.state,
        due=words.due(ticket.opened_at, ticket.respond_by, ticket.urgency, zone_of(ticket), now, viewer.zone),
    )


def may_read(viewer: Person, kinds: Sequence[str]) -> bool:
    """Whether this person may read words that tell of these kinds."""
    return access.may_read(viewer.staff.roles, kinds, runtime.current().catalog.rules.rows)


def whose(ticket: Ticket) -> str:
    """Whose need a ticket is, for the heading of a page behind the door."""
    if ticket.patient:
        return ticket.patient.name
    return words.phone(ticket.sender) if ticket.sender else ticket.site.name


def zone_of(ticket: Ticket) -> ZoneInfo:
    """The zone in which a ticket's times are told: the patient's, else the site's."""
    return ZoneInfo(ticket.patient.timezone if ticket.patient else ticket.site.timezone)


@bp.post("/tickets/acknowledge")
def acknowledge_several() -> ResponseReturnValue:
    """Take the routine tickets that were ticked."""
    viewer, now = person(), clock.now()
    numbers = request.form.getlist("ticket", type=int)
    with runtime.transaction() as session:
        chosen = [queries.ticket(session, number, viewer.sites) for number in numbers[:200]]
        routine = [ticket for ticket in chosen if not ticket.urgency.is_red]
        took = [ticket.number for ticket in routine if tickets.acknowledge(session, ticket, viewer.actor, now=now)]
    queue.ring()
    done = _("%(took)s of %(count)s tickets are yours now.", took=len(took), count=len(numbers))
    flash(done if numbers else _("Tick the tickets first."))
    return redirect(url_for(".board"))


@bp.post("/tickets/resolve")
def resolve_several() -> ResponseReturnValue:
    """Close the routine tickets that were ticked, all with one outcome; one that cannot be closed stays."""
    viewer, now = person(), clock.now()
    numbers, outcome = request.form.getlist("ticket", type=int), request.form.get("outcome", "")
    closed, refusal = 0, ""
    for number in numbers[:200]:
        try:
            with runtime.transaction() as session:
                ticket = queries.ticket(session, number, viewer.sites)
                if ticket.urgency in BULK and may_read(viewer, ticket.kinds):
                    tickets.resolve(session, ticket, outcome, "", viewer.actor, now=now)
                    closed += 1
        except Refused as refused:
            refusal = str(refused)
    done = _("%(closed)s of %(count)s tickets are resolved.", closed=closed, count=len(numbers))
    flash(refusal or (done if numbers else _("Tick the tickets first.")))
    return redirect(url_for(".board"))


# --- what stands beside every page ----------------------------------------------------------------------------------


class Nav(NamedTuple):
    """The figures in the navigation and who is on call."""

    alarms: int
    failed: int
    duty: list[str]  # names of the nurses on call, the first rung first


@bp.app_template_global()
def nav() -> Nav:
    """What the navigation tells; asked by pages behind the door only, so that an error page needs no database."""
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        site = session.get(Site, viewer.home) if viewer.home else None
        team: dict[int, list[UUID]] = roster.on_call(session, Role.NURSE, site, now) if site else {}
        held = [session.get_one(Staff, staff_id).name for rung in sorted(team) for staff_id in team[rung]]
        return Nav(
            len(queries.emergencies(session, viewer.sites)),
            queries.count_needing_a_hand(session, viewer.sites, now - queries.RECENT),
            list(dict.fromkeys(held)),
        )


@bp.app_context_processor
def words_for_pages() -> dict[str, Any]:
    """The enums' words, for every template."""
    return {"PROMISED": words.PROMISED, "ROLES": words.ROLES, "ROLE_ICONS": words.ROLE_ICONS, "Urgency": Urgency}

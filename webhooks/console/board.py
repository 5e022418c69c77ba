"""The board: who needs a human, the most urgent and least time left on top."""

from typing import Any, NamedTuple
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from jobs import queue
from notifier import clock, queries, roster, runtime, tickets
from notifier.core.states import TicketState
from notifier.core.vocabulary import TEAMS, Role, Urgency
from notifier.errors import Refused
from notifier.models import Site, Staff
from notifier.queries import Wanted
from webhooks.console import bp, words
from webhooks.console.door import person
from webhooks.console.drawing import drawn, may_read
from webhooks.console.telling import told
from webhooks.console.tongue import _

BULK = (Urgency.ROUTINE, Urgency.NONE)  # what may be acted on without being opened
UNRESOLVED = (TicketState.OPEN, TicketState.ACKNOWLEDGED)
STATES = {"": UNRESOLVED, "nobody": (TicketState.OPEN,), "resolved": (TicketState.RESOLVED,)}


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
        token = queries.board_token(session, viewer.sites)
        drawing = drawn(session, chosen, viewer, more, token, now)
        return render_template(
            "console/board.html",
            groups=drawing.groups(session, viewer),
            drawing=drawing,
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
            token=token,
            now=now,
        )


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
            refusal = told(str(refused))
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

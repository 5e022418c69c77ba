"""The hand-over: what waits at the change of shift, confirmed by who comes, and given over by who goes."""

from uuid import UUID
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from jobs import queue
from notifier import clock, handling, queries, runtime
from notifier import handover as shifts
from notifier.core.vocabulary import TEAMS, Role
from notifier.errors import Refused
from notifier.models import Staff
from webhooks.console import bp
from webhooks.console.door import person
from webhooks.console.drawing import may_read, whose, zone_of
from webhooks.console.telling import told
from webhooks.console.tongue import _


@bp.get("/handover")
def handover() -> ResponseReturnValue:
    """What waits for a role at a site."""
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        sites = queries.sites(session, viewer.sites)
        chosen = request.args.get("site", viewer.home)
        site = next((each for each in sites if each.key == chosen), sites[0] if sites else None)
        roles = [*TEAMS, Role.SUPERVISOR]
        own = next((role for role in roles if role in viewer.staff.roles), Role.NURSE)
        wanted = request.args.get("role", own)
        role = Role(wanted) if wanted in roles else own
        return render_template(
            "console/handover.html",
            site=site,
            sites=sites,
            role=role,
            roles=roles,
            digest=shifts.digest(session, site, role, now) if site else None,
            waiting=shifts.waiting(session, viewer.staff, now),
            recent=shifts.recent(session, site, now) if site else [],
            colleagues=queries.colleagues(session, (site.key,)) if site else [],
            name=whose,
            zone_of=zone_of,
            may_read=lambda ticket: may_read(viewer, ticket.kinds),
            zone=ZoneInfo(site.timezone) if site else viewer.zone,
            now=now,
        )


@bp.post("/handover/confirm")
def confirm() -> ResponseReturnValue:
    """Who comes has read it."""
    viewer, now = person(), clock.now()
    with runtime.transaction() as session:
        done = shifts.confirm(session, session.get_one(Staff, viewer.staff.id), now=now)
    flash(_("Confirmed: the shift is yours") if done else _("There is nothing to confirm"))
    return redirect(url_for(".handover"))


@bp.post("/handover/give")
def give() -> ResponseReturnValue:
    """Who goes gives all they have to a colleague."""
    viewer, now = person(), clock.now()
    try:
        with runtime.transaction() as session:
            to = session.get(Staff, request.form.get("to", type=UUID))
            if to is None:
                raise Refused(_("Choose who shall have them."))
            me = session.get_one(Staff, viewer.staff.id)
            held = handling.hand_over(session, me, to, viewer.actor, now=now)
            flash(
                _("1 ticket given to %(name)s", name=to.name)
                if len(held) == 1
                else _("%(count)s tickets given to %(name)s", count=len(held), name=to.name)
            )
    except Refused as refusal:
        flash(told(str(refusal)))
    queue.ring()
    return redirect(url_for(".handover"))

"""What people change in the roster: covers and swaps, and whether a phone rings."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from jobs import queue
from notifier import access, clock, queries, roster, runtime
from notifier.access import Right
from notifier.core.vocabulary import Role
from notifier.errors import Refused
from notifier.models import OnCallShift, Site, Staff
from webhooks.console import bp
from webhooks.console.door import Person, person
from webhooks.console.telling import told
from webhooks.console.tongue import _


def _site(session: Session, viewer: Person) -> Site:
    found = queries.sites(session, [request.form.get("site", "")])
    if not found or (viewer.sites and found[0].key not in viewer.sites):
        abort(HTTPStatus.NOT_FOUND)
    return found[0]


def _may_plan(viewer: Person) -> bool:
    return access.may(viewer.staff.roles, Right.ROSTER)


@bp.post("/roster/cover")
def cover() -> ResponseReturnValue:
    """Somebody takes a rung from when to when; with a second time it is a swap: the other takes theirs in return."""
    viewer, now = person(), clock.now()
    site_key = request.form.get("site", "")
    try:
        with runtime.transaction() as session:
            site = _site(session, viewer)
            wanted = [_cover(site, "")]
            if request.form.get("return_from", "").strip():
                wanted.append(_cover(site, "return_"))
            if not _may_plan(viewer) and viewer.staff.id not in {each.staff_id for each in wanted}:
                raise Refused(_("You may take a shift yourself; others are planned by a coordinator or a supervisor."))
            roster.cover(session, wanted, by=viewer.name, now=now)
        flash(_("The swap stands") if len(wanted) > 1 else _("The cover stands"))
    except Refused as refusal:
        flash(_("Not changed. %(why)s", why=told(str(refusal))))
    return redirect(url_for(".roster", site=site_key))


def _cover(site: Site, prefix: str) -> roster.Cover:
    form = request.form
    staff_id, role = form.get(f"{prefix}staff", type=UUID), form.get("role", "")
    rung = form.get("rung", "0")
    if staff_id is None or role not in list(Role) or not rung.isdigit():
        raise Refused(_("Choose who takes which rung."))
    return roster.Cover(
        site.key, Role(role), int(rung), staff_id, _moment(site, f"{prefix}from"), _moment(site, f"{prefix}until")
    )


def _moment(site: Site, name: str) -> datetime:
    """A time of the form, by the site's clock."""
    try:
        return datetime.fromisoformat(request.form.get(name, "")).replace(tzinfo=ZoneInfo(site.timezone))
    except ValueError:
        raise Refused(_("Give both times.")) from None


@bp.post("/roster/cover/<uuid:shift_id>/remove")
def uncover(shift_id: UUID) -> ResponseReturnValue:
    """Take a cover back."""
    viewer, now = person(), clock.now()
    with runtime.transaction() as session:
        row = session.get(OnCallShift, shift_id)
        if row is None or (viewer.sites and row.site not in viewer.sites):
            abort(HTTPStatus.NOT_FOUND)
        if not _may_plan(viewer) and row.staff_id != viewer.staff.id:
            abort(HTTPStatus.FORBIDDEN)
        site_key = row.site
        roster.uncover(session, row, by=viewer.name, now=now)
    flash(_("The cover is taken back"))
    return redirect(url_for(".roster", site=site_key))


@bp.post("/roster/test")
def test_phone() -> ResponseReturnValue:
    """Ask a phone to answer."""
    viewer, now = person(), clock.now()
    with runtime.transaction() as session:
        site, who = _site(session, viewer), session.get(Staff, request.form.get("staff", type=UUID))
        if who is None:
            abort(HTTPStatus.NOT_FOUND)
        try:
            roster.test_phone(session, who, site.key, by=viewer.name, now=now)
            flash(_("%(name)s's phone is asked to answer", name=who.name))
        except Refused as refusal:
            flash(told(str(refusal)))
        site_key = site.key
    queue.ring()
    return redirect(url_for(".roster", site=site_key))

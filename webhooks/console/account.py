"""One's own account: the second step, recovery codes, the password, and where one is signed in; and a colleague's."""

import io
from uuid import UUID

import segno
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from jobs import queue
from notifier import access, clock, phone_check, queries, runtime, second_step
from notifier.access import Right
from notifier.errors import Invalid, Refused
from notifier.models import Staff
from webhooks.console import bp
from webhooks.console.door import needs, person
from webhooks.console.telling import told
from webhooks.console.tongue import _
from webhooks.limits import limiter


def _me(session: Session) -> Staff:
    return session.get_one(Staff, person().staff.id)


def _tries() -> str:
    return f"account:{person().staff.id}"


@bp.get("/account")
def account() -> ResponseReturnValue:
    """The page of one's own account."""
    return _page()


def _page(problem: tuple[str, str] | None = None, codes: list[str] | None = None) -> ResponseReturnValue:
    viewer, now = person(), clock.real()
    with runtime.reading() as session:
        me = _me(session)
        page = render_template(
            "console/account.html",
            me=me,
            sessions=access.sessions_of(session, me.id, now=now),
            left=second_step.codes_left(session, me.id),
            codes=codes,
            square=_square(me) if me.totp_secret and me.totp_since is None else None,
            problem=problem or ("", ""),
            now=now,
            zone=viewer.zone,
        )
    return page, 409 if problem else 200


def _square(staff: Staff) -> Markup:
    """What the phone's camera reads, drawn without a style of its own."""
    out = io.BytesIO()
    segno.make(second_step.address(staff), error="m").save(
        out, kind="svg", xmldecl=False, svgns=False, scale=5, border=4, dark="#000", light="#fff", nl=False
    )
    return Markup(out.getvalue().decode())  # noqa: S704  drawn by segno from our own words


@bp.post("/account/second-step")
def begin_second_step() -> ResponseReturnValue:
    """Draw a secret and show it."""
    with runtime.transaction() as session:
        second_step.draw_secret(session, _me(session))
    return redirect(url_for(".account", _anchor="second-step"))


def _refused(response: object) -> bool:
    return getattr(response, "status_code", 200) == 409


@bp.post("/account/second-step/on")
@limiter.limit("10 per minute", key_func=_tries, deduct_when=_refused)
def turn_on_second_step() -> ResponseReturnValue:
    """The app's first code proves that the secret is in it."""
    try:
        with runtime.transaction() as session:
            codes = second_step.turn_on(session, _me(session), request.form.get("code", ""), now=clock.real())
    except Refused as refusal:
        return _page(("code", told(str(refusal))))
    return _page(codes=codes)


@bp.post("/account/second-step/off")
@limiter.limit("10 per minute", key_func=_tries, deduct_when=_refused)
def turn_off_second_step() -> ResponseReturnValue:
    """With a code: a browser left open must not be enough."""
    now = clock.real()
    with runtime.transaction() as session:
        me = _me(session)
        passed = second_step.passes(session, me, request.form.get("code", ""), now=now)
        if passed:
            second_step.turn_off(session, me, now=now, by=me.name)
    if not passed:
        return _page(("off", _("That code does not open. Take the one shown now.")))
    flash(_("The second step is off"))
    return redirect(url_for(".account"))


@bp.post("/account/codes")
@limiter.limit("10 per minute", key_func=_tries, deduct_when=_refused)
def new_codes() -> ResponseReturnValue:
    """Ten new recovery codes, told this once; a code of the app proves who asks."""
    now = clock.real()
    with runtime.transaction() as session:
        me = _me(session)
        passed = me.totp_since is not None and second_step.passes(session, me, request.form.get("code", ""), now=now)
        codes = second_step.draw_codes(session, me, now=now) if passed else []
    return _page(codes=codes) if passed else _page(("codes", _("That code does not open. Take the one shown now.")))


@bp.post("/account/password")
@limiter.limit("10 per minute", key_func=_tries, deduct_when=_refused)
def new_password() -> ResponseReturnValue:
    """Another password; whoever else is signed in as this person is no longer."""
    viewer, now = person(), clock.real()
    try:
        with runtime.transaction() as session:
            me = _me(session)
            access.change_password(session, me, request.form.get("old", ""), request.form.get("new", ""), now=now)
            access.sign_out_everywhere(session, me, now=now, by=me.name, but=viewer.session_id)
    except Invalid as fault:
        name, why = next(iter(fault.fields.items()))
        return _page((name, told(why)))
    flash(_("The password is changed; other browsers are signed out"))
    return redirect(url_for(".account"))


@bp.post("/account/sessions/<uuid:session_id>/end")
def end_session(session_id: UUID) -> ResponseReturnValue:
    """Sign another browser of one's own out."""
    viewer, now = person(), clock.real()
    with runtime.transaction() as session:
        if session_id not in {row.id for row in access.sessions_of(session, viewer.staff.id, now=now)}:
            abort(404)
        access.sign_out(session, session_id, now=now)
    flash(_("That browser is signed out"))
    return redirect(url_for(".account"))


@bp.post("/account/sessions/end")
def end_other_sessions() -> ResponseReturnValue:
    """Sign every other browser of one's own out."""
    viewer, now = person(), clock.real()
    with runtime.transaction() as session:
        count = access.sign_out_everywhere(session, _me(session), now=now, by=viewer.name, but=viewer.session_id)
    flash(_("%(count)s other browsers are signed out", count=count))
    return redirect(url_for(".account"))


@bp.post("/account/test-page")
@limiter.limit("5 per hour", key_func=_tries)
def test_page() -> ResponseReturnValue:
    """Page one's own phone."""
    try:
        with runtime.transaction() as session:
            phone_check.send_test_page(session, _me(session), now=clock.now())
    except Refused as refusal:
        return _page(("phone", told(str(refusal))))
    queue.ring()
    flash(_("A test page is on its way to your phone"))
    return redirect(url_for(".account", _anchor="phone"))


@bp.post("/account/phone")
@limiter.limit("10 per hour", key_func=_tries)
def confirm_phone() -> ResponseReturnValue:
    """The code that the test page brought."""
    with runtime.transaction() as session:
        rings = phone_check.confirm(session, _me(session), request.form.get("code", ""), now=clock.now())
    if not rings:
        return _page(("phone", _("That is not the code of the last test page: send another.")))
    flash(_("Your phone rings"))
    return redirect(url_for(".account", _anchor="phone"))


# --- colleagues -----------------------------------------------------------------------------------------------------


@bp.get("/staff")
@needs(Right.PEOPLE)
def staff() -> ResponseReturnValue:
    """Everybody who may sign in, with their roles, second step and open sessions."""
    viewer, now = person(), clock.real()
    with runtime.reading() as session:
        rows = [
            (one, access.sessions_of(session, one.id, now=now)) for one in queries.colleagues(session, viewer.sites)
        ]
        return render_template("console/staff.html", rows=rows, now=now, zone=viewer.zone)


@bp.post("/staff/<uuid:staff_id>/<any(signout, second_step):what>")
@needs(Right.PEOPLE)
def help_colleague(staff_id: UUID, what: str) -> ResponseReturnValue:
    """End a colleague's sessions; with the phone lost, take the second step away as well."""
    viewer, now = person(), clock.real()
    with runtime.transaction() as session:
        one = next((one for one in queries.colleagues(session, viewer.sites) if one.id == staff_id), None)
        if one is None:
            abort(404)
        if what == "second_step":
            second_step.turn_off(session, one, now=now, by=viewer.name)
        count = access.sign_out_everywhere(session, one, now=now, by=viewer.name)
        name = one.name
    said = _("%(name)s is signed out of %(count)s browsers", name=name, count=count)
    flash(said if what == "signout" else _("%(name)s signs in with the password alone now", name=name))
    return redirect(url_for(".staff"))

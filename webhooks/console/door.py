"""Sign-in and sign-out, the person who is signed in, and that person's choice of colours."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from notifier import access, clock, queries, runtime, second_step
from notifier.access import Right
from notifier.models import ConsoleSession, Site, Staff
from notifier.sealing import lookup
from notifier.tickets import Actor
from webhooks.console import bp
from webhooks.console.tongue import _
from webhooks.limits import limiter

manager = LoginManager()
manager.login_view = "console.sign_in"
manager.login_message = ""
manager.session_protection = None  # a nurse's phone changes its address with every cell

THEMES = ("auto", "light", "dark")
LANGUAGES = ("en", "es")  # of the console itself
PENDING = "pending"  # in the cookie: the session that waits for its code
Arguments = ParamSpec("Arguments")
View = Callable[Arguments, ResponseReturnValue]


class Person(UserMixin):  # type: ignore[misc]
    """Who is signed in, in this browser."""

    def __init__(self, staff: Staff, session_id: UUID, site: Site | None) -> None:
        self.staff = staff
        self.session_id = session_id
        self.zone = ZoneInfo(site.timezone if site else "UTC")
        self.place = site.name if site else ""
        self.home = site.key if site else ""

    def get_id(self) -> str:
        """The session's id: a cookie names the session, never the person."""
        return str(self.session_id)

    @property
    def name(self) -> str:
        """As colleagues know them."""
        return self.staff.name

    @property
    def sites(self) -> tuple[str, ...]:
        """The keys of the sites they serve; empty: every site."""
        return tuple(self.staff.sites)

    @property
    def actor(self) -> Actor:
        """How the journal knows them."""
        return Actor(self.staff.name, self.staff.id)

    @property
    def reads_clinical(self) -> bool:
        """Whether they may read what patients write about their health."""
        return self.may(Right.CLINICAL)

    def may(self, right: str) -> bool:
        """Whether one of their roles carries the right."""
        return access.may(self.staff.roles, Right(right))


@bp.app_template_global()
def person() -> Person:
    """Who is asking; only for pages behind the door."""
    return current_user._get_current_object()  # type: ignore[no-any-return]


def load(session_id: str) -> Person | None:
    """The person of a session, unless it ended or rested for half an hour. What a page does by itself is no use."""
    now = clock.real()
    with runtime.reading() as session:
        found = access.signed_in(session, UUID(session_id), now=now)
        if found is None:
            return None
        staff, tell = found
        home = next(iter(queries.sites(session, staff.sites)), None)
    if tell and "X-Live" not in request.headers and request.endpoint != "console.stream":
        with runtime.transaction() as session:
            access.seen(session, UUID(session_id), now=now)
    return Person(staff, UUID(session_id), home)


manager.user_loader(load)


def needs(right: Right) -> Callable[[View[Arguments]], View[Arguments]]:
    """A page for those whose role carries the right; for others it is 403."""

    def guard(view: View[Arguments]) -> View[Arguments]:
        @wraps(view)
        def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> ResponseReturnValue:
            if not person().may(right):
                abort(HTTPStatus.FORBIDDEN)
            return view(*args, **kwargs)

        return guarded

    return guard


OPEN = ("sign_in", "enter", "code", "prove", "static", "language")


@bp.before_request
def stand_at_the_door() -> ResponseReturnValue | None:
    """Everything but the door itself and the look of the pages is for those who signed in."""
    if request.endpoint in {f"console.{name}" for name in OPEN}:
        return None
    return None if current_user.is_authenticated else manager.unauthorized()


@bp.get("/signin")
def sign_in() -> ResponseReturnValue:
    """The door."""
    return redirect(url_for(".board")) if current_user.is_authenticated else _door()


def _door(error: str = "", email: str = "", status: int = 200) -> ResponseReturnValue:
    return render_template("console/signin.html", error=error, email=email), status


def _failed(response: Response) -> bool:
    return response.status_code == 401


def _tried() -> str:
    return lookup(request.form.get("email", "").strip().lower())


def _tried_from_here() -> str:
    return f"{_tried()}:{get_remote_address()}"


@bp.post("/signin")
@limiter.limit("5 per minute; 30 per hour", key_func=_tried_from_here, deduct_when=_failed)
@limiter.limit("100 per hour", key_func=_tried, deduct_when=_failed)
def enter() -> ResponseReturnValue:
    """Let in whoever brings an e-mail and the password that belongs to it."""
    email = request.form.get("email", "")
    with runtime.transaction() as session:
        staff = access.check_password(session, email, request.form.get("password", ""))
        row = access.sign_in(session, staff, browser_of(request.user_agent.string), now=clock.real()) if staff else None
    if staff is None or row is None:
        return _door(_("That email and password do not belong together."), email, 401)
    if row.waits:
        cookie[PENDING] = str(row.id)
        return redirect(url_for(".code", next=request.args.get("next")))
    return _welcome(staff, row)


def _welcome(staff: Staff, row: ConsoleSession) -> ResponseReturnValue:
    cookie.pop(PENDING, None)
    login_user(Person(staff, row.id, None))
    return redirect(_back(request.args.get("next", "")))


@bp.get("/signin/code")
def code() -> ResponseReturnValue:
    """The second step."""
    return render_template("console/code.html", error="") if PENDING in cookie else redirect(url_for(".sign_in"))


def _pending() -> str:
    return str(cookie.get(PENDING, get_remote_address()))


def _whose_pending() -> str:
    with runtime.reading() as session:
        found = access.waiting(session, UUID(cookie[PENDING]), now=clock.real()) if PENDING in cookie else None
        return f"second:{found[1].id}" if found else f"second:{get_remote_address()}"


@bp.post("/signin/code")
@limiter.limit("5 per minute", key_func=_pending, deduct_when=_failed)
@limiter.limit("10 per 15 minutes; 40 per day", key_func=_whose_pending, deduct_when=_failed)
def prove() -> ResponseReturnValue:
    """Let in whoever brings the code that belongs to the password before. A wrong one costs a try."""
    if PENDING not in cookie:
        return redirect(url_for(".sign_in"))
    with runtime.transaction() as session:
        found = access.waiting(session, UUID(cookie[PENDING]), now=clock.real())
        if found is None:
            cookie.pop(PENDING)
            return _door(_("That took too long: begin with the password again."), "", 401)
        row, staff = found
        passed = second_step.passes(session, staff, request.form.get("code", ""), now=clock.real())
        if passed:
            access.let_in(session, row, staff, now=clock.real())
    if not passed:
        return render_template("console/code.html", error=_("That code does not open. Take the one shown now.")), 401
    return _welcome(staff, row)


BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "Mac",
    "Linux": "Linux",
}


def browser_of(agent: str) -> str:
    """`Chrome on Android`, so that a person knows their own browsers apart."""
    name = next((name for mark, name in BROWSERS.items() if mark in agent), "A browser")
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), "")
    return f"{name} on {system}" if system else name


@bp.post("/signout")
def leave() -> ResponseReturnValue:
    """Sign this browser out, wherever its cookie is."""
    with runtime.transaction() as session:
        access.sign_out(session, person().session_id, now=clock.real())
    logout_user()
    return redirect(url_for(".sign_in"))


@bp.post("/theme")
def theme() -> ResponseReturnValue:
    """Keep this browser's choice of colours."""
    chosen = request.form.get("theme", "")
    response = make_response(redirect(_back(request.form.get("back", ""))))
    if chosen in THEMES:
        response.set_cookie(
            "theme", chosen, max_age=365 * 86400, samesite="Lax", httponly=True, secure=request.is_secure
        )
    return response


@bp.post("/language")
def language() -> ResponseReturnValue:
    """Keep this browser's choice of language."""
    chosen = request.form.get("language", "")
    response = make_response(redirect(_back(request.form.get("back", ""))))
    if chosen in LANGUAGES:
        response.set_cookie(
            "language", chosen, max_age=365 * 86400, samesite="Lax", httponly=True, secure=request.is_secure
        )
    return response


def locale() -> str:
    """The language of the pages: this browser's choice, else the best that it asks for."""
    chosen = request.cookies.get("language", "")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "en"


def _back(path: str) -> str:
    """Only to a page of this console: never where somebody else's link wants to lead."""
    local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if local else url_for(".board")

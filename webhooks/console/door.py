"""Sign-in and sign-out, the person who is signed in, and that person's choice of colours."""

from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from notifier import access, clock, queries, runtime
from notifier.access import Right
from notifier.models import Site, Staff
from notifier.sealing import lookup
from notifier.tickets import Actor
from webhooks.console import bp
from webhooks.limits import limiter

manager = LoginManager()
manager.login_view = "console.sign_in"
manager.login_message = ""
manager.session_protection = None  # a nurse's phone changes its address with every cell

THEMES = ("auto", "light", "dark")


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
        return access.may(self.staff.roles, Right.CLINICAL)


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


@bp.before_request
def stand_at_the_door() -> ResponseReturnValue | None:
    """Everything but the door itself and the look of the pages is for those who signed in."""
    if request.endpoint in ("console.sign_in", "console.enter", "console.static"):
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
        row = access.sign_in(session, staff, now=clock.real()) if staff else None
    if staff is None or row is None:
        return _door("That email and password do not belong together.", email, 401)
    login_user(Person(staff, row.id, None))
    return redirect(_back(request.args.get("next", "")))


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


def _back(path: str) -> str:
    """Only to a page of this console: never where somebody else's link wants to lead."""
    local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if local else url_for(".board")

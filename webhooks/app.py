"""create_app(): blueprints, error pages, security headers."""

import logging
from http import HTTPStatus

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from notifier import runtime
from notifier.config import Settings
from notifier.errors import Invalid, Missing, NotifierError, Refused
from webhooks import api, console, health, safety, twilio
from webhooks.limits import limiter, storage

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
LARGEST_BODY = 2 * 1024 * 1024


def create_app(settings: Settings | None = None) -> Flask:
    """The whole of HTTP: Twilio's webhooks, the console, the API and the monitors' pages.

    Without settings they are read from the environment. No forwarded header is believed: what must be known of the
    outside address is PUBLIC_BASE_URL.
    """
    parts = runtime.configure(settings) if settings else runtime.current()
    settings = parts.settings
    secure = settings.public_base_url.startswith("https://")
    app = Flask("webhooks", static_folder=None, template_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        SESSION_COOKIE_NAME="notifier",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # the console asks for it; Twilio signs and other systems bring a token
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # it would ask for a Referer, which our pages never send
        RATELIMIT_STORAGE_URI=storage(settings.redis_url),
        **({"PREFERRED_URL_SCHEME": "https"} if secure else {}),
    )
    limiter.init_app(app)
    console.init_app(app)
    safety.init_app(app)
    for blueprint in (console.bp, twilio.bp, api.bp, health.bp, safety.bp):
        app.register_blueprint(blueprint)
    _answer_errors(app)

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if request.endpoint != "console.static":
            headers["Cache-Control"] = "no-store"
        if secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        return response

    return app


# --- errors -------------------------------------------------------------------------------------------------------


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(NotifierError)
    def refused(error: NotifierError) -> ResponseReturnValue:
        return _page(_status(error), str(error))

    @app.errorhandler(SQLAlchemyError)
    def database_away(error: SQLAlchemyError) -> ResponseReturnValue:
        log.error("the database failed: %s", type(error).__name__)
        return _page(HTTPStatus.SERVICE_UNAVAILABLE, "")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None:
            return error
        return _page(HTTPStatus(error.code or 500), "", error)


def _status(error: NotifierError) -> HTTPStatus:
    match error:
        case Refused():
            return HTTPStatus.CONFLICT
        case Missing():
            return HTTPStatus.NOT_FOUND
        case Invalid():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _page(status: HTTPStatus, said: str, error: HTTPException | None = None) -> ResponseReturnValue:
    """A page without anybody's data that says what to do; problem details for other systems."""
    if request.path.startswith("/api/"):
        return api.problem(status, said)
    title, advice = ADVICE.get(status, ADVICE[HTTPStatus.INTERNAL_SERVER_ERROR])
    page = render_template("console/error.html", title=title, advice=said or advice, status=status.value)
    headers = {"Retry-After": "60"} if status is HTTPStatus.TOO_MANY_REQUESTS else {}
    if error is not None:
        headers |= {name: value for name, value in error.get_headers() if name == "Allow"}
    return page, status, headers


ADVICE = {
    HTTPStatus.BAD_REQUEST: (
        "That form is too old",
        "It was opened before you signed in again. Go back, load the page anew and send it once more.",
    ),
    HTTPStatus.FORBIDDEN: ("Not for this role", "Your role does not open this. A supervisor can change your roles."),
    HTTPStatus.NOT_FOUND: ("Nothing here", "The address is wrong, or this belongs to a site that you do not serve."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Not that way", "Open the page from the board and use its buttons."),
    HTTPStatus.CONFLICT: ("That cannot be done", "Load the page anew: somebody may have been faster."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("Too much at once", "Send less than 2 MB at a time."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("Some fields are wrong", "Go back and mend them."),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "Too many tries",
        "Wait a minute, then try again. Paged? Answer A by text: you do not need this page to take a ticket.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The records cannot be reached just now",
        "Texts from patients are still answered and will be read. Try again in a minute. Paged? Answer A by text.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "This did not work",
        "Nothing was lost. Try again; if it happens twice, tell whoever runs this service when it happened.",
    ),
}

"""The JSON API, version 1, for other systems: patients, plans, deliveries, messages, tickets. Described by itself."""

import hashlib

from flask import Response, request
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from notifier.errors import Invalid, Missing, Refused
from webhooks.api import problems
from webhooks.api.calls import bp
from webhooks.api.problems import Trouble
from webhooks.limits import limiter

# Each puts its calls into the table, in the order in which the docs show them.
from webhooks.api import patients, plans, events, messages, rehearsal, warnings, tickets, openapi  # isort: skip  # noqa: F401

__all__ = ["bp", "problem"]


def caller() -> str:
    """Who is counted: a token by its hash, so that none is ever written to Redis; else the address."""
    presented = request.headers.get("Authorization")
    return hashlib.sha256(presented.encode()).hexdigest() if presented else get_remote_address()


# Enough for any pharmacy's system; one that runs wild does not keep the others waiting.
limiter.limit("300 per second", key_func=caller)(bp)


def problem(status: int, said: str = "") -> Response:
    """Any error below /api/, told as problem details."""
    return problems.respond(problems.problem(int(status), said))


@bp.before_app_request
def answer_wrong_addresses() -> Response | None:
    """An address that does not exist belongs to no blueprint, so it is answered here."""
    error = request.routing_exception
    if request.path.startswith(f"{bp.url_prefix}/") and isinstance(error, NotFound | MethodNotAllowed):
        return problems.from_http(error)
    return None


@bp.errorhandler(Trouble)
def told(error: Trouble) -> Response:
    """What the API itself refuses."""
    return problems.respond(error.problem, error.headers)


@bp.errorhandler(Invalid)
def invalid(error: Invalid) -> Response:
    """A rule found fields that are wrong."""
    return problems.respond(problems.invalid(problems.in_body(error.fields)))


@bp.errorhandler(Missing)
def missing(error: Missing) -> Response:
    """Nothing there."""
    return problem(404, str(error))


@bp.errorhandler(Refused)
def refused(error: Refused) -> Response:
    """The rules do not allow it."""
    return problem(409, str(error))


@bp.errorhandler(HTTPException)
def http_error(error: HTTPException) -> Response:
    """Everything else that Flask itself refuses, or that broke."""
    return problems.from_http(error)

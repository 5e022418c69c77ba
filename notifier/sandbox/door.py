"""Twilio's door: who may come in to the REST API, what the weather does to them, and how each answer is stamped."""

import hmac
import select
import time
from collections.abc import Callable, Iterator, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, TypeVar

from flask import Blueprint, Response, g, jsonify, request

from notifier.sandbox import numbering
from notifier.sandbox.faults import Part, Weather
from notifier.sandbox.paging import page
from notifier.sandbox.records import new_sid
from notifier.sandbox.refusals import Refusal
from notifier.sandbox.resources import Json

if TYPE_CHECKING:
    from notifier.sandbox.sandbox import Sandbox

R = TypeVar("R")
STATUSES = {20003: 401, 20404: 404, 20409: 409, 20429: 429, 20500: 500, 20503: 503}
LOOKUP = "/v2/PhoneNumbers/"
ACCOUNT = "/2010-04-01/Accounts/<account>"


def rest_blueprint(name: str, sandbox: "Sandbox") -> Blueprint:
    """A blueprint behind the door; a view under ACCOUNT is not told which account, for there is but one."""
    bp = Blueprint(name, __name__)

    @bp.before_request
    def let_in() -> Response | None:
        g.began = time.monotonic()
        sandbox.in_flight.add(get_ident())
        _authenticate(sandbox)  # recordings too, as an account that holds patients' words is set
        values = request.view_args or {}
        if values.pop("account", sandbox.account_sid) != sandbox.account_sid:
            raise Refusal(20404, request.path, 404)
        creates = request.method == "POST" and request.path.endswith(("/Messages.json", "/Calls.json"))
        to = numbering.e164(request.form.get("To", "")) if creates else None
        met = sandbox.sky.meets(creates=creates, to=to, part=_part(creates=creates))
        if not isinstance(met, Weather):
            raise Refusal(met, to or "", STATUSES.get(met, 400))
        g.weather = met
        return None if g.weather.is_after else _befall(sandbox, g.weather)

    @bp.after_request
    def let_out(response: Response) -> Response:
        weather = g.get("weather", Weather.FAIR)
        if weather is Weather.HALF:
            return _half(response)
        spoilt = _befall(sandbox, weather) if weather.is_after else None
        response = spoilt or response
        response.headers["Twilio-Request-Id"] = new_sid("RQ")
        response.headers["Twilio-Concurrent-Requests"] = str(len(sandbox.in_flight))
        response.headers["Twilio-Request-Duration"] = f"{time.monotonic() - g.began:.3f}"
        return response

    @bp.teardown_request
    def gone(error: BaseException | None) -> None:
        sandbox.in_flight.discard(get_ident())

    @bp.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        return _refuse(refusal)

    return bp


def _part(*, creates: bool) -> Part | None:
    """The part of Twilio that this request is for, if it has weather of its own."""
    if request.path.startswith(LOOKUP):
        return Part.LOOKUP
    return Part.TEXTS if creates and request.path.endswith("/Messages.json") else None


def listed(name: str, rows: Sequence[R], show: Callable[[R], Json]) -> Response:
    """The page of these rows that the request asks for."""
    return jsonify(page(name, rows, request.path, request.args, show))


def _refuse(refusal: Refusal) -> Response:
    response = jsonify(refusal.as_json())
    response.status_code = refusal.status
    return response


def _authenticate(sandbox: "Sandbox") -> None:
    given = request.authorization
    user, secret = (given.username or "", given.password or "") if given else ("", "")
    if not hmac.compare_digest(sandbox.keys.get(user, "").encode(), secret.encode()) or not secret:
        raise Refusal(20003, status=401)


def _befall(sandbox: "Sandbox", weather: Weather) -> Response | None:
    """Lets the weather have its way with this request: an answer in its stead, no answer at all, or None."""
    match weather:
        case Weather.TOO_MANY:
            return _refuse(Refusal(20429, status=429))
        case Weather.DOWN | Weather.GHOST:
            return _refuse(Refusal(20500, status=500))
        case Weather.DROPPED | Weather.DROPPED_AFTER:
            raise ConnectionResetError  # the server closes the connection without a word
        case Weather.HANG | Weather.ANSWER_LOST:
            _wait_for_the_caller_to_leave(sandbox)
            raise ConnectionResetError
        case Weather.SLOW:
            sandbox.stopping.wait(sandbox.slowness)
    return None


def _half(response: Response) -> Response:
    """The same answer, broken off in the middle."""
    body = response.get_data()

    def say() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise ConnectionResetError

    return Response(say(), response.status, {**response.headers, "Content-Length": str(len(body))})


def _wait_for_the_caller_to_leave(sandbox: "Sandbox") -> None:
    line = request.environ["werkzeug.socket"]
    while not sandbox.stopping.wait(0.02):
        readable, _, _ = select.select([line], [], [], 0)
        if readable:  # the whole request was read, so this can only be the end
            return

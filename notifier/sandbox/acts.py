"""What phones do and what befalls Twilio, as JSON over HTTP: for the page, for scripts and for acceptance tests."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from notifier import clock
from notifier.errors import Missing, NotifierError
from notifier.sandbox import desk, numbering
from notifier.sandbox.phones import Phone
from notifier.sandbox.post import Receipts
from notifier.sandbox.records import Call, Mode, Person, Text
from notifier.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from notifier.sandbox.sandbox import Sandbox

Json = dict[str, Any]
OURS = frozenset({"same-origin", "none"})


def _set_mode(phone: Phone, asked: Json) -> None:
    if "mode" in asked:
        phone.mode = Mode(asked["mode"])
    if "failure" in asked:
        phone.failure = int(asked["failure"]) if asked["failure"] else None


# None of these waits for what comes of it: the service may be slow, and a page must not be.
ACTS: dict[str, Callable[[Phone, Json], object]] = {
    "texts": lambda phone, asked: phone.texts(asked.get("word") or asked["body"], asked.get("to")),
    "call": lambda phone, asked: phone.begins_call(asked.get("to")).sid,
    "answer": lambda phone, asked: phone.switchboard.answer(phone.number),
    "decline": lambda phone, asked: phone.switchboard.decline(phone.number),
    "press": lambda phone, asked: phone.switchboard.press(phone.number, asked["keys"]),
    "say": lambda phone, asked: phone.switchboard.say(phone.number, asked["words"]),
    "wait": lambda phone, asked: phone.switchboard.lose_patience(phone.number),
    "hangup": lambda phone, asked: phone.switchboard.hang_up(phone.number),
    "mode": _set_mode,
}


def acts(sandbox: "Sandbox") -> Blueprint:
    """The acts of this sandbox's phones, and its weather."""
    bp = Blueprint("acts", __name__, url_prefix="/sandbox")
    book = sandbox.book

    @bp.before_request
    def refuse_other_sites() -> None:
        if request.method != "GET" and request.headers.get("Sec-Fetch-Site", "none") not in OURS:
            abort(403)

    @bp.errorhandler(NotifierError)
    def explain(error: NotifierError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400 if isinstance(error, Refusal) else 409

    @bp.errorhandler(ValueError)
    @bp.errorhandler(TypeError)
    @bp.errorhandler(KeyError)
    def not_understood(error: Exception) -> tuple[Response, int]:
        return jsonify(error=f"This cannot be understood: {error}"), 400

    @bp.get("/phones")
    def phones() -> Response:
        return jsonify(now=_iso(clock.now()), phones=[_entry(one) for one in desk.entries(book)])

    @bp.get("/phones/<number>")
    def phone(number: str) -> Response:
        return jsonify(_phone(sandbox.phone(number)))

    @bp.post("/phones/<number>/<name>")
    def act(number: str, name: str) -> BaseResponse:
        if name not in ACTS:
            abort(404)
        asked = request.get_json() if request.is_json else request.form.to_dict()
        one = sandbox.phone(number)
        result = ACTS[name](one, asked)
        if not request.is_json and "json" not in request.headers.get("Accept", ""):
            return redirect(request.referrer or "/", 303)  # a plain form: there is no script
        return jsonify(sid=result) if isinstance(result, str) else jsonify(_phone(one))

    @bp.put("/people")
    def introduce() -> tuple[str, int]:
        sandbox.introduce([_person(line) for line in request.get_json()])
        return "", 204

    @bp.post("/faults")
    def spoil() -> tuple[str, int]:
        asked = request.get_json()
        if "weather" in asked:
            sandbox.weather = asked["weather"]
        if "kind" in asked:
            sandbox.fault(asked["kind"], int(asked.get("times", 1)), asked.get("to"))
        if "receipts" in asked:
            sandbox.receipts = Receipts(**asked["receipts"])
        return "", 204

    @bp.delete("/faults")
    def mend() -> tuple[str, int]:
        sandbox.sky.clear()
        sandbox.receipts = Receipts()
        return "", 204

    @bp.post("/messages/<sid>/repeat")
    def repeat(sid: str) -> tuple[str, int]:
        sandbox.repeat(sid)
        return "", 204

    @bp.post("/settle")
    def settle() -> tuple[str, int]:
        asked = request.get_json(silent=True) or {}
        sandbox.settle(timeout=30, late=asked.get("late") is True)
        return "", 204

    @bp.get("/messages")
    def messages() -> Response:
        return jsonify(messages=[_text(one) for one in book.texts.all()])

    @bp.get("/calls")
    def calls() -> Response:
        return jsonify(calls=[_call(one) for one in book.calls.all()])

    @bp.get("/alerts")
    def alerts() -> Response:
        return jsonify(alerts=[{"code": one.code, "url": one.url, "sid": one.sid} for one in sandbox.alerts])

    return bp


def _person(line: Json) -> Person:
    number = numbering.e164(str(line["number"]))
    if number is None:
        raise Missing(f"No phone can have the number {line['number']}.")
    fields = {name: str(line.get(name) or "") for name in ("role", "note", "timezone")}
    return Person(number, str(line["name"]), language=str(line.get("language") or "en"), **fields)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _entry(entry: desk.Entry) -> Json:
    person = entry.person
    return {
        "number": person.number,
        "name": person.name,
        "role": person.role,
        "language": person.language,
        "note": person.note,
        "unread": entry.unread,
        "ringing": entry.is_ringing,
        "on_a_call": entry.is_talking,
    }


def _phone(phone: Phone) -> Json:
    ringing, talking = phone.ringing, phone.call
    return {
        "number": phone.number,
        "mode": phone.mode.value,
        "now": _iso(clock.now()),
        "texts": [_text(one) | {"way": "in" if one.recipient == phone.number else "out"} for one in phone.thread],
        "ringing": _call(ringing) if ringing else None,
        "call": _call(talking) if talking else None,
        "heard": phone.heard,
        "calls": [_call(one) for one in phone.history],
    }


def _text(one: Text) -> Json:
    return {
        "sid": one.sid,
        "from": one.sender,
        "to": one.recipient,
        "body": one.body,
        "direction": one.direction.value,
        "status": one.status.value,
        "error_code": one.error_code,
        "at": _iso(one.at),
        "arrived": one.arrived_at is not None,
        "by_twilio": one.from_carrier,
    }


def _call(one: Call) -> Json:
    return {
        "sid": one.sid,
        "from": one.sender,
        "to": one.recipient,
        "direction": one.direction.value,
        "status": one.status.value,
        "at": _iso(one.created_at),
        "heard": list(one.heard),
        "listening": one.listening,
        "pressed": one.pressed,
        "seconds": one.seconds,
        "answered_by": one.answered_by,
        "parent": one.parent,
    }

"""Twilio's REST API over HTTP: Messages, Calls, Recordings, numbers, the account, and Lookup's line type."""

import hmac
import select
import time
import wave
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, jsonify, request

from notifier import clock
from notifier.sandbox import numbering, resources
from notifier.sandbox.faults import Weather
from notifier.sandbox.numbers import SETTINGS
from notifier.sandbox.orders import CallOrder, TextOrder, source_of
from notifier.sandbox.paging import page, within
from notifier.sandbox.records import Call, CallStatus, Mode, Number, Recording, Text, new_sid
from notifier.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from notifier.sandbox.sandbox import Sandbox

ACCOUNT = "/2010-04-01/Accounts/<account>"


def rest_api(sandbox: "Sandbox") -> Blueprint:
    """The REST API of this sandbox."""
    bp = Blueprint("rest", __name__)
    book, sid = sandbox.book, sandbox.account_sid

    @bp.before_request
    def let_in() -> Response | None:
        g.began = time.monotonic()
        if not request.path.endswith(".wav"):
            _authenticate(sandbox)
        creates = request.method == "POST" and request.path.endswith(("/Messages.json", "/Calls.json"))
        to = numbering.e164(request.form.get("To", "")) if creates else None
        g.weather = sandbox.sky.over(creates=creates, to=to)
        return None if g.weather.is_after else _befall(sandbox, g.weather)

    @bp.after_request
    def let_out(response: Response) -> Response:
        weather = g.get("weather", Weather.FAIR)
        spoilt = _befall(sandbox, weather) if weather.is_after else None
        response = spoilt or response
        response.headers["Twilio-Request-Id"] = new_sid("RQ")
        response.headers["Twilio-Concurrent-Requests"] = "1"
        response.headers["Twilio-Request-Duration"] = f"{time.monotonic() - g.began:.3f}"
        return response

    @bp.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        return _refuse(refusal)

    def of_account(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(account: str, **names: str) -> Any:
            if account != sid:
                raise Refusal(20404, request.path, 404)
            return view(**names)

        return checked

    # Messages

    def text_of(message: str) -> Text:
        text = book.texts.get(message)
        if text is None or text.deleted:
            raise Refusal(20404, request.path, 404)
        return text

    @bp.post(f"{ACCOUNT}/Messages.json")
    @of_account
    def create_message() -> tuple[Response, int]:
        order = TextOrder.of(request.form, tuple(request.form.getlist("MediaUrl")))
        return jsonify(resources.text(sandbox.texts.accept(order), sid)), 201

    @bp.get(f"{ACCOUNT}/Messages.json")
    @of_account
    def list_messages() -> Response:
        to, sender = (numbering.e164(request.args.get(name, "")) for name in ("To", "From"))
        found = [
            text
            for text in reversed(book.texts.all())
            if not text.deleted
            and (not request.args.get("To") or text.recipient == to)
            and (not request.args.get("From") or text.sender == sender)
            and within(text.sent_at, "DateSent", request.args)
        ]
        return jsonify(
            page("messages", found, request.path, request.args, _sid, lambda text: resources.text(text, sid))
        )

    @bp.get(f"{ACCOUNT}/Messages/<message>.json")
    @of_account
    def fetch_message(message: str) -> Response:
        return jsonify(resources.text(text_of(message), sid))

    @bp.post(f"{ACCOUNT}/Messages/<message>.json")
    @of_account
    def update_message(message: str) -> Response:
        text = text_of(message)
        if request.form.get("Status") == "canceled":
            text = sandbox.texts.cancel(text)
        if request.form.get("Body") == "":
            text = book.texts.change(message, redacted=True, updated_at=clock.now())
        return jsonify(resources.text(text, sid))

    @bp.delete(f"{ACCOUNT}/Messages/<message>.json")
    @of_account
    def delete_message(message: str) -> tuple[str, int]:
        if text_of(message).status.value in ("accepted", "queued", "sending"):
            raise Refusal(20409, status=409)
        book.texts.change(message, deleted=True)
        return "", 204

    @bp.get(f"{ACCOUNT}/Messages/<message>/Media.json")
    @of_account
    def list_media(message: str) -> Response:
        text = text_of(message)
        shown = [resources.medium(text, place, sid) for place in range(len(text.media))]
        return jsonify(page("media_list", shown, request.path, request.args, _sid_shown, lambda row: row))

    @bp.get(f"{ACCOUNT}/Messages/<message>/Media/<medium>.json")
    @of_account
    def fetch_medium(message: str, medium: str) -> Response:
        text = text_of(message)
        for place in range(len(text.media)):
            if (shown := resources.medium(text, place, sid))["sid"] == medium:
                return jsonify(shown)
        raise Refusal(20404, request.path, 404)

    # Calls

    def call_of(call: str) -> Call:
        found = book.calls.get(call)
        if found is None or found.deleted:
            raise Refusal(20404, request.path, 404)
        return found

    def show_call(call: Call) -> resources.Json:
        return resources.call(call, sid, book.numbers.get(call.service))

    @bp.post(f"{ACCOUNT}/Calls.json")
    @of_account
    def create_call() -> tuple[Response, int]:
        events = tuple(" ".join(request.form.getlist("StatusCallbackEvent")).split())
        return jsonify(show_call(sandbox.switchboard.place(CallOrder.of(request.form, events)))), 201

    @bp.get(f"{ACCOUNT}/Calls.json")
    @of_account
    def list_calls() -> Response:
        args = request.args
        to, sender = (numbering.e164(args.get(name, "")) for name in ("To", "From"))
        found = [
            call
            for call in reversed(book.calls.all())
            if not call.deleted
            and (not args.get("To") or call.recipient == to)
            and (not args.get("From") or call.sender == sender)
            and args.get("ParentCallSid", call.parent) == call.parent
            and args.get("Status", call.status.value) == call.status.value
            and within(call.started_at, "StartTime", args)
            and within(call.ended_at, "EndTime", args)
        ]
        return jsonify(page("calls", found, request.path, args, _sid, show_call))

    @bp.get(f"{ACCOUNT}/Calls/<call>.json")
    @of_account
    def fetch_call(call: str) -> Response:
        return jsonify(show_call(call_of(call)))

    @bp.post(f"{ACCOUNT}/Calls/<call>.json")
    @of_account
    def update_call(call: str) -> Response:
        found = call_of(call)
        if request.form.get("Status") in ("canceled", "completed"):
            sandbox.switchboard.end(found, CallStatus(request.form["Status"]))
        elif request.form.get("Url") or request.form.get("Twiml"):
            sandbox.switchboard.divert(found, source_of(request.form))
        return jsonify(show_call(call_of(call)))

    @bp.delete(f"{ACCOUNT}/Calls/<call>.json")
    @of_account
    def delete_call(call: str) -> tuple[str, int]:
        if not call_of(call).status.is_over:
            raise Refusal(20409, status=409)
        book.calls.change(call, deleted=True)
        return "", 204

    # Recordings

    def recording_of(recording: str) -> Recording:
        found = book.recordings.get(recording)
        if found is None or found.deleted:
            raise Refusal(20404, request.path, 404)
        return found

    @bp.get(f"{ACCOUNT}/Recordings.json")
    @of_account
    def list_recordings() -> Response:
        with_deleted = request.args.get("IncludeSoftDeleted", "").lower() == "true"
        found = [
            one
            for one in reversed(book.recordings.all())
            if (with_deleted or not one.deleted)
            and request.args.get("CallSid", one.call_sid) == one.call_sid
            and within(one.created_at, "DateCreated", request.args)
        ]
        return jsonify(
            page("recordings", found, request.path, request.args, _sid, lambda one: resources.recording(one, sid))
        )

    @bp.get(f"{ACCOUNT}/Calls/<call>/Recordings.json")
    @of_account
    def list_recordings_of_call(call: str) -> Response:
        found = [one for one in reversed(book.recordings.all()) if one.call_sid == call and not one.deleted]
        return jsonify(
            page(
                "recordings",
                found,
                request.path,
                request.args,
                _sid,
                lambda one: resources.recording(one, sid, of_call=True),
            )
        )

    @bp.get(f"{ACCOUNT}/Recordings/<recording>.json")
    @of_account
    def fetch_recording(recording: str) -> Response:
        return jsonify(resources.recording(recording_of(recording), sid))

    @bp.get(f"{ACCOUNT}/Recordings/<recording>.wav")
    @bp.get(f"{ACCOUNT}/Recordings/<recording>")
    @of_account
    def hear_recording(recording: str) -> Response:
        return Response(_silence(recording_of(recording).seconds), mimetype="audio/x-wav")

    @bp.delete(f"{ACCOUNT}/Recordings/<recording>.json")
    @of_account
    def delete_recording(recording: str) -> tuple[str, int]:
        recording_of(recording)
        book.recordings.change(recording, deleted=True)
        return "", 204

    # Numbers, the account, Lookup

    @bp.get(f"{ACCOUNT}/IncomingPhoneNumbers.json")
    @of_account
    def list_numbers() -> Response:
        asked = request.args.get("PhoneNumber", "")
        if asked.startswith("+") and numbering.e164(asked) == asked and not numbering.is_magic(asked):
            sandbox.numbers.own(asked)  # whoever asks for the whole number takes it to be ours
        found = [one for one in reversed(book.numbers.all()) if asked.strip("*+") in one.number]
        return jsonify(
            page(
                "incoming_phone_numbers",
                found,
                request.path,
                request.args,
                _sid,
                lambda one: resources.number(one, sid),
            )
        )

    @bp.post(f"{ACCOUNT}/IncomingPhoneNumbers.json")
    @of_account
    def buy_number() -> tuple[Response, int]:
        number = sandbox.numbers.own(request.form.get("PhoneNumber", ""))
        return jsonify(resources.number(configure(number), sid)), 201

    @bp.get(f"{ACCOUNT}/IncomingPhoneNumbers/<number>.json")
    @of_account
    def fetch_number(number: str) -> Response:
        return jsonify(resources.number(sandbox.numbers.by_sid(number), sid))

    @bp.post(f"{ACCOUNT}/IncomingPhoneNumbers/<number>.json")
    @of_account
    def update_number(number: str) -> Response:
        return jsonify(resources.number(configure(sandbox.numbers.by_sid(number)), sid))

    @bp.delete(f"{ACCOUNT}/IncomingPhoneNumbers/<number>.json")
    @of_account
    def release_number(number: str) -> tuple[str, int]:
        book.numbers.drop(sandbox.numbers.by_sid(number).number)
        return "", 204

    def configure(number: Number) -> Number:
        wanted = {field: request.form[name] for name, field in SETTINGS.items() if name in request.form}
        return book.numbers.put(replace(number, **wanted, updated_at=clock.now()))  # type: ignore[arg-type]

    @bp.get(f"{ACCOUNT}.json")
    @of_account
    def fetch_account() -> Response:
        return jsonify(resources.account(sid, sandbox.born))

    @bp.get("/2010-04-01/Accounts.json")
    def list_accounts() -> Response:
        rows = [resources.account(sid, sandbox.born)]
        return jsonify(page("accounts", rows, request.path, request.args, _sid_shown, lambda row: row))

    @bp.get("/v2/PhoneNumbers/<number>")
    def look_up(number: str) -> Response:
        known = numbering.e164(number)
        if known is None:
            raise Refusal(20404, request.path, 404)
        is_landline = book.handset(known).mode is Mode.LANDLINE
        line_type = {
            "type": "landline" if is_landline else "mobile",
            "carrier_name": "Sandbox Telephone",
            "mobile_country_code": "310",
            "mobile_network_code": "000",
            "error_code": None,
        }
        wanted = "line_type_intelligence" in request.args.get("Fields", "")
        return jsonify(
            calling_country_code="1",
            country_code="US",
            phone_number=known,
            national_format=numbering.national(known),
            valid=True,
            validation_errors=[],
            line_type_intelligence=line_type if wanted else None,
            url=request.url,
        )

    return bp


def _sid(row: Text | Call | Recording | Number) -> str:
    return row.sid


def _sid_shown(row: resources.Json) -> str:
    return str(row["sid"])


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


def _wait_for_the_caller_to_leave(sandbox: "Sandbox") -> None:
    line = request.environ["werkzeug.socket"]
    while not sandbox.stopping.wait(0.02):
        readable, _, _ = select.select([line], [], [], 0)
        if readable:  # the whole request was read, so this can only be the end
            return


def _silence(seconds: int) -> bytes:
    sound = BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * max(seconds, 1))
    return sound.getvalue()

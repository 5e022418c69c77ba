"""What else an account has in Twilio's REST API: recordings, numbers, itself; and Lookup's line type."""

import wave
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from notifier import clock
from notifier.sandbox import numbering, resources
from notifier.sandbox.door import ACCOUNT, LOOKUP, listed, rest_blueprint
from notifier.sandbox.numbers import SETTINGS
from notifier.sandbox.paging import within
from notifier.sandbox.records import Mode, Number, Recording
from notifier.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from notifier.sandbox.sandbox import Sandbox


def account_and_numbers(sandbox: "Sandbox") -> Blueprint:
    """What the account owns and keeps."""
    bp = rest_blueprint("account_and_numbers", sandbox)
    book, sid = sandbox.book, sandbox.account_sid

    # Recordings

    def recording_of(recording: str) -> Recording:
        found = book.recordings.get(recording)
        if found is None or found.deleted:
            raise Refusal(20404, request.path, 404)
        return found

    @bp.get(ACCOUNT + "/Recordings.json")
    def list_recordings() -> Response:
        with_deleted = request.args.get("IncludeSoftDeleted", "").lower() == "true"
        found = [
            one
            for one in reversed(book.recordings.all())
            if (with_deleted or not one.deleted)
            and request.args.get("CallSid", one.call_sid) == one.call_sid
            and within(one.created_at, "DateCreated", request.args)
        ]
        return listed("recordings", found, lambda one: resources.recording(one, sid))

    @bp.get(ACCOUNT + "/Calls/<call>/Recordings.json")
    def list_recordings_of_call(call: str) -> Response:
        found = [one for one in reversed(book.recordings.all()) if one.call_sid == call and not one.deleted]
        return listed("recordings", found, lambda one: resources.recording(one, sid, of_call=True))

    @bp.get(ACCOUNT + "/Recordings/<recording>.json")
    def fetch_recording(recording: str) -> Response:
        return jsonify(resources.recording(recording_of(recording), sid))

    @bp.get(ACCOUNT + "/Recordings/<recording>.wav")
    @bp.get(ACCOUNT + "/Recordings/<recording>")
    def hear_recording(recording: str) -> Response:
        return Response(_silence(recording_of(recording).seconds), mimetype="audio/x-wav")

    @bp.delete(ACCOUNT + "/Recordings/<recording>.json")
    def delete_recording(recording: str) -> tuple[str, int]:
        recording_of(recording)
        book.recordings.change(recording, deleted=True)
        return "", 204

    # Numbers, the account, Lookup

    @bp.get(ACCOUNT + "/IncomingPhoneNumbers.json")
    def list_numbers() -> Response:
        asked = request.args.get("PhoneNumber", "")
        if asked.startswith("+") and numbering.e164(asked) == asked and not numbering.is_magic(asked):
            sandbox.numbers.own(asked)  # whoever asks for the whole number takes it to be ours
        found = [one for one in reversed(book.numbers.all()) if asked.strip("*+") in one.number]
        return listed("incoming_phone_numbers", found, lambda one: resources.number(one, sid))

    @bp.post(ACCOUNT + "/IncomingPhoneNumbers.json")
    def buy_number() -> tuple[Response, int]:
        number = sandbox.numbers.own(request.form.get("PhoneNumber", ""))
        return jsonify(resources.number(configure(number), sid)), 201

    @bp.get(ACCOUNT + "/IncomingPhoneNumbers/<number>.json")
    def fetch_number(number: str) -> Response:
        return jsonify(resources.number(sandbox.numbers.by_sid(number), sid))

    @bp.post(ACCOUNT + "/IncomingPhoneNumbers/<number>.json")
    def update_number(number: str) -> Response:
        return jsonify(resources.number(configure(sandbox.numbers.by_sid(number)), sid))

    @bp.delete(ACCOUNT + "/IncomingPhoneNumbers/<number>.json")
    def release_number(number: str) -> tuple[str, int]:
        book.numbers.drop(sandbox.numbers.by_sid(number).number)
        return "", 204

    def configure(number: Number) -> Number:
        wanted = {field: request.form[name] for name, field in SETTINGS.items() if name in request.form}
        return book.numbers.put(replace(number, **wanted, updated_at=clock.now()))  # type: ignore[arg-type]

    @bp.get(ACCOUNT + ".json")
    def fetch_account() -> Response:
        return jsonify(resources.account(sid, sandbox.born))

    @bp.get("/2010-04-01/Accounts.json")
    def list_accounts() -> Response:
        rows = [resources.account(sid, sandbox.born)]
        return listed("accounts", rows, lambda row: row)

    @bp.get("/v1/Services/<service>/PhoneNumbers")
    def list_numbers_of_service(service: str) -> Response:
        shown = [resources.number_of_service(one, service, sid) for one in book.numbers.all()]
        meta = {"key": "phone_numbers", "page": 0, "page_size": len(shown) or 1, "next_page_url": None}
        return jsonify(phone_numbers=shown, meta=meta)

    @bp.get(LOOKUP + "<number>")
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
        if wanted:
            sandbox.looked_up.append(known)
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


def _silence(seconds: int) -> bytes:
    sound = BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * max(seconds, 1))
    return sound.getvalue()

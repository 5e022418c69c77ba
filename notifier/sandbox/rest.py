"""Messages and Calls of Twilio's REST API, over HTTP."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from notifier import clock
from notifier.sandbox import numbering, resources
from notifier.sandbox.door import ACCOUNT, listed, rest_blueprint
from notifier.sandbox.orders import CallOrder, TextOrder, source_of
from notifier.sandbox.paging import within
from notifier.sandbox.records import Call, CallStatus, Text
from notifier.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from notifier.sandbox.sandbox import Sandbox


def messages_and_calls(sandbox: "Sandbox") -> Blueprint:
    """What reaches people."""
    bp = rest_blueprint("messages_and_calls", sandbox)
    book, sid = sandbox.book, sandbox.account_sid

    # Messages

    def text_of(message: str) -> Text:
        text = book.texts.get(message)
        if text is None or text.deleted:
            raise Refusal(20404, request.path, 404)
        return text

    @bp.post(ACCOUNT + "/Messages.json")
    def create_message() -> tuple[Response, int]:
        order = TextOrder.of(request.form, tuple(request.form.getlist("MediaUrl")))
        return jsonify(resources.text(sandbox.texts.accept(order), sid)), 201

    @bp.get(ACCOUNT + "/Messages.json")
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
        return listed("messages", found, lambda text: resources.text(text, sid))

    @bp.get(ACCOUNT + "/Messages/<message>.json")
    def fetch_message(message: str) -> Response:
        return jsonify(resources.text(text_of(message), sid))

    @bp.post(ACCOUNT + "/Messages/<message>.json")
    def update_message(message: str) -> Response:
        text = text_of(message)
        if request.form.get("Status") == "canceled":
            text = sandbox.texts.cancel(text)
        if request.form.get("Body") == "":
            text = book.texts.change(message, redacted=True, updated_at=clock.now())
        return jsonify(resources.text(text, sid))

    @bp.delete(ACCOUNT + "/Messages/<message>.json")
    def delete_message(message: str) -> tuple[str, int]:
        if text_of(message).status.value in ("accepted", "queued", "sending"):
            raise Refusal(20409, status=409)
        book.texts.change(message, deleted=True)
        return "", 204

    @bp.get(ACCOUNT + "/Messages/<message>/Media.json")
    def list_media(message: str) -> Response:
        text = text_of(message)
        shown = [resources.medium(text, place, sid) for place in range(len(text.media))]
        return listed("media_list", shown, lambda row: row)

    @bp.get(ACCOUNT + "/Messages/<message>/Media/<medium>.json")
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

    @bp.post(ACCOUNT + "/Calls.json")
    def create_call() -> tuple[Response, int]:
        events = tuple(" ".join(request.form.getlist("StatusCallbackEvent")).split())
        return jsonify(show_call(sandbox.switchboard.place(CallOrder.of(request.form, events)))), 201

    @bp.get(ACCOUNT + "/Calls.json")
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
        return listed("calls", found, show_call)

    @bp.get(ACCOUNT + "/Calls/<call>.json")
    def fetch_call(call: str) -> Response:
        return jsonify(show_call(call_of(call)))

    @bp.post(ACCOUNT + "/Calls/<call>.json")
    def update_call(call: str) -> Response:
        found = call_of(call)
        if request.form.get("Status") in ("canceled", "completed"):
            sandbox.switchboard.end(found, CallStatus(request.form["Status"]))
        elif request.form.get("Url") or request.form.get("Twiml"):
            sandbox.switchboard.divert(found, source_of(request.form))
        return jsonify(show_call(call_of(call)))

    @bp.delete(ACCOUNT + "/Calls/<call>.json")
    def delete_call(call: str) -> tuple[str, int]:
        if not call_of(call).status.is_over:
            raise Refusal(20409, status=409)
        book.calls.change(call, deleted=True)
        return "", 204

    return bp

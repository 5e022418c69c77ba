"""Signed requests only: texts, receipts and calls. Store it, ring, answer; no thinking here."""

from flask import Blueprint, Response, abort, request
from twilio.request_validator import RequestValidator

from notifier.runtime import current
from webhooks.health import refused_signatures

bp = Blueprint("twilio", __name__, url_prefix="/twilio")


def public_url() -> str:
    """The address that Twilio asked for: built from the setting and the raw query string, as Twilio signed it."""
    query = request.environ.get("QUERY_STRING", "")
    return current().settings.public_base_url + request.path + (f"?{query}" if query else "")


def is_signed() -> bool:
    """Whether this request carries Twilio's signature of its address and fields."""
    validator = RequestValidator(current().settings.twilio_auth_token)
    fields = request.form if request.method == "POST" else {}
    return bool(validator.validate(public_url(), fields, request.headers.get("X-Twilio-Signature", "")))


@bp.before_request
def only_signed() -> None:
    """403 for what Twilio did not sign; nothing is kept of it but a count."""
    if not is_signed():
        refused_signatures.inc()
        abort(403)


def twiml(document: object) -> Response:
    """A TwiML document as Twilio takes it."""
    return Response(str(document), mimetype="text/xml")


from webhooks.twilio import bridge, conversation, receipts, sms, staffing, voice, voicemails  # noqa: E402, F401  their views join the blueprint

bp.record_once(lambda _state: sms.remember_phones())  # at start, for when the database is away

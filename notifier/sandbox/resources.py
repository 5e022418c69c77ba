"""Records as the REST API shows them."""

from datetime import datetime
from email.utils import format_datetime

from notifier.sandbox import numbering
from notifier.sandbox.records import Call, CallStatus, Direction, Number, Recording, Text, TextStatus
from notifier.sandbox.texts import segments

VERSION = "2010-04-01"
Json = dict[str, object]


def rfc2822(at: datetime | None) -> str | None:
    """The instant as Twilio writes it: Sun, 01 Mar 2026 08:00:00 +0000."""
    return format_datetime(at) if at else None


def account(sid: str, born: datetime) -> Json:
    """The account."""
    uri = f"/{VERSION}/Accounts/{sid}"
    parts = ("calls", "incoming_phone_numbers", "messages", "recordings")
    return {
        "sid": sid,
        "owner_account_sid": sid,
        "friendly_name": "Sandbox",
        "status": "active",
        "type": "Full",
        "auth_token": None,
        "date_created": rfc2822(born),
        "date_updated": rfc2822(born),
        "uri": f"{uri}.json",
        "subresource_uris": {part: f"{uri}/{part.title().replace('_', '')}.json" for part in parts},
    }


def text(one: Text, account_sid: str) -> Json:
    """A Message."""
    uri = f"/{VERSION}/Accounts/{account_sid}/Messages/{one.sid}"
    from_service = one.service is not None and one.status in (TextStatus.ACCEPTED, TextStatus.SCHEDULED)
    return {
        "sid": one.sid,
        "account_sid": account_sid,
        "messaging_service_sid": one.service,
        "from": None if from_service else one.sender,
        "to": one.recipient,
        "body": "" if one.redacted else one.body,
        "num_segments": "0" if from_service else str(segments(one.body)),
        "num_media": str(len(one.media)),
        "direction": one.direction.value,
        "status": one.status.value,
        "error_code": one.error_code,
        "error_message": None,
        "price": None,
        "price_unit": "USD",
        "api_version": VERSION,
        "date_created": rfc2822(one.created_at),
        "date_updated": rfc2822(one.updated_at),
        "date_sent": rfc2822(one.sent_at),
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def medium(one: Text, place: int, account_sid: str) -> Json:
    """The Media of a text at this place."""
    sid = "ME" + one.sid[2:-2] + f"{place:02x}"
    return {
        "sid": sid,
        "account_sid": account_sid,
        "parent_sid": one.sid,
        "content_type": "image/jpeg",
        "date_created": rfc2822(one.created_at),
        "date_updated": rfc2822(one.created_at),
        "uri": f"/{VERSION}/Accounts/{account_sid}/Messages/{one.sid}/Media/{sid}.json",
    }


def call(one: Call, account_sid: str, number: Number | None) -> Json:
    """A Call."""
    uri = f"/{VERSION}/Accounts/{account_sid}/Calls/{one.sid}"
    parts = ("notifications", "recordings", "payments", "events", "siprec", "streams", "transcriptions")
    return {
        "sid": one.sid,
        "account_sid": account_sid,
        "parent_call_sid": one.parent,
        "from": one.sender,
        "from_formatted": numbering.national(one.sender),
        "to": one.recipient,
        "to_formatted": numbering.national(one.recipient),
        "phone_number_sid": number.sid if number else None,
        "status": one.status.value,
        "direction": one.direction.value if one.direction is not Direction.REPLY else None,
        "start_time": rfc2822(one.started_at),
        "end_time": rfc2822(one.ended_at),
        "duration": str(one.seconds) if one.status is CallStatus.COMPLETED else "0" if one.status.is_over else None,
        "answered_by": one.answered_by,
        "price": None,
        "price_unit": "USD",
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": "0",
        "trunk_sid": None,
        "api_version": VERSION,
        "date_created": rfc2822(one.created_at),
        "date_updated": rfc2822(one.updated_at),
        "uri": f"{uri}.json",
        "subresource_uris": {part: f"{uri}/{part.title()}.json" for part in parts},
    }


def recording(one: Recording, account_sid: str, *, of_call: bool = False) -> Json:
    """A Recording, also as the part `of_call` that lists under its call."""
    uri = f"/{VERSION}/Accounts/{account_sid}/Recordings/{one.sid}"
    shown: Json = {
        "sid": one.sid,
        "account_sid": account_sid,
        "call_sid": one.call_sid,
        "conference_sid": None,
        "status": "completed" if of_call or not one.deleted else "deleted",
        "source": one.source,
        "channels": 1,
        "duration": str(one.seconds),
        "error_code": None,
        "price": None,
        "price_unit": "USD",
        "start_time": rfc2822(one.created_at),
        "date_created": rfc2822(one.created_at),
        "date_updated": rfc2822(one.created_at),
        "encryption_details": None,
        "api_version": VERSION,
        "uri": f"{uri}.json",
    }
    if of_call:
        return {**shown, "track": "both"}
    return {**shown, "media_url": None, "subresource_uris": {"transcriptions": f"{uri}/Transcriptions.json"}}


def number_of_service(one: Number, service_sid: str, account_sid: str) -> Json:
    """A number in the sender pool of a Messaging Service."""
    born = one.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "sid": one.sid,
        "account_sid": account_sid,
        "service_sid": service_sid,
        "date_created": born,
        "date_updated": born,
        "phone_number": one.number,
        "country_code": "US",
        "capabilities": ["SMS", "MMS", "Voice"],
        "url": f"https://messaging.twilio.com/v1/Services/{service_sid}/PhoneNumbers/{one.sid}",
    }


def number(one: Number, account_sid: str) -> Json:
    """An IncomingPhoneNumber."""
    return {
        "sid": one.sid,
        "account_sid": account_sid,
        "phone_number": one.number,
        "friendly_name": one.friendly_name,
        "capabilities": {"fax": False, "mms": True, "sms": True, "voice": True},
        "sms_url": one.sms_url,
        "sms_method": one.sms_method,
        "sms_fallback_url": one.sms_fallback_url,
        "sms_fallback_method": one.sms_fallback_method,
        "sms_application_sid": None,
        "voice_url": one.voice_url,
        "voice_method": one.voice_method,
        "voice_fallback_url": one.voice_fallback_url,
        "voice_fallback_method": one.voice_fallback_method,
        "voice_application_sid": None,
        "voice_caller_id_lookup": False,
        "voice_receive_mode": "voice",
        "status_callback": one.status_callback,
        "status_callback_method": one.status_callback_method,
        "address_requirements": "none",
        "address_sid": None,
        "bundle_sid": None,
        "identity_sid": None,
        "trunk_sid": None,
        "emergency_status": "Active",
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "origin": "twilio",
        "beta": False,
        "status": "in-use",
        "type": None,
        "api_version": VERSION,
        "date_created": rfc2822(one.created_at),
        "date_updated": rfc2822(one.updated_at),
        "uri": f"/{VERSION}/Accounts/{account_sid}/IncomingPhoneNumbers/{one.sid}.json",
    }

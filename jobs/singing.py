"""The canary's text, posted to our own address and signed, the way Twilio posts a patient's."""

import uuid

import requests
from twilio.request_validator import RequestValidator

from notifier.canary import Song
from notifier.config import Settings

SECONDS = 10


def post(song: Song, settings: Settings) -> None:
    """One signed post. Raises nothing that the canary's own silence would not tell: an error is a missed canary."""
    url = f"{settings.public_base_url}/twilio/sms"
    form = {
        "MessageSid": f"SM{uuid.uuid4().hex}",
        "AccountSid": settings.twilio_account_sid,
        "From": song.sender,
        "To": song.recipient,
        "Body": song.body,
        "NumMedia": "0",
    }
    signature = RequestValidator(settings.twilio_auth_token).compute_signature(url, form)
    answer = requests.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=SECONDS)
    answer.raise_for_status()

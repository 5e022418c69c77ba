"""The program that one writes first: a job a message, in Redis alone, sent by one forking worker."""

import os

from twilio.rest import Client

client: Client | None = None


def send(to: str, body: str) -> str:
    """Send one text."""
    global client
    if client is None:
        client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
        client.api.base_url = os.environ["TWILIO_API_BASE_URL"]
    return str(client.messages.create(to=to, from_="+12125550199", body=body).sid)

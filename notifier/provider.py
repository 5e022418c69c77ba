"""The only file that speaks to Twilio's REST API: send, fetch and list, each with one honest answer as a value."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from notifier.config import TWILIO, Settings
from notifier.core.failures import SHUT_OUT
from notifier.core.vocabulary import Channel

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
RING_SECONDS = 25  # about five rings
POOL = 64

# At INFO the SDK prints the numbers that it lists by.
logging.getLogger("twilio").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Order:
    """One call to Twilio, ready to be made."""

    attempt_id: str
    channel: Channel
    to: str
    sender: str
    body: str = ""
    messaging_service: str = ""
    status_url: str = ""
    voice_url: str = ""
    valid_seconds: int = 14_400


@dataclass(frozen=True)
class Accepted:
    """Yes: Twilio has it."""

    sid: str
    status: str


@dataclass(frozen=True)
class Rejected:
    """Never: Twilio refused it."""

    code: int
    reason: str = ""


@dataclass(frozen=True)
class Unavailable:
    """Not now: it provably never reached Twilio, or Twilio said come back later."""

    reason: str


@dataclass(frozen=True)
class Uncertain:
    """We cannot know: Twilio may have it."""

    reason: str


Outcome = Accepted | Rejected | Unavailable | Uncertain


@dataclass(frozen=True)
class Seen:
    """A message or a call as Twilio tells it."""

    sid: str
    status: str
    error_code: int | None
    to: str
    sender: str
    body: str
    created_at: datetime | None
    media: int = 0
    answered_by: str | None = None


class Unreachable(Exception):
    """Twilio could not be asked."""


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with a time limit on each call and a pool as wide as our threads."""

    def __init__(self) -> None:
        super().__init__(timeout=READ_SECONDS)
        self.timeout = (CONNECT_SECONDS, READ_SECONDS)  # requests takes a pair; the SDK's own check only a number
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=POOL, pool_connections=4)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)


class Twilio:
    """Our line to Twilio, through its own SDK."""

    def __init__(self, settings: Settings) -> None:
        key = settings.twilio_api_key or settings.twilio_account_sid
        secret = settings.twilio_api_secret or settings.twilio_auth_token
        self.client = Client(key, secret, settings.twilio_account_sid, http_client=_HttpClient())
        if settings.twilio_api_base_url != TWILIO:
            self.client.api.base_url = settings.twilio_api_base_url
            self.client.lookups.base_url = settings.twilio_api_base_url

    def send(self, order: Order) -> Outcome:
        """One call to Twilio, one honest answer. Retries nothing."""
        try:
            made = self._create(order)
        except (TwilioException, requests.RequestException, KeyError, ValueError) as error:
            return outcome_of(error)
        return Accepted(made.sid, str(made.status)) if made.sid else Uncertain("an answer without a SID")

    def _create(self, order: Order) -> "_Made":
        if order.channel is Channel.VOICE:
            made = self.client.calls.create(
                to=order.to,
                from_=order.sender,
                url=order.voice_url,
                status_callback=order.status_url,
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                timeout=RING_SECONDS,
                machine_detection="Enable",
            )
        elif order.messaging_service:
            made = self.client.messages.create(
                to=order.to,
                messaging_service_sid=order.messaging_service,
                body=order.body,
                status_callback=order.status_url,
                validity_period=order.valid_seconds,
            )
        else:
            made = self.client.messages.create(
                to=order.to,
                from_=order.sender,
                body=order.body,
                status_callback=order.status_url,
                validity_period=order.valid_seconds,
            )
        return _Made(made.sid, made.status)

    def fetch(self, channel: Channel, sid: str) -> Seen | None:
        """What Twilio holds under this SID; None: nothing. Raises Unreachable."""
        calls = self.client.calls if channel is Channel.VOICE else self.client.messages
        try:
            return _seen(calls(sid).fetch())
        except TwilioRestException as error:
            if error.status == 404:
                return None
            raise Unreachable(str(error.status)) from None
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None

    def outbound(self, channel: Channel, to: str) -> list[Seen]:
        """The newest messages (or calls) to `to`. Raises Unreachable.

        Not filtered by time: Twilio's filters know only what has left, and what we look for may wait in its queue.
        """
        listing = self.client.calls if channel is Channel.VOICE else self.client.messages
        try:
            found = listing.list(to=to, limit=200)
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None
        return [_seen(item) for item in found]

    def inbound(self, number: str, since: datetime) -> Iterator[Seen]:
        """Every text that came in to one of our numbers since then, page by page. Raises Unreachable."""
        try:
            for item in self.client.messages.stream(to=number, date_sent_after=since, page_size=200):
                if item.direction == "inbound":
                    yield _seen(item)
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None

    def account_status(self) -> str:
        """The account's status, such as `active`. Raises Unreachable."""
        try:
            return str(self.client.api.accounts(self.client.account_sid).fetch().status)
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(getattr(error, "msg", "") or type(error).__name__) from None

    def numbers(self) -> list[tuple[str, str, str]]:
        """Our numbers and where Twilio sends their texts and calls. Raises Unreachable."""
        try:
            found = self.client.incoming_phone_numbers.list(limit=1000)
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None
        return [(item.phone_number, item.sms_url or "", item.voice_url or "") for item in found]


@dataclass(frozen=True)
class _Made:
    sid: str
    status: str


def outcome_of(error: Exception) -> Outcome:
    """What an error of the SDK says about the message that was to be sent."""
    match error:
        case requests.RequestException():
            return Unavailable(type(error).__name__) if never_left(error) else Uncertain(type(error).__name__)
        case TwilioRestException():
            if error.status in (401, 429) or error.code in SHUT_OUT:
                return Unavailable(f"{error.status} {error.code}")
            if error.status >= 500 or error.status < 400:
                return Uncertain(str(error.status))
            return Rejected(error.code or error.status)
    return Uncertain(type(error).__name__)  # an answer that is not Twilio's JSON


def never_left(error: requests.RequestException) -> bool:
    """True only when no byte of the request can have reached Twilio. In doubt, False."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _seen(item: object) -> Seen:
    value = vars(item)
    code = value.get("error_code")
    return Seen(
        sid=value["sid"],
        status=str(value["status"]),
        error_code=int(code) if code else None,
        to=value.get("to") or "",
        sender=value.get("from_") or value.get("_from") or "",
        body=value.get("body") or "",
        created_at=value.get("date_sent") or value.get("date_created") or value.get("start_time"),
        media=int(value.get("num_media") or 0),
        answered_by=value.get("answered_by"),
    )

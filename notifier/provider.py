"""The only file that speaks to Twilio's REST API: send, fetch and list, each with one honest answer as a value."""

import base64
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

import aiohttp
import certifi
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from notifier.config import TWILIO, Settings
from notifier.core import line_types
from notifier.core.line_types import LineType
from notifier.core.vocabulary import Channel

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
NOT_LET_IN = 20003
CALL_SECONDS = 15.0  # all of it, also of an answer that drips
MACHINE_SECONDS = 45  # to hear the end of a machine's greeting; long ones are not rare
LARGEST_RECORDING = 8 * 1024 * 1024

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
    machine_url: str = ""
    ring_seconds: int = 25
    valid_seconds: int = 14_400
    segments: int = 1
    lane: str = ""  # whose rate it uses


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
    too_many: bool = False  # we asked for too much at once


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


class _Asking(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with a time limit on each call: for questions, which may take their time."""

    def __init__(self) -> None:
        super().__init__(timeout=READ_SECONDS)
        self.timeout = (CONNECT_SECONDS, READ_SECONDS)  # requests takes a pair; the SDK's own check only a number


class _Sending(AsyncHttpClient):  # type: ignore[misc]
    """The SDK's seam for many calls at once: a pool, and time limits, which the SDK's own asynchronous client ignores.

    It belongs to the event loop that uses it first.
    """

    def __init__(self) -> None:
        super().__init__(logging.getLogger("twilio"), True, None)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request, once."""
        session = self._open()
        headers = {**(headers or {}), **({"Authorization": _basic(*auth)} if auth else {})}
        body = urlencode(data or {}, doseq=True).encode()
        async with session.request(
            method, url, params=params, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return Response(answer.status, await answer.text(), answer.headers)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trusted = ssl.create_default_context(cafile=certifi.where())
            limit = aiohttp.ClientTimeout(
                total=CALL_SECONDS, sock_connect=CONNECT_SECONDS, connect=CONNECT_SECONDS, sock_read=READ_SECONDS
            )
            lines = aiohttp.TCPConnector(limit=0, ssl=trusted)  # whoever calls decides how many at once
            self._session = aiohttp.ClientSession(connector=lines, timeout=limit, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Twilio:
    """Our line to Twilio, through its own SDK."""

    def __init__(self, settings: Settings) -> None:
        self.client = _client(settings, _Asking())
        self.sender = _client(settings, _Sending())

    async def send(self, order: Order) -> Outcome:
        """One call to Twilio, one honest answer. Retries nothing."""
        try:
            made = await self._create(order)
        except (TwilioException, aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError) as error:
            return outcome_of(error)
        return Accepted(made.sid, str(made.status)) if made.sid else Uncertain("an answer without a SID")

    async def close(self) -> None:
        """Close the lines that send() opened, on the loop that opened them."""
        await self.sender.http_client.close()

    async def _create(self, order: Order) -> Any:
        if order.channel is Channel.VOICE:
            return await self.sender.calls.create_async(
                to=order.to,
                from_=order.sender,
                url=order.voice_url,
                status_callback=order.status_url,
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                timeout=order.ring_seconds,
                machine_detection="DetectMessageEnd",  # a person is greeted at once, a machine after its tone
                machine_detection_timeout=MACHINE_SECONDS,
                async_amd="true",
                async_amd_status_callback=order.machine_url,
            )
        source = {"messaging_service_sid": order.messaging_service} if order.messaging_service else {}
        return await self.sender.messages.create_async(
            to=order.to,
            body=order.body,
            status_callback=order.status_url,
            validity_period=order.valid_seconds,
            **(source or {"from_": order.sender}),
        )

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

    def numbers_of(self, service: str) -> list[str]:
        """The numbers that a messaging service sends from. Raises Unreachable."""
        try:
            found = self.client.messaging.v1.services(service).phone_numbers.list(limit=400)
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None
        return [str(item.phone_number) for item in found]

    def line_type(self, number: str) -> LineType:
        """What kind of line a number is, by Twilio Lookup, which costs money. Raises Unreachable."""
        try:
            found = self.client.lookups.v2.phone_numbers(number).fetch(fields="line_type_intelligence")
        except TwilioRestException as error:
            if error.status == 404:
                return LineType.UNKNOWN  # no number that Twilio knows
            raise Unreachable(str(error.status)) from None
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None
        told: Any = found.line_type_intelligence or {}  # the SDK calls it a text; it is an object
        return line_types.of_twilio(told.get("type"))

    def lookup_answers(self, number: str) -> bool:
        """Whether Twilio Lookup lets us ask: the free question, whether a number can exist. Raises Unreachable."""
        try:
            self.client.lookups.v2.phone_numbers(number).fetch()
        except TwilioRestException as error:
            if error.status >= 500 or error.status == 429:
                raise Unreachable(str(error.status)) from None
            return bool(error.status == 404)
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None
        return True

    def stop_ringing(self, sid: str) -> None:
        """Hang up on a call that still waits or rings; one that somebody has taken goes on. Raises Unreachable."""
        try:
            self.client.calls(sid).update(status="canceled")
        except TwilioRestException as error:
            if error.status >= 500 or error.status in (401, 429):
                raise Unreachable(str(error.status)) from None  # else it is over: nothing rings any more
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None

    def divert(self, sid: str, url: str) -> None:
        """Have a call go on with the TwiML of another address. Raises Unreachable."""
        try:
            self.client.calls(sid).update(url=url, method="POST")
        except (TwilioException, requests.RequestException, ValueError) as error:
            raise Unreachable(type(error).__name__) from None

    def recording(self, sid: str) -> bytes | None:
        """The sound (WAV) of a recording, fetched with our credentials; None: Twilio has none. Raises Unreachable."""
        url = f"{self.client.api.base_url}/2010-04-01/Accounts/{self.client.account_sid}/Recordings/{sid}.wav"
        session = self.client.http_client.session
        try:
            answer = session.get(
                url, auth=(self.client.username, self.client.password), timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
        except requests.RequestException as error:
            raise Unreachable(type(error).__name__) from None
        if answer.status_code == 404:
            return None
        if answer.status_code != 200 or len(answer.content) > LARGEST_RECORDING:
            raise Unreachable(str(answer.status_code))
        return bytes(answer.content)

    def forget_recording(self, sid: str) -> None:
        """Delete a recording at Twilio: we have it. Raises Unreachable."""
        try:
            self.client.recordings(sid).delete()
        except TwilioRestException as error:
            if error.status != 404:
                raise Unreachable(str(error.status)) from None
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


@cache
def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _client(settings: Settings, http_client: Any) -> Client:
    key = settings.twilio_api_key or settings.twilio_account_sid
    secret = settings.twilio_api_secret or settings.twilio_auth_token
    client = Client(key, secret, settings.twilio_account_sid, http_client=http_client)
    if settings.twilio_api_base_url != TWILIO:
        for product in (client.api, client.lookups, client.messaging):
            product.base_url = settings.twilio_api_base_url
    return client


def outcome_of(error: Exception) -> Outcome:
    """What an error says about the message that was to be sent."""
    if isinstance(error, TwilioRestException):
        if error.status == 429:
            return Unavailable(f"{error.status} {error.code}", too_many=True)
        if error.status == 401:
            return Rejected(NOT_LET_IN)
        if error.status >= 500 or error.status < 400:
            return Uncertain(str(error.status))
        return Rejected(error.code or error.status)
    if never_left(error):
        return Unavailable(type(error).__name__)
    return Uncertain(type(error).__name__)  # also an answer that is not Twilio's JSON


def never_left(error: Exception) -> bool:
    """True only when no byte of the request can have reached Twilio. In doubt, False."""
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


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

"""What the sandbox remembers, each as a frozen value: a change is a new value in the book."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Direction(StrEnum):
    """Who began it, in Twilio's words."""

    INBOUND = "inbound"
    API = "outbound-api"
    REPLY = "outbound-reply"
    DIAL = "outbound-dial"


class TextStatus(StrEnum):
    """How far a text has come, in Twilio's words."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    CANCELED = "canceled"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    RECEIVED = "received"


class CallStatus(StrEnum):
    """How far a call has come, in Twilio's words."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"

    @property
    def is_over(self) -> bool:
        """Nothing more will happen on this call."""
        return self not in (CallStatus.QUEUED, CallStatus.RINGING, CallStatus.IN_PROGRESS)


class Mode(StrEnum):
    """What a phone does when it is texted or called."""

    ON = "on"
    OFF = "off"
    LANDLINE = "landline"
    BUSY = "busy"
    VOICEMAIL = "voicemail"


def new_sid(prefix: str) -> str:
    """A fresh SID such as SM and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


@dataclass(frozen=True)
class Record:
    """Something the book keeps under its key."""

    @property
    def key(self) -> str:
        """The name it is found by."""
        raise NotImplementedError


@dataclass(frozen=True)
class Text(Record):
    """One SMS in either direction. `at` is when it reached the phone, or left it."""

    sid: str
    sender: str
    recipient: str
    body: str
    direction: Direction
    status: TextStatus
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    arrived_at: datetime | None = None
    due_at: datetime | None = None
    error_code: int | None = None
    service: str | None = None
    media: tuple[str, ...] = ()
    callback: str = ""
    callback_method: str = "POST"
    redacted: bool = False
    deleted: bool = False
    from_carrier: bool = False

    @property
    def key(self) -> str:
        return self.sid

    @property
    def at(self) -> datetime:
        """When it reached the phone, or left it."""
        return self.arrived_at or self.created_at


@dataclass(frozen=True)
class Source:
    """Where a call's TwiML comes from: a URL, or the words themselves."""

    url: str = ""
    method: str = "POST"
    twiml: str = ""
    fallback_url: str = ""
    fallback_method: str = "POST"


@dataclass(frozen=True)
class Call(Record):
    """One leg of a call. `heard` is what was spoken to the phone; `listening` says that keys or speech are awaited."""

    sid: str
    sender: str
    recipient: str
    direction: Direction
    status: CallStatus
    created_at: datetime
    updated_at: datetime
    source: Source = Source()
    ring_seconds: float = 60
    started_at: datetime | None = None
    ended_at: datetime | None = None
    rang_at: datetime | None = None
    seconds: int = 0
    parent: str | None = None
    machine_detection: str = ""
    amd_callback: str = ""
    amd_callback_method: str = "POST"
    asynchronous_amd: bool = False
    answered_by: str | None = None
    callback: str = ""
    callback_method: str = "POST"
    events: tuple[str, ...] = ("completed",)
    record: bool = False
    heard: tuple[str, ...] = ()
    pressed: str = ""
    listening: bool = False
    bridged_to: str = ""
    deleted: bool = False

    @property
    def key(self) -> str:
        return self.sid

    @property
    def phone(self) -> str:
        """The number of the pocket phone on this leg."""
        return self.sender if self.direction is Direction.INBOUND else self.recipient

    @property
    def service(self) -> str:
        """The number at our end of this leg."""
        return self.recipient if self.direction is Direction.INBOUND else self.sender


@dataclass(frozen=True)
class Number(Record):
    """A number that the account owns, with where its texts and calls are sent."""

    sid: str
    number: str
    created_at: datetime
    updated_at: datetime
    friendly_name: str = ""
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"

    @property
    def key(self) -> str:
        return self.number


@dataclass(frozen=True)
class Recording(Record):
    """What somebody said after the tone; `words` is what they would hear if it were played."""

    sid: str
    call_sid: str
    created_at: datetime
    seconds: int
    words: str = ""
    source: str = "RecordVerb"
    deleted: bool = False

    @property
    def key(self) -> str:
        return self.sid


@dataclass(frozen=True)
class Handset(Record):
    """A phone in somebody's pocket: what it does, and how many of its texts and calls were looked at."""

    number: str
    mode: Mode = Mode.ON
    failure: int | None = None
    looked_at: int = 0

    @property
    def key(self) -> str:
        return self.number


@dataclass(frozen=True)
class Person(Record):
    """A line of the phone book that the page's chooser shows."""

    number: str
    name: str
    role: str = ""
    language: str = "en"
    note: str = ""
    timezone: str = ""

    @property
    def key(self) -> str:
        return self.number


@dataclass(frozen=True)
class OptOut(Record):
    """This phone has texted STOP to this number, or to this Messaging Service."""

    sender: str
    phone: str

    @property
    def key(self) -> str:
        return f"{self.sender} {self.phone}"

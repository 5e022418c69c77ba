"""What the REST API is asked to do, as a form's fields say it, and whether Twilio would take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from notifier.sandbox import numbering
from notifier.sandbox.records import Source
from notifier.sandbox.refusals import Refusal


@dataclass(frozen=True)
class TextOrder:
    """A text that somebody asks Twilio to send, as the form fields say it."""

    to: str = ""
    sender: str = ""
    service: str = ""
    body: str = ""
    media: tuple[str, ...] = ()
    callback: str = ""
    callback_method: str = "POST"
    valid_seconds: int = 36_000
    schedule: str = ""
    send_at: str = ""

    @classmethod
    def of(cls, form: Mapping[str, str], media: tuple[str, ...]) -> "TextOrder":
        """The order that a REST request's form holds."""
        valid = form.get("ValidityPeriod", "")
        return cls(
            valid_seconds=int(valid) if valid.isdigit() else cls.valid_seconds,
            to=form.get("To", "").strip(),
            sender=form.get("From", "").strip(),
            service=form.get("MessagingServiceSid", "").strip(),
            body=form.get("Body", ""),
            media=media,
            callback=form.get("StatusCallback", ""),
            schedule=form.get("ScheduleType", ""),
            send_at=form.get("SendAt", ""),
        )


def is_callback_url(url: str) -> bool:
    """Whether Twilio would call this: absolute, HTTP, no underscore in its host, at most 4,000 letters."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "_" not in parts.netloc and len(url) <= 4000


def text_recipient(to: str) -> str:
    """The number that a text is for; Refusal if Twilio would not send one there."""
    if not to:
        raise Refusal(21604)
    number = numbering.e164(to)
    if number is None:
        raise Refusal(21211, to)
    if number in numbering.MAGIC_SMS_TO:
        raise Refusal(numbering.MAGIC_SMS_TO[number], to)
    return number


def check_content(order: TextOrder) -> None:
    """Refusal if the words, the pictures or the callback are none that Twilio takes."""
    if not order.body and not order.media:
        raise Refusal(21602)
    if len(order.body) > 1600:
        raise Refusal(21617)
    if len(order.media) > 10 or not all(is_callback_url(url) for url in order.media):
        raise Refusal(21620)
    if order.callback and not is_callback_url(order.callback):
        raise Refusal(21609, order.callback)


def due_at(order: TextOrder, now: datetime) -> datetime | None:
    """When a scheduled text is to go, or None for at once; Refusal if Twilio would not schedule it."""
    if order.schedule != "fixed":
        return None
    if not order.service:
        raise Refusal(35118)
    if not order.send_at:
        raise Refusal(35111)
    try:
        when = datetime.fromisoformat(order.send_at)
    except ValueError:
        raise Refusal(35114, order.send_at) from None
    if when.tzinfo is None or not timedelta(minutes=5) < when - now <= timedelta(days=35):
        raise Refusal(35117)
    return when


def text_sender(order: TextOrder, to: str) -> str:
    """The number that a text comes from; Refusal if it could not be ours."""
    if not order.sender:
        raise Refusal(21603)
    sender = numbering.e164(order.sender)
    if sender is None or not order.sender.lstrip("+").replace("-", "").isdigit():
        raise Refusal(21212, order.sender)
    if numbering.is_magic(sender) and sender != numbering.MAGIC_SENDER:
        raise Refusal(numbering.MAGIC_SMS_FROM.get(sender, 21606), sender)
    if sender == to:
        raise Refusal(21211, order.to)
    return sender


@dataclass(frozen=True)
class CallOrder:
    """A call that somebody asks Twilio to make, as the form fields say it."""

    to: str
    sender: str
    source: Source
    callback: str = ""
    callback_method: str = "POST"
    events: tuple[str, ...] = ()
    ring_seconds: float = 60
    machine_detection: str = ""
    asynchronous_amd: bool = False
    amd_callback: str = ""
    amd_callback_method: str = "POST"
    record: bool = False

    @classmethod
    def of(cls, form: Mapping[str, str], events: tuple[str, ...]) -> "CallOrder":
        """The order that a REST request's form holds."""
        wanted = form.get("Timeout", "")
        return cls(
            to=form.get("To", "").strip(),
            sender=form.get("From", "").strip(),
            source=source_of(form),
            callback=form.get("StatusCallback", ""),
            callback_method=form.get("StatusCallbackMethod", "POST"),
            events=events,
            ring_seconds=min(int(wanted), 600) if wanted.isdigit() else 60,
            machine_detection=form.get("MachineDetection", ""),
            asynchronous_amd=form.get("AsyncAmd", "").lower() == "true",
            amd_callback=form.get("AsyncAmdStatusCallback", ""),
            amd_callback_method=form.get("AsyncAmdStatusCallbackMethod", "POST"),
            record=form.get("Record", "").lower() == "true",
        )


def source_of(form: Mapping[str, str]) -> Source:
    """Where the form says that the call's TwiML comes from."""
    return Source(
        url=form.get("Url", ""),
        method=form.get("Method", "POST"),
        twiml=form.get("Twiml", ""),
        fallback_url=form.get("FallbackUrl", ""),
        fallback_method=form.get("FallbackMethod", "POST"),
    )


def call_numbers(order: CallOrder) -> tuple[str, str]:
    """Whom to call and as whom; Refusal if Twilio would not."""
    if not order.to:
        raise Refusal(21201)
    if not order.sender:
        raise Refusal(21213)
    sender = numbering.e164(order.sender)
    if sender is None:
        raise Refusal(21212, order.sender)
    if numbering.is_magic(sender) and sender != numbering.MAGIC_SENDER:
        raise Refusal(numbering.MAGIC_CALL_FROM.get(sender, 21210), sender)
    to = numbering.e164(order.to)
    if to is None or to == sender:
        raise Refusal(21217, order.to)
    if to in numbering.MAGIC_CALL_TO:
        raise Refusal(numbering.MAGIC_CALL_TO[to], to)
    return to, sender


def check_source(order: CallOrder) -> None:
    """Refusal if there is nothing to say on the call, or an address is none."""
    if not (order.source.url or order.source.twiml):
        raise Refusal(21205)
    for url in (order.source.url, order.callback, order.source.fallback_url):
        if url and not is_callback_url(url):
            raise Refusal(21205, url)
    if len(order.source.twiml) > 4000:
        raise Refusal(21205, "Twiml of more than 4000 characters")

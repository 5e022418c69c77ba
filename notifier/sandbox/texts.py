"""The life of a text in the sandbox: accepted or refused, sent, delivered or not; received, answered; STOP."""

from collections.abc import Mapping

from notifier import clock
from notifier.sandbox import orders
from notifier.sandbox.agenda import Agenda, Awaits
from notifier.sandbox.book import Book
from notifier.sandbox.numbers import Numbers
from notifier.sandbox.orders import TextOrder
from notifier.sandbox.post import Answer, Post
from notifier.sandbox.rates import Queue, Rates, TooFast
from notifier.sandbox.records import Direction, Mode, OptOut, Text, TextStatus, new_sid
from notifier.sandbox.refusals import Refusal
from notifier.sandbox.twiml import Broken, parse

STOP = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"})
START = frozenset({"START", "YES", "UNSTOP"})
HELP = frozenset({"HELP", "INFO"})
STOPPED = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number."
    " Reply START to resubscribe."
)
STARTED = (
    "You have successfully been re-subscribed to messages from this number."
    " Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply."
)
HELPED = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."

LOST_BY_TWILIO = frozenset({30001, 30002, 30036, 30410, 30450, 21610})  # these end `failed`, the others `undelivered`

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = frozenset("\f^{}\\[~]|€")


def segments(body: str) -> int:
    """How many SMS this text is sent as."""
    if all(letter in GSM or letter in GSM_DOUBLE for letter in body):
        units, single, joined = sum(2 if letter in GSM_DOUBLE else 1 for letter in body), 160, 153
    else:
        units, single, joined = len(body.encode("utf-16-be")) // 2, 70, 67
    return 1 if units <= single else -(-units // joined)


class Texts:
    """Every text between our numbers and the phones."""

    def __init__(self, account_sid: str, book: Book, agenda: Agenda, post: Post, numbers: Numbers) -> None:
        self.account_sid = account_sid
        self.book, self.agenda, self.post, self.numbers = book, agenda, post, numbers
        self.rates = Rates()
        self._queue = Queue()

    def accept(self, order: TextOrder) -> Text:
        """Takes an order from the REST API and sends it on its way; Refusal says why not."""
        now = clock.now()
        to = orders.text_recipient(order.to)
        sender = self._sender(order, to)
        orders.check_content(order)
        due_at = orders.due_at(order, now)
        if self.book.opt_outs.get(OptOut(sender, to).key):
            raise Refusal(21610)
        status = TextStatus.SCHEDULED if due_at else TextStatus.ACCEPTED if order.service else TextStatus.QUEUED
        text = Text(
            sid=new_sid("MM" if order.media else "SM"),
            sender=sender,
            recipient=to,
            body=order.body,
            direction=Direction.API,
            status=status,
            created_at=now,
            updated_at=now,
            due_at=due_at,
            service=order.service or None,
            media=order.media,
            callback=order.callback,
            callback_method=order.callback_method,
        )
        try:
            wait = self._queue.join(sender, segments(order.body), self.rates.segments, self.rates.patience)
        except TooFast:
            self.book.texts.put(text)
            self.agenda.later(0, lambda: self._expire(text.sid, 30022), lane=f"to {to}")
            return text
        self.book.texts.put(text)
        if wait > order.valid_seconds:
            self.agenda.later(order.valid_seconds, lambda: self._expire(text.sid), lane=f"to {to}")
        elif due_at is None:
            self._set_off(text, wait)
        return text

    def repeat(self, sid: str) -> None:
        """Posts an inbound text to the service once more, as Twilio does after a retry."""
        text = self.book.texts[sid]
        self.agenda.later(0, lambda: self._ask_service(text), lane=f"inbound {text.sender}")

    def release(self) -> None:
        """Sets off the scheduled texts whose time has come."""
        with self.book.changed:
            for text in self.book.texts.all():
                if text.status is TextStatus.SCHEDULED and text.due_at and text.due_at <= clock.now():
                    self._set_off(self.book.texts.change(text.sid, status=TextStatus.ACCEPTED))

    def cancel(self, text: Text) -> Text:
        """Calls a scheduled text back; any other raises Refusal."""
        if text.status is not TextStatus.SCHEDULED:
            raise Refusal(30037)
        text = self._move(text.sid, TextStatus.CANCELED)
        self._tell(text, final=True)
        return text

    def receive(self, phone: str, body: str, to: str, media: tuple[str, ...] = ()) -> Text:
        """A phone texts one of our numbers: Twilio notes it, does its own part of STOP, and asks the service."""
        number = self.numbers.own(to)
        now = clock.now()
        text = Text(
            sid=new_sid("MM" if media else "SM"),
            media=media,
            sender=phone,
            recipient=number.number,
            body=body,
            direction=Direction.INBOUND,
            status=TextStatus.RECEIVED,
            created_at=now,
            updated_at=now,
            sent_at=now,
        )
        self.book.texts.put(text)
        self._mind_keywords(text)
        self.agenda.later(0, lambda: self._ask_service(text), lane=f"inbound {phone}")
        return text

    def _mind_keywords(self, text: Text) -> None:
        word = text.body.strip().upper()
        mark = OptOut(text.recipient, text.sender)
        is_out = self.book.opt_outs.get(mark.key) is not None
        if word in STOP and not is_out:
            self.book.opt_outs.put(mark)
            self._answer(text, STOPPED, from_carrier=True)
        elif word in START and is_out:
            self.book.opt_outs.drop(mark.key)
            self._answer(text, STARTED, from_carrier=True)
        elif word in HELP:
            self._answer(text, HELPED, from_carrier=True)

    def _ask_service(self, text: Text) -> None:
        number = self.numbers.own(text.recipient)
        url, method = self.numbers.sms_webhook(number)
        if not url:
            return
        params = {
            **self._names(text),
            "SmsMessageSid": text.sid,
            "SmsStatus": "received",
            "Body": text.body,
            "NumMedia": str(len(text.media)),
            "NumSegments": str(segments(text.body)),
            "FromCountry": "US",
            "ToCountry": "US",
        }
        for place, medium in enumerate(text.media):
            params |= {f"MediaUrl{place}": medium, f"MediaContentType{place}": "image/jpeg"}
        answer = self.post.ask(url, method, params, sid=text.sid)
        try:
            if answer.trouble:
                raise Broken(answer.error_code)
            self._obey(text, answer, url, params)
        except Broken as broken:
            if not answer.trouble:
                self.post.alert(broken.code, url, text.sid)
            if number.sms_fallback_url:
                extra = {"ErrorCode": str(broken.code), "ErrorUrl": url}
                second = self.post.ask(
                    number.sms_fallback_url, number.sms_fallback_method, {**params, **extra}, sid=text.sid
                )
                if not second.trouble:
                    self._obey_or_alert(text, second, number.sms_fallback_url, params)

    def _obey_or_alert(self, text: Text, answer: Answer, url: str, params: Mapping[str, str]) -> None:
        try:
            self._obey(text, answer, url, params)
        except Broken as broken:
            self.post.alert(broken.code, url, text.sid)

    def _obey(self, text: Text, answer: Answer, url: str, params: Mapping[str, str], hops: int = 0) -> None:
        if answer.content_type.startswith("text/plain"):
            if answer.body.strip():
                self._answer(text, answer.body)
            return
        for verb in parse(answer.body, answer.content_type):
            if verb.name in ("Message", "Sms"):
                inner = verb.child("Body")
                body = inner.text if inner else verb.text
                self._answer(text, body, to=verb.get("to"), callback=verb.get("statusCallback") or verb.get("action"))
            elif verb.name == "Redirect":
                if hops >= 10:
                    raise Broken(11215)
                target = verb.url(url)
                following = self.post.ask(target, verb.get("method") or "POST", params, sid=text.sid)
                if not following.trouble:
                    self._obey(text, following, target, params, hops + 1)
                return
            else:
                raise Broken(12200)

    def _answer(self, text: Text, body: str, *, to: str = "", callback: str = "", from_carrier: bool = False) -> None:
        to = to or text.sender
        now = clock.now()
        blocked = not from_carrier and self.book.opt_outs.get(OptOut(text.recipient, to).key) is not None
        reply = Text(
            sid=new_sid("SM"),
            sender=text.recipient,
            recipient=to,
            body=body.strip(),
            direction=Direction.REPLY,
            status=TextStatus.FAILED if blocked else TextStatus.QUEUED,
            created_at=now,
            updated_at=now,
            error_code=21610 if blocked else None,
            callback=callback,
            from_carrier=from_carrier,
        )
        self.book.texts.put(reply)
        if not blocked:
            self._set_off(reply)

    def _sender(self, order: TextOrder, to: str) -> str:
        if not order.service:
            return self.numbers.own(orders.text_sender(order, to)).number
        if not (order.service.startswith("MG") and len(order.service) == 34):
            raise Refusal(21701, order.service)
        return self.numbers.of_service(order.sender)

    def _set_off(self, text: Text, wait: float = 0) -> None:
        """Moves it to sent and to its end after its turn and the delay, in step with other texts to the same phone."""
        delay, lane = self.post.receipts.delay, f"to {text.recipient}"
        if text.service:
            self.agenda.later(0, lambda: self._tell(self._move(text.sid, TextStatus.QUEUED)), lane=lane)
        self.agenda.later(wait + delay * 0.3, lambda: self._send(text.sid), lane=lane)
        self.agenda.later(wait + delay, lambda: self._land(text.sid), lane=lane)

    def _expire(self, sid: str, code: int = 30036) -> None:
        self._tell(self._move(sid, TextStatus.FAILED, error_code=code), final=True)

    def _send(self, sid: str) -> None:
        self._tell(self._move(sid, TextStatus.SENT, sent_at=clock.now()))

    def _land(self, sid: str) -> None:
        text = self.book.texts[sid]
        handset = self.book.handset(text.recipient)
        code = handset.failure or {Mode.OFF: 30003, Mode.LANDLINE: 30006}.get(handset.mode)
        if code is None:
            text = self._move(sid, TextStatus.DELIVERED, arrived_at=clock.now())
        elif code in LOST_BY_TWILIO:
            text = self._move(sid, TextStatus.FAILED, error_code=code)
        else:
            text = self._move(sid, TextStatus.UNDELIVERED, error_code=code)
        self._tell(text, final=True)

    def _move(self, sid: str, status: TextStatus, **fields: object) -> Text:
        return self.book.texts.change(sid, status=status, updated_at=clock.now(), **fields)

    def _names(self, text: Text) -> dict[str, str]:
        names = {
            "MessageSid": text.sid,
            "SmsSid": text.sid,
            "AccountSid": self.account_sid,
            "From": text.sender,
            "To": text.recipient,
            "ApiVersion": "2010-04-01",
        }
        return {**names, "MessagingServiceSid": text.service} if text.service else names

    def _tell(self, text: Text, *, final: bool = False) -> None:
        params = {**self._names(text), "MessageStatus": text.status.value, "SmsStatus": text.status.value}
        if text.error_code:
            params["ErrorCode"] = str(text.error_code)
        if text.status in (TextStatus.DELIVERED, TextStatus.UNDELIVERED):
            params["RawDlrDoneDate"] = text.updated_at.strftime("%y%m%d%H%M")
        self.post.receipt(text.callback, text.callback_method, params, sid=text.sid, final=final)


SCHEDULE_LANE = "schedule"


def keep_schedule(texts: Texts, every: float = 1.0) -> None:
    """Looks for scheduled texts that are due, now and each second from now on."""
    texts.release()
    texts.agenda.later(every, lambda: keep_schedule(texts, every), lane=SCHEDULE_LANE, awaits=Awaits.PERSON)

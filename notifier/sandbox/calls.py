"""The life of a call in the sandbox: it rings, is taken or not, carries out its TwiML, and ends; receipts all along."""

import time
from collections.abc import Callable, Mapping
from email.utils import format_datetime

from notifier import clock
from notifier.errors import Refused
from notifier.sandbox import orders
from notifier.sandbox.agenda import Agenda, Awaits
from notifier.sandbox.book import Book
from notifier.sandbox.line import (
    Diverted,
    HungUp,
    Key,
    LegAnswered,
    LegEnded,
    LegJoined,
    Line,
    Script,
    Wait,
    Words,
)
from notifier.sandbox.numbers import Numbers
from notifier.sandbox.orders import CallOrder
from notifier.sandbox.post import Post
from notifier.sandbox.rates import Queue, Rates, TooFast
from notifier.sandbox.records import Call, CallStatus, Direction, Mode, Recording, Source, new_sid
from notifier.sandbox.refusals import Refusal
from notifier.sandbox.script import Performance


class Switchboard:
    """Every call between our numbers and the phones. `words_per_second` None: speech takes no time."""

    def __init__(
        self, account_sid: str, book: Book, agenda: Agenda, post: Post, numbers: Numbers, words_per_second: float | None
    ) -> None:
        self.account_sid, self.words_per_second = account_sid, words_per_second
        self.book, self.agenda, self.post, self.numbers = book, agenda, post, numbers
        self.base_url = ""
        self.rates = Rates()
        self._queue = Queue()
        self._lines: dict[str, Line] = {}
        for call in book.calls.all():
            if not call.status.is_over:  # it was cut off when the sandbox last stopped
                book.calls.change(call.sid, status=CallStatus.FAILED, ended_at=clock.now(), listening=False)

    # what the REST API asks for

    def place(self, order: CallOrder) -> Call:
        """Takes an order from the REST API and rings; Refusal says why not."""
        to, sender = orders.call_numbers(order)
        orders.check_source(order)
        now = clock.now()
        call = Call(
            sid=new_sid("CA"),
            sender=self.numbers.own(sender).number,
            recipient=to,
            direction=Direction.API,
            status=CallStatus.QUEUED,
            created_at=now,
            updated_at=now,
            source=order.source,
            ring_seconds=order.ring_seconds,
            machine_detection=order.machine_detection,
            asynchronous_amd=order.asynchronous_amd,
            amd_callback=order.amd_callback,
            amd_callback_method=order.amd_callback_method,
            callback=order.callback,
            callback_method=order.callback_method,
            events=order.events or ("completed",),
            record=order.record,
        )
        try:
            turn = self._queue.join("account", 1, self.rates.calls, self.rates.patience)
        except TooFast:
            raise Refusal(20429, status=429) from None
        wait = turn + self.post.receipts.delay * 0.3
        line = self._open(call)
        line.do(lambda: self._ring(line), wait)
        return call

    def end(self, call: Call, status: CallStatus) -> None:
        """The API wants it over: cancelled before it is answered, completed after; Refusal if it is over already."""
        line = self._lines.get(call.sid)
        if line is None or (status is CallStatus.CANCELED and call.status is CallStatus.IN_PROGRESS):
            raise Refusal(21220)
        line.do(lambda: self._end_by_api(line))
        self.agenda.wait_for(line.lane, 0.5)  # not for ever: it may be the service's own webhook that asks

    def divert(self, call: Call, source: Source) -> None:
        """The API gives a call in progress other TwiML; Refusal if it is not in progress."""
        line = self._lines.get(call.sid)
        if line is None or call.status is not CallStatus.IN_PROGRESS:
            raise Refusal(21220)
        line.do(lambda: line.throw(Diverted(source)))

    # what a phone does

    def ringing(self, phone: str) -> Call | None:
        """The call that rings on this phone."""
        return self._find(phone, CallStatus.RINGING, (Direction.API, Direction.DIAL))

    def talking(self, phone: str) -> Call | None:
        """The call that this phone is on, or is making."""
        return self._find(phone, CallStatus.IN_PROGRESS) or self._find(phone, CallStatus.RINGING, (Direction.INBOUND,))

    def dial_in(self, phone: str, to: str) -> Call:
        """A phone calls one of our numbers."""
        if self.talking(phone) or self.ringing(phone):
            raise Refused("This phone is on a call already.")
        number = self.numbers.own(to)
        url, method = self.numbers.voice_webhook(number)
        now = clock.now()
        call = Call(
            sid=new_sid("CA"),
            sender=phone,
            recipient=number.number,
            direction=Direction.INBOUND,
            status=CallStatus.RINGING,
            created_at=now,
            updated_at=now,
            started_at=now,
            source=Source(url, method, "", number.voice_fallback_url, number.voice_fallback_method),
            callback=number.status_callback,
            callback_method=number.status_callback_method,
        )
        line = self._open(call)
        if url:
            line.do(lambda: self._start(line, call.source, {}))
        else:
            line.do(lambda: self._finish(line, CallStatus.FAILED))
        return call

    def answer(self, phone: str) -> None:
        """Takes the call that rings."""
        self._on_ringing(phone, self._answered)

    def decline(self, phone: str) -> None:
        """Turns away the call that rings."""
        self._on_ringing(phone, lambda line: self._finish(line, CallStatus.BUSY))

    def press(self, phone: str, keys: str) -> None:
        """Presses these keys on the call."""
        line = self._line_of(self.talking(phone))
        self.book.calls.change(line.sid, pressed=self.book.calls[line.sid].pressed + keys)
        for digit in keys:
            line.soon(Key(digit))

    def say(self, phone: str, words: str) -> None:
        """Speaks into the call."""
        self._line_of(self.talking(phone)).soon(Words(words))

    def end_entry(self, phone: str) -> None:
        """No more keys or words come: what was begun is complete."""
        call = self.talking(phone)
        line = self._lines.get(call.sid) if call else None
        if line and line.entry_begun:
            line.do(line.lose_patience)

    def lose_patience(self, phone: str) -> None:
        """What waits for this phone waits no longer."""
        line = self._line_of(self.ringing(phone) or self.talking(phone))
        line.do(line.lose_patience)

    def hang_up(self, phone: str) -> None:
        """Ends the call that this phone is on."""
        line = self._line_of(self.talking(phone))
        line.do(lambda: self._hang_up(line))

    def catch_up(self) -> bool:
        """Ends every wait that has lasted long enough by the product's clock, which tests move in leaps."""
        late = [line for line in list(self._lines.values()) if line.is_overdue(clock.now())]
        for line in late:
            line.catch_up()
        return bool(late)

    # what a script asks for

    def names(self, call: Call) -> dict[str, str]:
        """The parameters that every voice request carries."""
        names = {
            "CallSid": call.sid,
            "AccountSid": self.account_sid,
            "From": call.sender,
            "To": call.recipient,
            "Caller": call.sender,
            "Called": call.recipient,
            "CallStatus": call.status.value,
            "ApiVersion": "2010-04-01",
            "Direction": call.direction.value,
        }
        if call.parent:
            names["ParentCallSid"] = call.parent
        return names

    def seconds_to_say(self, sentence: str) -> float:
        """How long it takes to speak this."""
        return len(sentence.split()) / self.words_per_second if self.words_per_second else 0

    def elapsed(self, sid: str) -> int:
        """Real seconds since the call was answered; 0 before and after."""
        line = self._lines.get(sid)
        return int(time.monotonic() - line.answered_real) if line and line.answered_real else 0

    def pick_up(self, line: Line) -> None:
        """The service takes a call that came in: from here on it is in progress."""
        if self.book.calls[line.sid].status is CallStatus.RINGING:
            line.answered_real = time.monotonic()
            self.book.calls.change(line.sid, status=CallStatus.IN_PROGRESS, updated_at=clock.now())

    def reject(self, line: Line) -> None:
        """The service does not take the call."""
        self.book.calls.change(line.sid, status=CallStatus.BUSY)

    def dial_leg(
        self,
        parent: Line,
        number: str,
        *,
        sender: str,
        ring_seconds: float,
        whisper: Source | None,
        callback: str,
        events: tuple[str, ...],
    ) -> Line:
        """Rings another phone for the caller on this line."""
        now = clock.now()
        call = Call(
            sid=new_sid("CA"),
            sender=sender,
            recipient=number,
            direction=Direction.DIAL,
            status=CallStatus.QUEUED,
            created_at=now,
            updated_at=now,
            ring_seconds=ring_seconds,
            parent=parent.sid,
            callback=callback,
            events=events,
        )
        line = self._open(call, parent, whisper)
        line.do(lambda: self._ring(line))
        return line

    def drop(self, line: Line, status: CallStatus) -> None:
        """Ends a leg that is no longer wanted."""
        if line.is_open:
            self._finish(line, status)

    def pass_on(self, sid: str, words: str) -> None:
        """Lets the other end of a joined call hear this."""
        heard = (*self.book.calls[sid].heard, f"“{words}”")
        self.book.calls.change(sid, heard=heard)

    def keep_recording(self, call: Call, words: str, seconds: int, source: str) -> Recording:
        """Keeps what was said."""
        return self.book.recordings.put(Recording(new_sid("RE"), call.sid, clock.now(), seconds, words, source))

    def recording_url(self, recording: Recording) -> str:
        """Where it can be heard."""
        return f"{self.base_url}/2010-04-01/Accounts/{self.account_sid}/Recordings/{recording.sid}"

    # how it comes about; all of this runs in the line's lane

    def _open(self, call: Call, parent: Line | None = None, whisper: Source | None = None) -> Line:
        line = Line(call.sid, self.agenda, parent, whisper)
        line.ended = lambda: self._ended(line)
        line.unanswered = lambda: self._finish(line, CallStatus.NO_ANSWER)
        with self.book.changed:
            self.book.calls.put(call)
            self._lines[call.sid] = line
        if parent:
            parent.legs.append(line)
        return line

    def _ring(self, line: Line) -> None:
        call = self.book.calls[line.sid]
        self._tell(line, "initiated", "initiated")
        mode = self.book.handset(call.phone).mode
        with self.book.changed:
            is_engaged = self._is_engaged(call.phone)
            if mode is not Mode.OFF and mode is not Mode.BUSY and not is_engaged:
                now = clock.now()
                self.book.calls.change(line.sid, status=CallStatus.RINGING, rang_at=now, started_at=now, updated_at=now)
        if mode is Mode.OFF:
            self._finish(line, CallStatus.NO_ANSWER)
        elif mode is Mode.BUSY or is_engaged:
            self._finish(line, CallStatus.BUSY)
        else:
            self._tell(line, "ringing")
            if mode is Mode.VOICEMAIL:
                line.is_machine = True
                line.do(lambda: self._answered(line), self.post.receipts.delay)
            else:
                line.wait(call.ring_seconds, Awaits.PERSON)

    def _is_engaged(self, phone: str) -> bool:
        """Whether the phone rings or talks already; what has rung long enough by the product's clock ends first."""
        for line in list(self._lines.values()):
            call = self.book.calls[line.sid]
            if call.phone == phone and call.status in (CallStatus.RINGING, CallStatus.IN_PROGRESS):
                if not line.is_overdue(clock.now()):
                    return True
                line.catch_up()
        return False

    def _answered(self, line: Line) -> None:
        if self.book.calls[line.sid].status is not CallStatus.RINGING:
            return
        line.stop_waiting()
        line.answered_real = time.monotonic()
        call = self.book.calls.change(line.sid, status=CallStatus.IN_PROGRESS, updated_at=clock.now())
        self._tell(line, "answered")
        if line.parent:
            line.parent.soon(LegAnswered(line.sid))
            line.begin(self._leg(line))
            return
        params = {}
        if call.machine_detection:
            by = _verdict(call, line.is_machine)
            if call.asynchronous_amd:
                line.do(lambda: self._tell_amd(line, by), self.post.receipts.delay)
            else:
                self.book.calls.change(line.sid, answered_by=by)
                params = {"AnsweredBy": by}
        self._start(line, call.source, params)

    def _tell_amd(self, line: Line, by: str) -> None:
        call = self.book.calls.change(line.sid, answered_by=by)
        if call.amd_callback:
            params = {
                "CallSid": call.sid,
                "AccountSid": self.account_sid,
                "AnsweredBy": by,
                "MachineDetectionDuration": "3900",
            }
            self.post.ask(call.amd_callback, call.amd_callback_method, params, sid=call.sid, voice=True)

    def _start(self, line: Line, source: Source, params: Mapping[str, str]) -> None:
        line.begin(Performance(self, line).run(source, params))

    def _leg(self, line: Line) -> Script:
        """The called party's side of a Dial: the whisper, which may hang up, then the conversation."""
        if line.whisper and (yield from Performance(self, line).run(line.whisper, {})):
            return True
        if line.parent:
            self.book.calls.change(line.sid, bridged_to=line.parent.sid)
            line.parent.soon(LegJoined(line.sid))
            while True:
                happening = yield Wait(None)
                if isinstance(happening, Words):
                    self.pass_on(line.parent.sid, happening.text)
        return True

    def _ended(self, line: Line) -> None:
        was_rejected = self.book.calls[line.sid].status is CallStatus.BUSY
        self._finish(line, CallStatus.BUSY if was_rejected else CallStatus.COMPLETED)

    def _hang_up(self, line: Line) -> None:
        line.throw(HungUp())
        if line.is_open:
            self._finish(line, CallStatus.COMPLETED)

    def _end_by_api(self, line: Line) -> None:
        status = self.book.calls[line.sid].status
        if status is CallStatus.IN_PROGRESS:
            self._hang_up(line)
        else:
            self._finish(line, CallStatus.CANCELED, silently=status is CallStatus.QUEUED)

    def _finish(self, line: Line, status: CallStatus, *, silently: bool = False) -> None:
        line.close()
        for leg in line.legs:
            self.drop(leg, CallStatus.COMPLETED if leg.answered_real else CallStatus.CANCELED)
        lasted = int(time.monotonic() - line.answered_real) if line.answered_real else 0
        if line.answered_real and status is CallStatus.CANCELED:
            status = CallStatus.COMPLETED
        now = clock.now()
        with self.book.changed:
            self._lines.pop(line.sid, None)
            call = self.book.calls.change(
                line.sid, status=status, ended_at=now, updated_at=now, seconds=lasted, listening=False
            )
        if not silently:
            extra = {"CallDuration": str(lasted), "Duration": str(-(-lasted // 60))}
            if call.record and line.answered_real:
                made = self.keep_recording(call, " ".join(call.heard), lasted, "OutboundAPI")
                extra |= {"RecordingSid": made.sid, "RecordingUrl": self.recording_url(made)}
            self._tell(line, "completed", extra=extra)
        if line.parent:
            line.parent.soon(LegEnded(line.sid, status))

    def _tell(self, line: Line, event: str, status: str = "", *, extra: Mapping[str, str] | None = None) -> None:
        call = self.book.calls[line.sid]
        if event not in call.events:
            return
        params = {
            **self.names(call),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(line.events_sent),
            "Timestamp": format_datetime(clock.now()),
            **(extra or {}),
        }
        if status:
            params["CallStatus"] = status
        if call.answered_by:
            params["AnsweredBy"] = call.answered_by
        line.events_sent += 1
        self.post.receipt(
            call.callback, call.callback_method, params, sid=call.sid, final=event == "completed", voice=True
        )

    # finding a line

    def _find(
        self, phone: str, status: CallStatus, directions: tuple[Direction, ...] = tuple(Direction)
    ) -> Call | None:
        with self.book.changed:
            for sid in self._lines:
                call = self.book.calls[sid]
                if call.phone == phone and call.status is status and call.direction in directions:
                    return call
        return None

    def _line_of(self, call: Call | None) -> Line:
        line = self._lines.get(call.sid) if call else None
        if line is None:
            raise Refused("This phone is on no call.")
        return line

    def _on_ringing(self, phone: str, do: Callable[[Line], None]) -> None:
        call = self.ringing(phone)
        if call is None:
            raise Refused("This phone does not ring.")
        line = self._line_of(call)

        def act() -> None:
            if self.book.calls[line.sid].status is CallStatus.RINGING:
                do(line)

        line.do(act)


def _verdict(call: Call, is_machine: bool) -> str:
    if not is_machine:
        return "human"
    return "machine_end_beep" if call.machine_detection == "DetectMessageEnd" else "machine_start"

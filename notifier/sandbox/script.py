"""TwiML carried out on a line, one verb after another, resting wherever a person or another leg must act."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from notifier import clock
from notifier.sandbox import numbering
from notifier.sandbox.agenda import Awaits
from notifier.sandbox.line import Diverted, Happening, HungUp, Key, LegAnswered, LegEnded, LegJoined, Line, Wait, Words
from notifier.sandbox.post import Answer
from notifier.sandbox.records import Call, CallStatus, Recording, Source, new_sid
from notifier.sandbox.twiml import Broken, Verb, parse

if TYPE_CHECKING:
    from notifier.sandbox.calls import Switchboard

MOST_DOCUMENTS = 60
SORRY = "We are sorry. An application error has occurred. Goodbye."
TONE = "[tone]"


@dataclass(frozen=True)
class Jump:
    """Go on with the document from there, sending these parameters along."""

    source: Source
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """The document ends the call."""

    status: CallStatus = CallStatus.COMPLETED


Next = Jump | End | None
Step = Generator[Wait, Happening | None, Next]
Does = Callable[["Performance", Verb, Source], Step]


class Performance:
    """Carries out the documents of one line."""

    def __init__(self, calls: "Switchboard", line: Line) -> None:
        self.calls, self.line = calls, line

    @property
    def call(self) -> Call:
        """The call as it stands."""
        return self.calls.book.calls[self.line.sid]

    def run(self, source: Source, params: Mapping[str, str]) -> Generator[Wait, Happening | None, bool]:
        """Documents from this source on until one ends. True if it hung up, False if it merely came to its end."""
        step: Next = Jump(source, params)
        for _ in range(MOST_DOCUMENTS):
            if not isinstance(step, Jump):
                break
            try:
                step = yield from self._document(step)
            except Diverted as diverted:
                step = Jump(diverted.source)
        if isinstance(step, End) and step.status is CallStatus.BUSY:
            self.calls.reject(self.line)
        return step is not None

    def _document(self, jump: Jump) -> Step:
        source = jump.source
        answer = self._fetch(source, jump.params)
        try:
            verbs = self._read(answer)
        except Broken as broken:
            self.calls.post.alert(broken.code, source.url, self.line.sid)
            if source.fallback_url:
                trouble = {"ErrorCode": str(broken.code), "ErrorUrl": source.url}
                fallback = Source(url=source.fallback_url, method=source.fallback_method)
                return Jump(fallback, {**jump.params, **trouble})
            verbs = [Verb("Say", {}, SORRY, ()), Verb("Hangup", {}, "", ())]
        if not (verbs and verbs[0].name == "Reject"):
            self.calls.pick_up(self.line)
        for verb in verbs:
            does = VERBS.get(verb.name)
            if does is None:
                self.calls.post.alert(12200, source.url, self.line.sid)
                continue
            step = yield from does(self, verb, source)
            if step is not None:
                return step
        return None

    def _fetch(self, source: Source, params: Mapping[str, str]) -> Answer:
        if source.twiml and not source.url:
            return Answer(200, source.twiml, "text/xml")
        everything = {**self.calls.names(self.call), **params}
        return self.calls.post.ask(source.url, source.method, everything, sid=self.line.sid, voice=True, quiet=True)

    def _read(self, answer: Answer) -> list[Verb]:
        if answer.trouble:
            raise Broken(answer.error_code)
        kind = answer.content_type.partition(";")[0].strip().lower()
        if kind.startswith("audio/"):
            return [Verb("Play", {}, "", ())]
        if kind == "text/plain" and not answer.body.lstrip().startswith("<"):
            return [Verb("Say", {}, answer.body, ())]
        return parse(answer.body, answer.content_type)

    def _jump(self, verb: Verb, source: Source, params: Mapping[str, str]) -> Jump:
        """To the verb's action, or to where this document came from."""
        url = urljoin(source.url, verb.get("action")) if verb.get("action") else source.url
        return Jump(Source(url=url, method=verb.get("method") or "POST"), params)

    def _rest(self, seconds: float) -> Wait:
        """A rest in which a person may act; a machine never will, so nobody waits for one unless a verdict is due."""
        waits_for_nobody = self.line.is_machine and not self.call.asynchronous_amd
        return Wait(seconds, Awaits.NOTHING if waits_for_nobody else Awaits.PERSON)

    def _hear(self, sentence: str) -> None:
        heard = (*self.call.heard, sentence)
        self.calls.book.calls.change(self.line.sid, heard=heard, updated_at=clock.now())

    def _speak(
        self, sentences: Sequence[str], *, barge_in: bool = False
    ) -> Generator[Wait, Happening | None, Key | Words | None]:
        """Says each sentence in its time. What the person does meanwhile is lost, or with `barge_in` cuts it short."""
        for sentence in sentences:
            self._hear(sentence)
            seconds = self.calls.seconds_to_say(sentence) or (0.001 if self.line.is_machine else 0)
            until = time.monotonic() + seconds
            while seconds and (left := until - time.monotonic()) > 0:
                happening = yield Wait(left, Awaits.NOTHING)
                if happening is None:
                    break
                if barge_in and isinstance(happening, (Key, Words)):
                    return happening
        return None

    def say(self, verb: Verb, source: Source) -> Step:
        """<Say>: its words, `loop` times (for ever is ten times here)."""
        loops = int(verb.seconds("loop", 1)) or 10
        yield from self._speak(verb.sentences() * min(loops, 10))
        return None

    def play(self, verb: Verb, source: Source) -> Step:
        """<Play>: that there is a sound."""
        yield from self._speak(["[music]" if not verb.get("digits") else f"[tones {verb.get('digits')}]"])
        return None

    def pause(self, verb: Verb, source: Source) -> Step:
        """<Pause>: silence, as long as speech takes time here."""
        if self.calls.words_per_second:
            yield Wait(verb.seconds("length", 1), Awaits.NOTHING)
        return None

    def hang_up(self, verb: Verb, source: Source) -> Step:
        """<Hangup>."""
        yield from ()
        return End()

    def reject(self, verb: Verb, source: Source) -> Step:
        """<Reject>: the caller hears that we are busy."""
        yield from ()
        return End(CallStatus.BUSY)

    def redirect(self, verb: Verb, source: Source) -> Step:
        """<Redirect>: another document takes over."""
        yield from ()
        return Jump(Source(url=verb.url(source.url), method=verb.get("method") or "POST"))

    def gather(self, verb: Verb, source: Source) -> Step:
        """<Gather>: keys or speech, then the action; without any, on to the next verb."""
        takes = (verb.get("input") or "dtmf").split()
        most = int(verb.seconds("numDigits", 0))
        finish = verb.attributes.get("finishOnKey", "#")
        barge_in = verb.get("bargeIn").lower() != "false"
        self.calls.book.calls.change(self.line.sid, listening=True)
        happening: Happening | None = None
        try:
            for inner in verb.children:
                if inner.name == "Say":
                    happening = yield from self._speak(inner.sentences(), barge_in=barge_in)
                elif inner.name in ("Play", "Pause"):
                    yield from VERBS[inner.name](self, inner, source)
                if happening:
                    break
            params = yield from self._listen(happening, takes, most, finish, verb.seconds("timeout", 5))
        finally:
            self.line.entry_begun = False
            self.calls.book.calls.change(self.line.sid, listening=False)
        if params is None:
            if not verb.is_on("actionOnEmptyResult"):
                return None
            params = {"Digits": ""} if "dtmf" in takes else {"SpeechResult": ""}
        return self._jump(verb, source, params)

    def _listen(
        self, happening: Happening | None, takes: Sequence[str], most: int, finish: str, seconds: float
    ) -> Generator[Wait, Happening | None, dict[str, str] | None]:
        digits = ""
        while True:
            if isinstance(happening, Words) and "speech" in takes:
                return {"SpeechResult": happening.text, "Confidence": "0.91"}
            if isinstance(happening, Key) and "dtmf" in takes:
                if happening.digit in finish and happening.digit:
                    return {"Digits": digits, "FinishedOnKey": happening.digit} if digits else None
                digits += happening.digit
                self.line.entry_begun = True
                if len(digits) == most:
                    return {"Digits": digits, "FinishedOnKey": ""}
            happening = yield self._rest(seconds)
            if happening is None:
                return {"Digits": digits, "FinishedOnKey": ""} if digits else None

    def record(self, verb: Verb, source: Source) -> Step:
        """<Record>: what is said after the tone, until silence, a key or the end of the call; then the action."""
        finish = verb.attributes.get("finishOnKey", "1234567890*#")
        if verb.get("playBeep").lower() != "false":
            self._hear(TONE)
        words, digits, began = "", "", time.monotonic()
        self.calls.book.calls.change(self.line.sid, listening=True)
        hung_up = None
        try:
            while True:
                happening = yield self._rest(verb.seconds("timeout", 5))
                if isinstance(happening, Words):
                    words = f"{words} {happening.text}".strip()
                    self.line.entry_begun = True
                elif isinstance(happening, Key) and happening.digit in finish:
                    digits = happening.digit
                    break
                elif happening is None:
                    break
        except HungUp as gone:
            hung_up, digits = gone, "hangup"
        finally:
            self.line.entry_begun = False
            self.calls.book.calls.change(self.line.sid, listening=False)
        if not words:
            if hung_up:
                raise hung_up
            return None
        seconds = max(int(time.monotonic() - began), len(words.split()) // 3, 1)
        made = self.calls.keep_recording(self.call, words, seconds, "RecordVerb")
        params = {"RecordingSid": made.sid, "RecordingUrl": self.calls.recording_url(made)}
        self._tell_of_recording(verb, source, made, params)
        jump = self._jump(verb, source, {**params, "RecordingDuration": str(seconds), "Digits": digits})
        if hung_up:
            self._fetch(jump.source, {**jump.params, "CallStatus": "completed"})
            raise hung_up
        return jump

    def _tell_of_recording(self, verb: Verb, source: Source, made: Recording, params: Mapping[str, str]) -> None:
        base = {"AccountSid": self.calls.account_sid, "CallSid": self.line.sid, **params}
        if verb.get("recordingStatusCallback"):
            status = {
                "RecordingStatus": "completed",
                "RecordingDuration": str(made.seconds),
                "RecordingChannels": "1",
                "RecordingSource": made.source,
                "ErrorCode": "0",
            }
            url = urljoin(source.url, verb.get("recordingStatusCallback"))
            self.calls.post.receipt(url, "POST", {**base, **status}, sid=made.sid, final=True, voice=True)
        if verb.get("transcribeCallback"):
            status = {
                "TranscriptionSid": new_sid("TR"),
                "TranscriptionStatus": "completed",
                "TranscriptionText": made.words,
            }
            url = urljoin(source.url, verb.get("transcribeCallback"))
            everything = {**self.calls.names(self.call), **base, **status}
            self.calls.post.receipt(url, "POST", everything, sid=made.sid, final=True, voice=True)

    def dial(self, verb: Verb, source: Source) -> Step:
        """<Dial>: rings one number after another, or all at once; joins the one that takes it; then the action."""
        nouns = [inner for inner in verb.children if inner.name == "Number"] or [Verb("Number", {}, verb.text, ())]
        groups = [[noun] for noun in nouns] if verb.is_on("sequential") else [nouns]
        params = {"DialCallStatus": CallStatus.FAILED.value, "DialBridged": "false"}
        try:
            for group in groups:
                legs = [leg for noun in group if (leg := self._leg(noun, verb, source))]
                if not legs:
                    continue
                params = yield from self._connect(legs, verb.seconds("timeout", 30))
                if params["DialBridged"] == "true":
                    break
        except HungUp:
            self._tell_of_dial(verb, source)
            raise
        return self._jump(verb, source, params) if verb.get("action") else None

    def _tell_of_dial(self, verb: Verb, source: Source) -> None:
        """The caller has hung up: the action is told, and what it answers is heard by nobody."""
        legs = [self.calls.book.calls[leg.sid] for leg in self.line.legs]
        joined = next((leg for leg in legs if leg.bridged_to), None)
        params = {
            "CallStatus": CallStatus.COMPLETED.value,
            "DialCallStatus": (CallStatus.COMPLETED if joined else CallStatus.CANCELED).value,
            "DialCallSid": legs[-1].sid if legs else "",
            "DialCallDuration": str(self.calls.elapsed(joined.sid) if joined else 0),
            "DialBridged": "true" if joined else "false",
        }
        if verb.get("action"):
            self._fetch(self._jump(verb, source, params).source, params)

    def _leg(self, noun: Verb, verb: Verb, source: Source) -> Line | None:
        number = numbering.e164(noun.text)
        if number is None:
            self.calls.post.alert(13223, source.url, self.line.sid)
            return None
        whisper = noun.get("url")
        return self.calls.dial_leg(
            self.line,
            number,
            sender=verb.get("callerId") or self.call.sender,
            ring_seconds=verb.seconds("timeout", 30),
            whisper=Source(url=urljoin(source.url, whisper), method=noun.get("method") or "POST") if whisper else None,
            callback=urljoin(source.url, noun.get("statusCallback")) if noun.get("statusCallback") else "",
            events=tuple(noun.get("statusCallbackEvent").split()) or ("completed",),
        )

    def _connect(self, legs: list[Line], seconds: float) -> Generator[Wait, Happening | None, dict[str, str]]:
        """Waits for these legs; what became of them, as the parameters of Dial's action."""
        ringing, taken, joined = {leg.sid for leg in legs}, "", False
        last = LegEnded(legs[-1].sid, CallStatus.NO_ANSWER)
        while ringing:
            happening = yield Wait(None if taken else seconds)
            if happening is None:
                for leg in legs:
                    self.calls.drop(leg, CallStatus.NO_ANSWER)
                break
            if isinstance(happening, LegAnswered):
                taken = happening.sid
                for leg in legs:
                    if leg.sid != taken:
                        self.calls.drop(leg, CallStatus.CANCELED)
                ringing = {taken}
            elif isinstance(happening, LegJoined):
                joined = True
                self._hear(f"[connected to {numbering.for_people(self.calls.book.calls[taken].recipient)}]")
                self.calls.book.calls.change(self.line.sid, bridged_to=taken)
            elif isinstance(happening, LegEnded) and happening.sid in ringing:
                ringing.discard(happening.sid)
                last = happening
            elif isinstance(happening, Words) and joined:
                self.calls.pass_on(taken, happening.text)
        return {
            "DialCallStatus": last.status.value,
            "DialCallSid": last.sid,
            "DialCallDuration": str(self.calls.book.calls[last.sid].seconds),
            "DialBridged": "true" if joined else "false",
        }


VERBS: dict[str, Does] = {
    "Say": Performance.say,
    "Play": Performance.play,
    "Pause": Performance.pause,
    "Gather": Performance.gather,
    "Record": Performance.record,
    "Dial": Performance.dial,
    "Redirect": Performance.redirect,
    "Reject": Performance.reject,
    "Hangup": Performance.hang_up,
}

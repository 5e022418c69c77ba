"""A call as it is talked: a key or words at a step, the move that follows, and what is heard next."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, abort, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from twilio.twiml.voice_response import VoiceResponse

from jobs.queue import ring
from notifier import bridging, calling, clock
from notifier.core import phone, wording
from notifier.core.phone import Entry, Move, Step, Turn, Unreached
from notifier.core.vocabulary import Role
from notifier.models import Attempt, Message, PhoneCall, Site
from notifier.runtime import current, transaction
from webhooks.twilio import bp, twiml
from webhooks.twilio.speech import ask, dial, end, leave_a_message, url_of, words_of


@dataclass(frozen=True)
class Line:
    """One call while it is talked, and what it is about."""

    session: Session
    call: PhoneCall
    site: Site
    message: Message | None
    attempt: Attempt | None

    @property
    def language(self) -> str:
        """What they speak."""
        return self.call.language

    def say(self, template: str, **values: str) -> str:
        """A voice template in their language."""
        return words_of(self.site, self.language, template, **values)

    def end(self, template: str) -> VoiceResponse:
        """The last words."""
        return end(self.say(template), self.language)


def line_of(session: Session, call_id: UUID) -> Line:
    """The call, locked: Twilio may ask twice."""
    call = session.scalars(select(PhoneCall).where(PhoneCall.id == call_id).with_for_update()).one_or_none()
    if call is None:
        abort(404)
    message = session.get(Message, call.message_id) if call.message_id else None
    attempt = session.get(Attempt, call.attempt_id) if call.attempt_id else None
    return Line(session, call, session.get_one(Site, call.site_key), message, attempt)


@bp.post("/voice/calls/<uuid:call_id>/<any(identity, words, menu, more, confirm):step>")
def turn(call_id: UUID, step: str) -> Response:
    """A key was pressed, something was said, or nothing came."""
    with transaction() as session:
        said = _respond(line_of(session, call_id), Step(step))
    ring("dispatch")
    return twiml(said)


def entry_of_request() -> Entry:
    """What Twilio brings: a key, words or neither, and how often this was asked in vain."""
    form, counts = request.form, request.args
    return Entry(
        key=form.get("Digits", "")[:1],
        words=form.get("SpeechResult", "").strip(),
        silences=counts.get("s", 0, type=int),
        wrong=counts.get("w", 0, type=int),
        repeats=counts.get("r", 0, type=int),
    )


def _respond(line: Line, step: Step) -> VoiceResponse:
    entry = entry_of_request()
    if not entry.key and entry.words and _is_red(line, entry.words):
        return _tell(line, step, entry.words)  # no menu and no read-back stands before a red flag
    meanings = _meanings(line) if step is Step.WORDS else {}
    return _move(line, step, entry, phone.turn(step, entry, meanings))


def _meanings(line: Line) -> dict[str, str]:
    """What the keys of this message stand for."""
    template = current().catalog.messages.get(line.message.speaks) if line.message else None
    if template is None or not template.keys:
        return {}
    return dict(template.keys[wording.best_language(template.keys, line.language)])


def _is_red(line: Line, words: str) -> bool:
    return calling.is_red(line.session, line.call, words, catalog=current().catalog, now=clock.now())


def _move(line: Line, step: Step, entry: Entry, turn: Turn) -> VoiceResponse:
    match turn.move:
        case Move.PROCEED:
            _reached(line)
            return _ask(line, Step.WORDS)
        case Move.OTHER:
            if line.attempt:
                line.attempt.unreached = Unreached.SOMEBODY_ELSE
            return line.end("voice.wrong_person")
        case Move.TELL | Move.PERSON | Move.STOP:
            if line.call.said:  # asked for a person while it was read back: both are told
                calling.tell(line.session, line.call, _key(step, "kept"), line.call.said, **at_hand())
            return _tell(line, step, turn.word)
        case Move.HEAR:
            calling.keep(line.call, turn.word, now=clock.now())
            return _ask(line, Step.CONFIRM, tries=_tries())
        case Move.AGREED:
            return _tell(line, step, line.call.said) if line.call.said else line.end("voice.thanks")
        case Move.RETRY:
            return _once_more(line, step)
        case Move.MORE:
            return _ask(line, Step.MORE)
        case Move.AGAIN:
            return _ask(line, step, turn=turn, is_unclear=turn.wrong > entry.wrong, tries=_tries())
    return line.end("voice.goodbye") if line.message or entry.repeats else _leave(line, line.say("voice.leave"))


def _tries() -> int:
    return request.args.get("t", 0, type=int)


def _key(step: str, digit: str) -> str:
    """Names what came in within its call: the same when Twilio asks twice."""
    counts = "".join(str(request.args.get(name, 0, type=int)) for name in "swrt")
    return f"{step}-{counts}-{digit or 'said'}"


def at_hand() -> dict[str, Any]:
    """What every verb asks for."""
    return {"catalog": current().catalog, "now": clock.now()}


def _reached(line: Line) -> None:
    if line.attempt:
        line.attempt.reached_at, line.attempt.unreached = line.attempt.reached_at or clock.now(), None


def _ask(
    line: Line, step: Step, *, turn: Turn | None = None, is_unclear: bool = False, tries: int = 0
) -> VoiceResponse:
    """The words of a step, the last of which name its keys."""
    match step:
        case Step.IDENTITY:
            parts = ["voice.identity"] if turn and not turn.silences else ["voice.opening", "voice.identity"]
            words = [line.say(part) for part in parts]
        case Step.WORDS:
            words = [(line.message.body if line.message else "") or "", line.say("voice.again")]
        case Step.CONFIRM:
            words = [line.say("voice.heard", words=line.call.said or "")]
        case _:
            words = [line.say(f"voice.{step}")]
    unclear = [line.say("voice.unclear")] if is_unclear else []
    return ask(line.call, step, line.language, *unclear, *words, turn=turn, tries=tries)


def _once_more(line: Line, step: Step) -> VoiceResponse:
    """We heard it wrong: say it again, twice; then a person listens."""
    line.call.said = line.call.said_at = None
    if _tries() + 1 >= phone.PATIENCE:
        return _tell(line, step, phone.PERSON_WORD)
    return _ask(line, Step.WORDS if line.message else Step.MORE, tries=_tries() + 1)


# --- what they told, and who is rung for it -------------------------------------------------------------------------


def _tell(line: Line, step: Step, words: str) -> VoiceResponse:
    """Stored, read, and answered at once: by people on the line where it needs them."""
    _reached(line)
    key = _key(step, request.form.get("Digits", "")[:1])
    answer = calling.tell(line.session, line.call, key, words, **at_hand())
    if answer.people:
        return ring_person(line, 0, line.say(answer.template))
    if answer.is_closed and answer.role:
        return _closed(line, answer)
    if answer.role:
        return nobody(line, said=answer.template)
    return line.end(answer.template)


def _closed(line: Line, answer: calling.Answer) -> VoiceResponse:
    """The team has gone home: when it is back, and a message for then."""
    assert answer.role
    team = line.say(f"team.{answer.role}")
    if answer.closed_until is None:
        return _leave(line, line.say("voice.nobody", team=team), line.say("voice.leave"))
    values = wording.moment_values(answer.closed_until, None, ZoneInfo(line.site.timezone), line.language)
    return _leave(line, line.say("voice.closed", team=team, **values), line.say("voice.leave"))


def _leave(line: Line, *words: str) -> VoiceResponse:
    return leave_a_message(line.call, *words, goodbye=line.say("voice.goodbye"))


def ring_person(line: Line, place: int, words: str) -> VoiceResponse:
    """The next one on call is rung, and hears what it is before they are joined; past the last one nobody is there."""
    person = bridging.person_at(line.session, line.call, place)
    if person is None or person.phone is None:
        return nobody(line)
    return dial(
        line.call,
        person.phone,
        action=url_of(line.call.id, "ring", n=place + 1),
        first=url_of(line.call.id, f"whisper/{person.id}"),
        ring_seconds=current().catalog.calls.staff_ring_seconds,
        words=words,
        language=line.language,
    )


def nobody(line: Line, said: str = "") -> VoiceResponse:
    """Nobody took the caller: the page leaves now, the caller hears by when somebody calls, and may leave a message."""
    catalog, now = current().catalog, clock.now()
    bridging.nobody(line.session, line.call, catalog=catalog, now=now)
    template = calling.if_nobody(line.session, line.call, catalog=catalog, now=now)
    team = line.say(f"team.{line.call.role or Role.COORDINATOR}")
    first = [line.say(said)] if said == "voice.emergency" else []
    return _leave(line, *first, line.say(template, team=team), line.say("voice.leave"))

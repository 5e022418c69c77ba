"""Calls: a page that is taken by a key, a reminder that is answered by one, and the menu for those who ring us.

A key means exactly what the word means by text: it becomes an Inbound, and a worker understands it.
"""

import logging
from dataclasses import dataclass
from uuid import UUID

from flask import Response, abort, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from twilio.twiml.voice_response import Gather, VoiceResponse

from jobs.queue import ring
from notifier import clock, inbox, pages, paging_answers, sealing, sending
from notifier.core import wording
from notifier.core.states import TicketState
from notifier.core.vocabulary import Channel, Source
from notifier.models import Attempt, Contact, Message, Site, Staff, Ticket
from notifier.runtime import current, reading, transaction
from webhooks.twilio import bp, twiml

log = logging.getLogger(__name__)
VOICES = {"en": ("Polly.Joanna", "en-US"), "es": ("Polly.Lupe", "es-US")}
PATIENCE = 10  # seconds to find a key: older callers need them
MENU = {"0": "CALL ME", "1": "where is my delivery", "2": "NOT OK"}
PAGE_KEYS = {"1": False, "2": True}  # takes it, passes it on
ALWAYS = {"8": "STOP", "0": "CALL ME"}  # what these keys mean at every step of a call of ours


@dataclass(frozen=True)
class _Call:
    """One outbound call as it is being spoken."""

    message: Message
    attempt: Attempt
    site: Site

    def say(self, template: str, **values: str) -> str:
        """The words of a voice template in the language of the person called."""
        known = {"brand": self.site.brand, "phone": self.site.phone, **values}
        return current().catalog.render(template, self.message.language, Channel.VOICE, known)


def _call(session: Session, attempt_id: UUID) -> _Call:
    attempt = session.get(Attempt, attempt_id)
    if attempt is None:
        abort(404)
    message = session.get_one(Message, attempt.message_id)
    return _Call(message, attempt, session.get_one(Site, message.site_key))


def _speak(where: VoiceResponse | Gather, words: str, language: str) -> None:
    voice, code = VOICES[wording.best_language(VOICES, language)]
    for sentence in filter(None, (part.strip() for part in words.split("\n"))):
        where.say(sentence, voice=voice, language=code)


def _ask(attempt_id: UUID, step: str, language: str, *sentences: str) -> VoiceResponse:
    """Say it, wait for one key, say all of it once more; then our own address is told that none came."""
    response = VoiceResponse()
    base = current().settings.public_base_url
    for turn in range(2):
        gather = Gather(
            num_digits=1,
            timeout=PATIENCE,
            action=f"{base}/twilio/voice/{attempt_id}/{step}",
            method="POST",
            action_on_empty_result=turn == 1,
        )
        for words in sentences:
            _speak(gather, words, language)
        response.append(gather)
    return response


def _end(words: str, language: str) -> VoiceResponse:
    response = VoiceResponse()
    _speak(response, words, language)
    response.hangup()
    return response


# --- calls that we make -------------------------------------------------------------------------------------------


@bp.post("/voice/<uuid:attempt_id>")
def answered(attempt_id: UUID) -> Response:
    """Somebody, or a machine, took our call."""
    answered_by = request.form.get("AnsweredBy")
    with transaction() as session:
        call = _call(session, attempt_id)
        message, language = call.message, call.message.language
        call.attempt.answered_by = answered_by or call.attempt.answered_by  # the call's last receipt may not say it
        if (answered_by or "human").startswith(("machine", "fax")):
            return twiml(_end(call.say("voice.voicemail"), language))
        if message.staff_id:
            told = pages.covered(session, message)
            if told and all(ticket.state is not TicketState.OPEN for ticket in told):
                return twiml(_end(_about(call, told[0], paging_answers.standing(told[0], message.staff_id)), "en"))
            return twiml(_ask(attempt_id, "page", language, message.body or ""))
        return twiml(_ask(attempt_id, "identity", language, call.say("voice.opening"), call.say("voice.identity")))


@bp.post("/voice/<uuid:attempt_id>/<any(page, identity, words):step>")
def keypad(attempt_id: UUID, step: str) -> Response:
    """A key was pressed during our call."""
    digit = request.form.get("Digits", "")
    if step == "page":
        return _page_key(attempt_id, digit)
    with reading() as session:
        call = _call(session, attempt_id)
    language = call.message.language
    if not digit:
        return _nobody(call, "nobody pressed a key", "voice.goodbye") if step == "identity" else _bye(call)
    if digit in ALWAYS:
        return _tell(call, attempt_id, ALWAYS[digit], f"{step}-{digit}")
    if step == "identity":
        if digit == "2":
            return _nobody(call, "somebody else took the call", "voice.wrong_person")
        if digit == "1":
            return twiml(_ask(attempt_id, "words", language, call.message.body or "", call.say("voice.again")))
        return twiml(_ask(attempt_id, "identity", language, call.say("voice.identity")))
    word = current().catalog.messages[call.message.speaks].key_word(digit, language)
    if word is None:
        return twiml(_ask(attempt_id, "words", language, call.message.body or "", call.say("voice.again")))
    return _tell(call, attempt_id, word, f"{step}-{digit}")


def _bye(call: _Call) -> Response:
    return twiml(_end(call.say("voice.goodbye"), call.message.language))


def _nobody(call: _Call, why: str, words: str) -> Response:
    """The call was taken, but not by whom it is for: where it matters, a coordinator is told."""
    with transaction() as session:
        message = session.get_one(Message, call.message.id)
        sending.when_it_mattered(session, message, why, catalog=current().catalog, now=clock.now())
    ring("dispatch")
    return twiml(_end(call.say(words), call.message.language))


def _tell(call: _Call, attempt_id: UUID, word: str, step: str) -> Response:
    """A key is stored as the word it stands for, read by a worker as that word, and answered as that word would be."""
    with transaction() as session:
        inbound, new = inbox.receive(
            session,
            provider_sid=f"{request.form.get('CallSid', attempt_id)}-{step}",
            source=Source.VOICE,
            sender=call.message.to,
            recipient=call.site.voice_from or call.site.phone,
            body=word,
            received_at=clock.now(),
            message_id=call.message.id,
        )
    return twiml(_end(call.say(_heard(inbound.id, new)), call.message.language))


def _heard(inbound_id: UUID, new: bool) -> str:
    """Rings for what was just stored; returns the template of what the caller hears: what the ticket will hold to."""
    if new:
        ring("attend", str(inbound_id))
    with reading() as session:
        return inbox.spoken_answer(session, inbound_id, catalog=current().catalog, now=clock.now())


def _about(call: _Call, ticket: Ticket, template: str) -> str:
    values = {"brand": call.site.brand, "number": str(ticket.number), "owner": ticket.owner or ""}
    return current().catalog.render(template, "en", Channel.SMS, values)


def _page_key(attempt_id: UUID, digit: str) -> Response:
    """1 takes the ticket at once, 2 passes it on; the call says which."""
    now = clock.now()
    with transaction() as session:
        call = _call(session, attempt_id)
        staff = session.get_one(Staff, call.message.staff_id)
        told = pages.covered(session, call.message)
        if not digit:
            return _bye(call)
        staff.phone_verified_at = now
        if not told:
            return twiml(_end(call.say("voice.goodbye"), "en"))
        if digit not in PAGE_KEYS:
            return twiml(_ask(attempt_id, "page", "en", call.message.body or ""))
        template, values = paging_answers.act_on_all(
            session, staff, told, passing=PAGE_KEYS[digit], catalog=current().catalog, now=now
        )
        said = current().catalog.render(template, "en", Channel.SMS, {"brand": call.site.brand, **values})
    ring("dispatch")
    return twiml(_end(said, "en"))


# --- calls that come in -------------------------------------------------------------------------------------------


@bp.post("/voice")
def incoming() -> Response:
    """A call to our number: the menu, in the caller's language when we know the number. Never a name."""
    with reading() as session:
        site = inbox.site_of(session, request.form.get("To", ""))
        language = _language_of(session, request.form.get("From", ""))
    return twiml(_menu(site, language))


def _menu(site: Site, language: str) -> VoiceResponse:
    response = VoiceResponse()
    words = _say(site, language, "voice.menu")
    action = f"{current().settings.public_base_url}/twilio/voice/menu"
    for _ in range(2):
        gather = Gather(
            input="dtmf speech",
            num_digits=1,
            timeout=PATIENCE,
            speech_timeout="auto",
            language=VOICES[wording.best_language(VOICES, language)][1],
            action=action,
            method="POST",
        )
        _speak(gather, words, language)
        response.append(gather)
    _speak(response, _say(site, language, "voice.goodbye"), language)
    response.hangup()
    return response


@bp.post("/voice/menu")
def menu() -> Response:
    """A key was pressed, or something said: it is read as a text would be, and the caller hears what comes next."""
    form = request.form
    digit = form.get("Digits", "")
    said = form.get("SpeechResult", "").strip()
    with transaction() as session:
        site = inbox.site_of(session, form.get("To", ""))
        language = _language_of(session, form.get("From", ""))
        if digit not in MENU and not said:
            return twiml(_menu(site, language))
        inbound, new = inbox.receive(
            session,
            provider_sid=f"{form['CallSid']}-menu-{digit or 'said'}",
            source=Source.VOICE,
            sender=form.get("From", ""),
            recipient=form.get("To", ""),
            body=MENU.get(digit) or said,
            received_at=clock.now(),
        )
    return twiml(_end(_say(site, language, _heard(inbound.id, new)), language))


def _say(site: Site, language: str, template: str) -> str:
    values = {"brand": site.brand, "phone": site.phone}
    return current().catalog.render(template, language, Channel.VOICE, values)


def _language_of(session: Session, number: str) -> str:
    found = session.scalars(select(Contact).where(Contact.phone_hash == sealing.lookup(number))).first()
    return found.language if found else "en"

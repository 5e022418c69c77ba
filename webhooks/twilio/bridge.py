"""Two people are joined: who is rung next, what they hear first, and what came of it."""

from uuid import UUID

from flask import Response, request
from twilio.twiml.voice_response import Gather, VoiceResponse

from jobs.queue import ring
from notifier import bridging, clock
from notifier.core.phone import Step
from notifier.core.states import TicketState
from notifier.models import Contact, Staff
from notifier.runtime import current, transaction
from webhooks.twilio import bp, twiml
from webhooks.twilio.conversation import Line, line_of, nobody, ring_person
from webhooks.twilio.speech import STAFF, ask, end, speak, url_of, words_of
from webhooks.twilio.staffing import log_talk


@bp.post("/voice/calls/<uuid:call_id>/ring")
def rung(call_id: UUID) -> Response:
    """One who was rung for a caller took them, or did not: then the next. Our own word counts, not Twilio's."""
    form, place = request.form, request.args.get("n", 0, type=int)
    with transaction() as session:
        line = line_of(session, call_id)
        if line.call.taken_by is not None:
            said = _talked(line)
        elif form.get("CallStatus") == "completed":  # the caller has hung up
            said = nobody(line)
        else:
            said = ring_person(line, place, line.say("voice.still_trying"))
    ring("dispatch")
    return twiml(said)


def _talked(line: Line) -> VoiceResponse:
    form = request.form
    seconds = form.get("DialCallDuration", "0")
    bridged = form.get("DialBridged", "true") == "true" and form.get("DialCallStatus") == "completed"
    if bridged:
        length = int(seconds) if seconds.isdigit() else 0
        bridging.talked(line.session, line.call, length, catalog=current().catalog, now=clock.now())
    return line.end("voice.talked")


@bp.post("/voice/calls/<uuid:call_id>/whisper/<uuid:staff_id>")
def whisper(call_id: UUID, staff_id: UUID) -> Response:
    """Who picked up hears what it is about: a machine, or a child, presses no 1, and the next one is rung."""
    with transaction() as session:
        line = line_of(session, call_id)
        ticket = bridging.ticket_of(session, line.call, catalog=current().catalog, now=clock.now())
        values = {
            "number": str(ticket.number) if ticket else "",
            "urgency": ticket.urgency.replace("_", " ") if ticket else "",
            "role": (ticket.role if ticket else line.call.role or "team"),
        }
        words = words_of(line.site, STAFF, "staff.whisper", **values)
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=current().catalog.calls.key_seconds,
        action=url_of(call_id, f"take/{staff_id}"),
        method="POST",
    )
    speak(gather, words, STAFF)
    response = VoiceResponse()
    response.append(gather)
    response.hangup()
    return twiml(response)


@bp.post("/voice/calls/<uuid:call_id>/take/<uuid:staff_id>")
def take(call_id: UUID, staff_id: UUID) -> Response:
    """1 joins them and takes the ticket; any other key leaves the caller to the next one."""
    response = VoiceResponse()
    if request.form.get("Digits") != "1":
        response.hangup()
        return twiml(response)
    with transaction() as session:
        line = line_of(session, call_id)
        staff = session.get_one(Staff, staff_id)
        if not bridging.take(session, line.call, staff, catalog=current().catalog, now=clock.now()):
            response.hangup()
            return twiml(response)
        joined = words_of(line.site, STAFF, "staff.joined")
    ring("dispatch")
    speak(response, joined, STAFF)
    return twiml(response)


# --- staff who call a patient through us ----------------------------------------------------------------------------


@bp.post("/voice/calls/<uuid:call_id>/greet")
def greet(call_id: UUID) -> Response:
    """A patient who picks up hears who wants to talk to them, in their language; not what about."""
    with transaction() as session:
        line = line_of(session, call_id)
        ticket = bridging.ticket_of(session, line.call, catalog=current().catalog, now=clock.now())
        contact = session.get(Contact, ticket.contact_id) if ticket and ticket.contact_id else None
        language = contact.language if contact else line.site.languages[0]
        response = VoiceResponse()
        speak(response, words_of(line.site, language, "voice.from_us"), language)
    return twiml(response)


@bp.post("/voice/calls/<uuid:call_id>/called")
def called(call_id: UUID) -> Response:
    """The call through us is over: whether they spoke is asked, for a machine may have picked up."""
    with transaction() as session:
        line = line_of(session, call_id)
        ticket = bridging.ticket_of(session, line.call, catalog=current().catalog, now=clock.now())
        staff = session.get(Staff, line.call.staff_id) if line.call.staff_id else None
        if ticket is None or staff is None or ticket.state is TicketState.RESOLVED:
            said = end(words_of(line.site, STAFF, "voice.goodbye"), STAFF)
        elif request.form.get("DialCallStatus") == "completed":
            said = ask(line.call, Step.REACHED, STAFF, words_of(line.site, STAFF, "staff.reached"))
        else:
            log_talk(line, staff, ticket, reached=False)
            said = end(words_of(line.site, STAFF, "staff.logged"), STAFF)
    ring("dispatch")
    return twiml(said)

"""Staff who are called: one key takes the ticket, the next connects the patient, and what came of it is logged."""

from uuid import UUID

from flask import Response
from twilio.twiml.voice_response import VoiceResponse

from jobs.queue import ring
from notifier import bridging, clock, pages, paging_answers, tickets
from notifier.core import phone
from notifier.core.phone import Entry, Move, Step
from notifier.models import Staff, Ticket
from notifier.runtime import current, transaction
from webhooks.twilio import bp, twiml
from webhooks.twilio.conversation import Line, at_hand, entry_of_request, line_of
from webhooks.twilio.speech import STAFF, ask, dial, end, url_of, words_of
from webhooks.twilio.voice import as_texted


@bp.post("/voice/calls/<uuid:call_id>/<any(page, offer, reached):step>")
def staff_turn(call_id: UUID, step: str) -> Response:
    """A member of staff pressed a key, or none."""
    with transaction() as session:
        said = _staff(line_of(session, call_id), Step(step), entry_of_request())
    ring("dispatch")
    return twiml(said)


def _staff(line: Line, step: Step, entry: Entry) -> VoiceResponse:
    ticket = bridging.ticket_of(line.session, line.call, **at_hand())
    staff = line.session.get(Staff, line.call.staff_id) if line.call.staff_id else None
    if staff is not None and entry.key:
        staff.phone_verified_at = clock.now()  # a phone that answers is one that rings
    if ticket is None or staff is None:
        return end(words_of(line.site, STAFF, "voice.goodbye"), STAFF)
    turn = phone.turn(step, entry)
    match turn.move:
        case Move.TAKE | Move.PASS:
            return _obey(line, staff, ticket, passing=turn.move is Move.PASS)
        case Move.DIAL:
            return _connect(line, ticket)
        case Move.DID_SPEAK | Move.NOT_REACHED:
            log_talk(line, staff, ticket, reached=turn.move is Move.DID_SPEAK)
            return end(words_of(line.site, STAFF, "staff.logged"), STAFF)
        case Move.AGAIN:
            return ask(line.call, step, STAFF, _staff_words(line, step), turn=turn)
    template = {Step.PAGE: "voice.goodbye", Step.OFFER: "voice.goodbye"}.get(step, "staff.not_logged")
    return end(words_of(line.site, STAFF, template), STAFF)


def _staff_words(line: Line, step: Step) -> str:
    if step is Step.PAGE:
        return (line.message.body if line.message else "") or ""
    return words_of(line.site, STAFF, f"staff.{step}")


def _obey(line: Line, staff: Staff, ticket: Ticket, *, passing: bool) -> VoiceResponse:
    """1 takes every ticket of the page at once, 2 passes them on; who has one may be connected with its patient now."""
    told = (pages.covered(line.session, line.message) if line.message else ()) or [ticket]
    template, values = paging_answers.act_on_all(line.session, staff, told, passing=passing, **at_hand())
    said = as_texted(line.site, template, values)
    line.session.refresh(ticket)
    is_one = len(told) == 1  # of several, nobody knows which patient is meant
    if is_one and ticket.owner_id == staff.id and not passing and bridging.number_of(line.session, ticket):
        return ask(line.call, Step.OFFER, STAFF, said, _staff_words(line, Step.OFFER))
    return end(said, STAFF)


def _connect(line: Line, ticket: Ticket) -> VoiceResponse:
    """The patient is rung for the one who took the ticket; they see the pharmacy's number."""
    number = bridging.number_of(line.session, ticket)
    if number is None:
        return end(words_of(line.site, STAFF, "staff.not_logged"), STAFF)
    return dial(
        line.call,
        number,
        action=url_of(line.call.id, "called"),
        first=url_of(line.call.id, "greet"),
        ring_seconds=current().catalog.calls.ring_seconds,
        words=words_of(line.site, STAFF, "staff.calling"),
        language=STAFF,
    )


def log_talk(line: Line, staff: Staff, ticket: Ticket, *, reached: bool) -> None:
    """What came of a call through us, in the ticket."""
    by = tickets.Actor(staff.name, staff.id)
    tickets.log_contact(line.session, ticket, reached, "by phone", by, **at_hand())

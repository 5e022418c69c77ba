"""Calls begin here: one of ours that was taken, by a person or by a machine, and one that rings us."""

import logging
from uuid import UUID

from flask import Response, abort, request
from sqlalchemy.orm import Session
from twilio.twiml.voice_response import VoiceResponse

from notifier import calling, clock, pages, paging_answers, reached
from notifier.core.phone import Step
from notifier.core.states import TicketState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Message, PhoneCall, Site
from notifier.provider import Unreachable
from notifier.runtime import current, reading, transaction
from webhooks.twilio import bp, twiml
from webhooks.twilio.speech import STAFF, ask, end, words_of

log = logging.getLogger(__name__)


# --- calls that we make -------------------------------------------------------------------------------------------


@bp.post("/voice/<uuid:attempt_id>")
def answered(attempt_id: UUID) -> Response:
    """Somebody, or a machine, took our call: who they are comes before anything else."""
    answered_by = request.form.get("AnsweredBy")
    with transaction() as session:
        attempt, message, site = _of(session, attempt_id)
        attempt.answered_by = answered_by or attempt.answered_by  # the call's last receipt may not say it
        if reached.is_machine(answered_by):
            return twiml(end(words_of(site, message.language, "voice.voicemail"), message.language))
        sid = request.form.get("CallSid", str(attempt_id))
        call = calling.went_out(session, sid, attempt, message, real_now=clock.real())
        if message.staff_id:
            return twiml(_page(session, call, message, site))
        opening = [words_of(site, call.language, f"voice.{part}") for part in ("opening", "identity")]
        return twiml(ask(call, Step.IDENTITY, call.language, *opening))


def _page(session: Session, call: PhoneCall, message: Message, site: Site) -> VoiceResponse:
    """A page: what its tickets need, unless somebody has them all already."""
    if message.template == pages.CONNECT:
        return ask(call, Step.OFFER, STAFF, message.body or "")
    told = pages.covered(session, message)
    if told and message.staff_id and all(ticket.state is not TicketState.OPEN for ticket in told):
        values = {"number": str(told[0].number), "owner": told[0].owner or ""}
        return end(as_texted(site, paging_answers.standing(told[0], message.staff_id), values), STAFF)
    return ask(call, Step.PAGE, STAFF, message.body or "")


def as_texted(site: Site, template: str, values: dict[str, str]) -> str:
    """What staff are told of their tickets, as their text would say it."""
    return current().catalog.render(template, STAFF, Channel.SMS, {"brand": site.brand, **values})


def _of(session: Session, attempt_id: UUID) -> tuple[Attempt, Message, Site]:
    attempt = session.get(Attempt, attempt_id)
    if attempt is None:
        abort(404)
    message = session.get_one(Message, attempt.message_id)
    return attempt, message, session.get_one(Site, message.site_key)


@bp.post("/voice/<uuid:attempt_id>/machine")
def machine(attempt_id: UUID) -> tuple[str, int]:
    """Twilio has listened to who took our call: a machine is told name and number after its tone, and no more."""
    by = request.form.get("AnsweredBy", "")
    with transaction() as session:
        attempt, _, _ = _of(session, attempt_id)
        a_person_pressed = attempt.reached_at is not None
        attempt.answered_by = by or attempt.answered_by
    if reached.is_machine(by) and not a_person_pressed:
        url = f"{current().settings.public_base_url}/twilio/voice/{attempt_id}/voicemail"
        try:
            current().twilio.divert(request.form.get("CallSid", ""), url)
        except Unreachable as error:  # it hears the opening, which tells nothing, and the call ends by itself
            log.warning("a machine could not be left a message: %s", error)
    return "", 204


@bp.post("/voice/<uuid:attempt_id>/voicemail")
def voicemail(attempt_id: UUID) -> Response:
    """After a machine's tone: our name and number, twice, and nothing about anybody."""
    with reading() as session:
        _, message, site = _of(session, attempt_id)
        return twiml(end(words_of(site, message.language, "voice.voicemail"), message.language))


# --- calls that come in -------------------------------------------------------------------------------------------


@bp.post("/voice")
def incoming() -> Response:
    """A call to our number: the menu, in the caller's language when we know the number. Never a name."""
    form = request.form
    with transaction() as session:
        call = calling.came_in(
            session, form["CallSid"], form.get("From", ""), form.get("To", ""), real_now=clock.real()
        )
        site = session.get_one(Site, call.site_key)
        return twiml(ask(call, Step.MENU, call.language, words_of(site, call.language, "voice.menu")))


@bp.post("/voice/ended")
def ended() -> tuple[str, int]:
    """A call that came in is over, if the number is set to tell us: else Twilio is asked."""
    if request.form.get("CallStatus") in ("completed", "busy", "failed", "no-answer", "canceled"):
        with transaction() as session:
            call = calling.by_sid(session, request.form.get("CallSid", ""))
            if call is not None:
                calling.end(session, call, catalog=current().catalog, now=clock.now())
    return "", 204

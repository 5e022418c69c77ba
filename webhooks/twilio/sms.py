"""Texts that come in: written down, then understood by a worker. When they cannot be written down, we say so."""

import logging
import time

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from twilio.twiml.messaging_response import MessagingResponse

from jobs.queue import BULK, ring
from notifier import clock, inbox
from notifier.core import wording
from notifier.core.vocabulary import Channel, Source
from notifier.errors import NotifierError
from notifier.models import Site
from notifier.runtime import current, reading, transaction
from webhooks.twilio import bp, twiml

log = logging.getLogger(__name__)


@bp.post("/sms")
def sms() -> Response:
    """One text. The same MessageSid again gets the same answer, and nothing new is stored."""
    form = request.form
    recipient, body = form.get("To", ""), form.get("Body", "")
    try:
        with transaction() as session:
            inbound, new = inbox.receive(
                session,
                provider_sid=form["MessageSid"],
                source=Source.SMS,
                sender=form.get("From", ""),
                recipient=recipient,
                body=body,
                media=int(form.get("NumMedia") or 0),
                received_at=clock.now(),
                hurry=inbox.looks_red(body, current().catalog),
                opt_out=form.get("OptOutType") if form.get("OptOutType") in ("STOP", "START", "HELP") else None,
            )
    except (SQLAlchemyError, NotifierError) as error:
        log.error("a text could not be stored: %s", type(error).__name__)
        ring("reconcile_all", queue=BULK)  # Twilio has it: if the fault is over already, it is fetched now
        return twiml(_could_not_read(recipient))
    if new:
        ring("attend", str(inbound.id))
    remember_phones()
    return twiml(MessagingResponse())


def _could_not_read(recipient: str) -> MessagingResponse:
    """Fixed words in both languages, for the one case in which nobody may ever read the text."""
    answer = MessagingResponse()
    values = {"phone": wording.written_phone(_phones.of(recipient))}
    catalog = current().catalog
    answer.message(" ".join(catalog.render("unreadable", tongue, Channel.SMS, values) for tongue in catalog.languages))
    return answer


class _Phones:
    """The 24/7 number of each site, remembered for when the database is away."""

    REFRESH = 60.0

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._read_at = float("-inf")

    def refresh(self) -> None:
        """Read them again, once a minute."""
        if time.monotonic() - self._read_at < self.REFRESH:
            return
        with reading() as session:
            for site in session.scalars(select(Site)):
                self._known |= {number: site.phone for number in (site.sms_from, site.voice_from) if number}
        self._read_at = time.monotonic()

    def of(self, number: str) -> str:
        """The number to call; the one that was texted, if we have never known better."""
        return self._known.get(number) or next(iter(self._known.values()), number)


_phones = _Phones()


def remember_phones() -> None:
    """Read the sites' numbers, if the database is there."""
    try:
        _phones.refresh()
    except (SQLAlchemyError, NotifierError) as error:
        log.warning("the sites' numbers are not known yet: %s", type(error).__name__)

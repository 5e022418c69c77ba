"""The service tests itself: an invented patient's FEVER goes the whole way, to a number of our own and to nobody else.

It lives in a site of its own, which no board, report or count shows.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import tickets
from notifier.catalog import Catalog
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import CANARY, Channel, Consent, Pages
from notifier.db import add_once
from notifier.errors import Refused
from notifier.models import Contact, Counter, Mark, Message, Paged, Patient, Site, Staff, Ticket
from notifier.sealing import lookup

SANG, HEARD = "canary.sang", "canary.heard"  # when it was sent, and which of those came all the way
IN_TIME = timedelta(minutes=2)  # real: from the text to Twilio's having the page
EVERY = timedelta(minutes=5)
WORDS = "FEVER"
LEFT = (MessageState.SENT, MessageState.DELIVERED)


class Song(NamedTuple):
    """The text to post to ourselves, as Twilio would."""

    sender: str
    recipient: str
    body: str


def set_up(session: Session, number: str, *, now: datetime) -> Song:
    """Make the canary's site and people, and say what it texts. `number`: of our own, E.164; "" for one of a site's.

    Raises Refused: there is no site, no number of our own beside the one that sends, or it is somebody's phone.
    """
    sender, number = may_sing(session, number)
    _set_up(session, sender, number, now=now)
    return Song(number, sender.sms_from or sender.phone, WORDS)


def may_sing(session: Session, number: str) -> tuple[Site, str]:
    """The site that sends and the number that sings. Raises Refused as set_up() does."""
    sites = session.scalars(select(Site).where(Site.key != CANARY).order_by(Site.key)).all()
    sender = next((site for site in sites if site.sms_from or site.messaging_service), None)
    if sender is None:
        raise Refused("There is no site that can text yet: run `notifier apply pharmacy.toml`.")
    mine = {site.sms_from for site in sites if site.sms_from} - {sender.sms_from}
    number = number or min(mine, default="")
    if not number or number == sender.sms_from:
        raise Refused("The canary needs a second number of your own: set CANARY_NUMBER, or CANARY_MODE=off.")
    theirs = lookup(number)
    others = select(Staff.id).where(Staff.phone_hash == theirs, Staff.key != CANARY)
    patients = select(Contact.id).join(Patient).where(Contact.phone_hash == theirs, Patient.site_key != CANARY)
    if session.scalars(others).first() or session.scalars(patients).first():
        raise Refused("The canary's number is somebody's phone: set CANARY_NUMBER to one of your own at Twilio.")
    return sender, number


def _set_up(session: Session, sender: Site, number: str, *, now: datetime) -> None:
    theirs = lookup(number)
    site = session.get(Site, CANARY) or Site(key=CANARY, name="Canary", brand=sender.brand)
    site.timezone, site.sms_from, site.messaging_service = sender.timezone, sender.sms_from, sender.messaging_service
    site.voice_from, site.phone, site.languages = sender.voice_from, sender.phone, ["en"]
    session.add(site)
    session.flush()
    add_once(session, Counter(name=CANARY, value=0), Counter.name)
    nurse = session.scalars(select(Staff).where(Staff.key == CANARY)).one_or_none() or Staff(key=CANARY, name="Canary")
    nurse.phone, nurse.phone_hash, nurse.pages, nurse.active = number, theirs, Pages.SMS, True
    nurse.sites, nurse.phone_verified_at = [CANARY], now
    session.add(nurse)
    _patient(session, site, number, theirs, now=now)
    session.flush()


def _patient(session: Session, site: Site, number: str, number_hash: str, *, now: datetime) -> None:
    patient = session.scalars(select(Patient).where(Patient.site_key == CANARY)).one_or_none()
    if patient is None:
        patient = Patient(
            site_key=CANARY,
            external_id=CANARY,
            given_name="Canary",
            family_name="Test",
            timezone=site.timezone,
            welcomed=True,
            created_at=now,
        )
        session.add(patient)
        session.flush()
    contact = session.scalars(select(Contact).where(Contact.patient_id == patient.id)).one_or_none()
    if contact is None:
        contact = Contact(patient_id=patient.id, name="Canary", language="en", channel=Channel.SMS, created_at=now)
        session.add(contact)
    contact.phone, contact.phone_hash, contact.sms_consent = number, number_hash, Consent.GIVEN


def sang(session: Session, now: datetime) -> None:
    """It has been sent: from now on it must be heard."""
    _mark(session, SANG, now)


def listen(session: Session, *, catalog: Catalog, now: datetime) -> bool:
    """Has the page of the last one been taken by Twilio? Then its ticket is closed. True: it came all the way."""
    sung = session.get(Mark, SANG)
    ticket = session.scalars(
        select(Ticket).where(Ticket.site_key == CANARY, Ticket.state != TicketState.RESOLVED).with_for_update()
    ).first()
    if sung is None or ticket is None:
        return False
    page = (
        select(func.max(Message.sent_at))
        .join(Paged, Paged.message_id == Message.id)
        .where(Paged.ticket_id == ticket.id, Message.state.in_(LEFT), Message.created_at >= sung.at)
    )
    if session.scalar(page) is None:
        return False
    by = tickets.Actor("canary")
    tickets.log_contact(session, ticket, True, "", by, catalog=catalog, now=now)
    tickets.resolve(session, ticket, "no_action", "", by, now=now)
    _mark(session, HEARD, sung.at)
    return True


def missed(session: Session, now: datetime, *, pace: float) -> str:
    """What is wrong with the canary, in words; empty when it sings and is heard."""
    sung, heard = session.get(Mark, SANG), session.get(Mark, HEARD)
    if sung is None:
        return ""
    if now - sung.at > 3 * EVERY * pace:
        return "the canary has not been sent for a quarter of an hour"
    if (heard is None or heard.at < sung.at) and now - sung.at > IN_TIME * pace:
        return "the canary was not heard: a FEVER did not become a page"
    return ""


def _mark(session: Session, name: str, at: datetime) -> None:
    row, new = add_once(session, Mark(name=name, at=at), Mark.name)
    if not new:
        row.at = at

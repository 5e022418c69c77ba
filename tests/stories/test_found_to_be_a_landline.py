"""A phone turns out to be a landline: it is called from the first word on, and nothing is texted into the void."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from notifier import enrolment, phone_lines, runtime
from notifier.core.line_types import LineType
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Role, Urgency
from notifier.details import ConsentDetails
from notifier.models import AuditEvent, Message, PhoneLine
from notifier.sealing import lookup
from tests.edges.test_failures import remind

BILLS = "+12125552074"


def agreed(clinic, *channels: Channel) -> tuple[ConsentDetails, ...]:
    return tuple(ConsentDetails(channel, "intake form v3", clinic.now) for channel in channels or Channel)


def with_a_landline(clinic, name: str = "Bill", number: str = BILLS, **given):
    """Enrolled as somebody who is texted: nobody asked what kind of phone it is."""
    clinic.sandbox.phone(number).mode = "landline"
    return clinic.patient(name, phone=number, **{"consents": agreed(clinic), **given})


def asked(clinic, number: str = BILLS) -> int:
    """How often Twilio was asked what this number is: each costs money."""
    return sum(call.endpoint == "lookup" and number in call.to for call in clinic.sandbox.requests)


def line(number: str = BILLS) -> PhoneLine:
    with runtime.reading() as session:
        return session.get_one(PhoneLine, lookup(number))


def journal(patient) -> list[str]:
    with runtime.reading() as session:
        wanted = select(AuditEvent.verb).where(AuditEvent.patient_id == patient.row.id).order_by(AuditEvent.id)
        return list(session.scalars(wanted))


def ways(patient) -> set[Channel]:
    return {each.channel for each in patient.messages if each.sent_at}


def test_a_landline_found_at_enrolment_is_called_with_the_first_word_and_texted_nothing(clinic):
    bill = with_a_landline(clinic)
    assert bill.phone.ringing
    assert any("You said yes to our calls" in said for said in bill.answers("1"))
    assert bill.told("M01") == ["Mon 09:00"]
    assert ways(bill) == {Channel.VOICE}
    assert bill.inbox == []
    contact = clinic.contact(bill)
    assert (contact.channel, contact.wish) == (Channel.VOICE, Channel.SMS)
    assert (line().kind, line().asked_at) == (LineType.LANDLINE, clinic.now)
    assert journal(bill).count("contact.landline") == 1
    assert bill.tickets == []

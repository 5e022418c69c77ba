"""A message on the phone that nobody can read: it may say anything, so a nurse listens to it at once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from jobs import tasks
from notifier import access, runtime
from notifier.core.vocabulary import Role, Urgency
from notifier.models import PhoneCall, Recording
from tests.clinic import OUR_NUMBER
from tests.visitor import PASSWORD, Visitor


@pytest.fixture
def night(clinic, clock):
    clock.until("2026-11-23T22:30:00-05:00")
    return clinic


def asks_about_her_bill_and_leaves(clinic, person, question: str, words: str) -> None:
    """At night nobody of billing is there: she may leave a message, and tells something else in it."""
    person.phone.calls(OUR_NUMBER)
    person.phone.says(question)
    person.phone.press("1")
    person.phone.says(words)
    clinic.world.settle()


def of(person, role: Role):
    return next((ticket for ticket in person.tickets if ticket.role is role), None)


def recording() -> Recording:
    with runtime.reading() as session:
        return session.scalars(select(Recording)).one()


def test_a_message_in_spanish_pages_a_nurse_to_listen_whatever_the_call_was_about(night, clock):
    ana = night.active("Ana", language="es")
    asks_about_her_bill_and_leaves(night, ana, "tengo una pregunta de mi factura", "tengo fiebre y tiemblo")
    bill, listen = of(ana, Role.BILLING), of(ana, Role.NURSE)
    assert (bill.urgency.is_red, listen.urgency, listen.kinds) == (False, Urgency.URGENT, ["UNKNOWN"])
    assert listen.text == "A voice message came without words: please listen to it."
    assert night.nia.is_paged
    assert bill.number in night.linked(listen)
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=night.now)
    nia = Visitor(night).signs_in("nia@example.com")
    page = nia.opens(f"/tickets/{listen.number}").get_data(as_text=True)
    assert f'src="/recordings/{recording().id}"' in page
    assert "No words: please listen." in page
    assert nia.opens(f"/recordings/{recording().id}").status_code == 200


def test_a_message_in_english_is_read_and_no_nurse_is_asked_to_listen(night, clock):
    ivy = night.active("Ivy")
    asks_about_her_bill_and_leaves(night, ivy, "I have a question about my bill", "it is the bill of March")
    assert of(ivy, Role.NURSE) is None
    clock.passes(minutes=10)
    tasks.look_after_calls()
    assert of(ivy, Role.NURSE) is None
    assert recording().words_by is None


@pytest.mark.parametrize("told", ["failed", "nothing"])
def test_words_that_cannot_be_made_out_or_never_come_are_missed(night, told):
    ivy = night.active("Ivy")
    call = {"CallSid": "CA" + "7" * 32, "From": ivy.phone.number, "To": OUR_NUMBER}
    night.post("/twilio/voice", call)
    with runtime.reading() as session:
        base = f"/twilio/voice/calls/{session.scalars(select(PhoneCall.id)).one()}"
    night.post(f"{base}/menu", {**call, "SpeechResult": "a question about my bill", "Confidence": "0.9"})
    night.post(f"{base}/confirm", {**call, "Digits": "1"})
    sid = {"RecordingSid": "RE" + "7" * 32}
    night.post(f"{base}/recorded", {**call, **sid, "RecordingDuration": "9"})
    night.world.settle()
    assert of(ivy, Role.BILLING) is not None
    assert of(ivy, Role.NURSE) is None
    if told == "failed":
        night.post(f"{base}/transcribed", {**call, **sid, "TranscriptionStatus": "failed"})
    else:  # five minutes of real time go by
        with runtime.transaction() as session:
            session.scalars(select(Recording)).one().words_by -= timedelta(minutes=6)
    night.world.settle()
    assert (of(ivy, Role.NURSE).urgency, of(ivy, Role.NURSE).kinds) == (Urgency.URGENT, ["UNKNOWN"])
    assert night.nia.is_paged


def test_who_asked_for_the_nurse_is_paged_for_once(night):
    ana = night.active("Ana", language="es")
    ana.phone.calls(OUR_NUMBER)
    ana.phone.press("0")
    for person in (night.nia, night.bo, night.sue, night.desk):
        person.phone.waits()
    ana.phone.says("me duele")
    night.world.settle()
    assert len(ana.tickets) == 1
    assert ana.ticket.urgency is Urgency.URGENT
    assert len(night.nia.pages) == 1

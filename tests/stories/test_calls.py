"""On the phone: what a caller says is answered as safely as what they write, and nobody is promised a call in vain."""

import pytest

from notifier.core.vocabulary import Role, Urgency
from tests.clinic import OUR_NUMBER


def heard(person) -> str:
    return " ".join(person.phone.heard)


def says(clinic, person, words: str) -> str:
    """Calls us and says it; returns all that was heard."""
    person.phone.calls(OUR_NUMBER)
    person.phone.says(words)
    clinic.world.settle()
    return heard(person)


def test_a_caller_who_cannot_breathe_is_told_to_call_911(clinic):
    ivy = clinic.active("Ivy")
    assert "Hang up and call 911 now" in says(clinic, ivy, "I can't breathe")
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert clinic.nia.is_paged
    assert ivy.received("911") == 0  # the call has answered


def test_a_caller_with_a_fever_is_promised_the_nurse_who_is_paged(clinic):
    ana = clinic.active("Ana", language="es")
    assert "Una enfermera le llamará en 15 minutos" in says(clinic, ana, "tengo fiebre")
    assert ana.ticket.urgency is Urgency.URGENT
    assert clinic.nia.is_paged


def test_a_question_about_a_box_is_written_down_and_no_nurse_is_promised(clinic):
    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    ivy.phone.press("1")
    clinic.world.settle()
    assert "We wrote it down" in heard(ivy)
    assert "A nurse will call you" not in heard(ivy)
    assert Role.DELIVERY in {ticket.role for ticket in ivy.tickets}
    assert not clinic.nia.is_paged


def test_zero_brings_one_nurse_and_one_ticket(clinic):
    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    ivy.phone.press("0")
    clinic.world.settle()
    assert "A nurse will call you in 15 minutes" in heard(ivy)
    assert (ivy.ticket.role, ivy.ticket.urgency) == (Role.NURSE, Urgency.URGENT)


def test_nobody_promises_to_call_a_hidden_number(clinic):
    said = clinic.post(
        "/twilio/voice/menu", {"CallSid": "CA1", "From": "anonymous", "To": OUR_NUMBER, "Digits": "0"}
    ).text
    clinic.world.settle()
    assert "we cannot call you back" in said
    assert "A nurse will call you" not in said
    assert clinic.nia.is_paged  # and still somebody knows


def test_a_nurse_who_rings_the_menu_is_heard_like_anybody(clinic):
    clinic.bo.phone.calls(OUR_NUMBER)
    clinic.bo.phone.press("0")
    clinic.world.settle()
    assert "A nurse will call you in 15 minutes" in heard(clinic.bo)
    assert clinic.nia.is_paged


@pytest.fixture
def bill(clinic):
    """Bill has a landline and is told of a delivery by a call that is ringing now."""
    bill = clinic.active("Bill", channel="voice")
    bill.answers("1")
    bill.phone.hangs_up()
    clinic.delivery(bill, "2026-11-25 10:00", "2026-11-25 12:00")
    return bill


def test_somebody_else_who_takes_the_call_learns_nothing_and_a_coordinator_is_told(clinic, bill):
    bill.answers("2")
    assert "Please ask them to call" in heard(bill)
    assert "delivery" not in heard(bill).lower()
    assert (bill.ticket.role, bill.ticket.kinds) == (Role.COORDINATOR, ["UNREACHABLE"])


def test_a_silent_listener_hears_it_again_then_a_goodbye_and_a_coordinator_is_told(clinic, bill):
    bill.answers()
    bill.phone.waits()
    bill.phone.waits()
    clinic.world.settle()
    assert heard(bill).count("press zero") == 2
    assert "We did not get an answer" in heard(bill)
    assert bill.ticket.kinds == ["UNREACHABLE"]


def test_the_words_are_said_once_more_by_silence(clinic, bill):
    bill.answers("1")
    bill.phone.waits()
    assert heard(bill).count("Your delivery is set for") == 2
    bill.phone.press("1")
    clinic.world.settle()
    assert bill.tickets == []
    assert clinic.next_delivery(bill).confirmed_at is not None


def test_a_call_that_comes_after_somebody_took_it_says_so(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=5)
    clinic.took_it_just_now(ivy.ticket, "bo")
    clinic.nia.answers()
    assert "is with Bo Backup" in heard(clinic.nia)
    assert "press 1" not in heard(clinic.nia)


def test_a_phone_stops_ringing_for_what_somebody_has(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=5)
    assert clinic.nia.phone.ringing
    clinic.bo.texts(f"A {ivy.ticket.number}")
    assert not clinic.nia.phone.ringing

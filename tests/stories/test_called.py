"""We call a patient: who is there comes first, keys before speech, a person at every step, and a call is a call."""

from datetime import timedelta

import pytest

from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent, Role, Urgency
from tests.clinic import OUR_NUMBER


def heard(person) -> str:
    return " ".join(person.phone.heard)


def from_the_start(person) -> str:
    """All that was heard on all calls."""
    return " ".join(" ".join(call.heard) for call in person.phone.history)


@pytest.fixture
def bill(clinic):
    """Bill has a landline and is told of a delivery by a call that is ringing now."""
    bill = clinic.active("Bill", channel="voice")
    bill.answers("1")
    bill.phone.hangs_up()
    clinic.delivery(bill, "2026-11-25 10:00", "2026-11-25 12:00")
    return bill


def told(bill):
    return bill.message("M04")


# --- who is there ---------------------------------------------------------------------------------------------------


def test_nothing_of_what_it_is_about_is_said_before_somebody_says_who_they_are(clinic, bill):
    bill.answers()
    assert "with a call for the person we care for" in heard(bill)
    assert "delivery" not in heard(bill).lower()
    bill.phone.press("1")
    assert "Your delivery is set for Wednesday, November 25" in heard(bill)
    bill.phone.press("1")
    clinic.world.settle()
    assert clinic.next_delivery(bill).confirmed_at is not None
    assert told(bill).state is MessageState.DELIVERED
    assert bill.tickets == []


def test_somebody_else_learns_nothing_two_hours_later_we_try_again_then_a_coordinator_calls(clinic, clock, bill):
    bill.answers("2")
    assert "Please ask them to call" in heard(bill)
    assert "delivery" not in heard(bill).lower()
    assert (told(bill).state, told(bill).why) == (MessageState.PLANNED, "somebody else took the call; trying again")
    assert bill.tickets == []
    clock.passes(hours=2)
    bill.answers("2")
    assert told(bill).state is MessageState.FAILED
    assert (bill.ticket.role, bill.ticket.kinds) == (Role.COORDINATOR, ["UNREACHABLE"])


def test_a_silent_listener_hears_it_once_more_and_counts_as_nobody(clinic, clock, bill):
    bill.answers()
    bill.phone.waits()
    bill.phone.waits()
    clinic.world.settle()
    assert heard(bill).count("press zero") == 2
    assert "We did not get an answer" in heard(bill)
    assert told(bill).why == "nobody pressed a key; trying again"
    clock.passes(hours=2)
    bill.answers("1", "1")
    assert told(bill).state is MessageState.DELIVERED


def test_who_hangs_up_before_the_first_key_has_not_been_reached(clinic, bill):
    bill.answers()
    bill.phone.hangs_up()
    clinic.world.settle()
    assert told(bill).state is MessageState.PLANNED


def test_who_hangs_up_in_the_middle_of_the_words_has_been_reached(clinic, bill):
    bill.answers("1")
    bill.phone.hangs_up()
    clinic.world.settle()
    assert told(bill).state is MessageState.DELIVERED


def test_yes_may_be_said(clinic, bill):
    bill.answers()
    bill.phone.says("Yes, speaking")
    assert "Your delivery is set for" in heard(bill)


# --- what they answer -----------------------------------------------------------------------------------------------


def test_nine_and_silence_say_it_again(clinic, bill):
    bill.answers("1", "9")
    assert heard(bill).count("Your delivery is set for") == 2
    bill.phone.waits()
    assert heard(bill).count("Your delivery is set for") == 3
    bill.phone.press("1")
    clinic.world.settle()
    assert clinic.next_delivery(bill).confirmed_at is not None


def test_a_spoken_answer_is_read_back_before_it_counts(clinic, bill):
    bill.answers("1")
    bill.phone.says("please change it")
    assert "I heard: please change it. If that is right, press 1." in heard(bill)
    clinic.world.settle()
    assert bill.tickets == []
    bill.phone.press("1")
    clinic.world.settle()
    assert bill.ticket.text.startswith("please change it")


def test_a_spoken_danger_is_not_read_back(clinic, bill):
    bill.answers("1")
    bill.phone.says("my chest hurts and I can not breathe")
    clinic.world.settle()
    assert "Hang up and call 911 now" in heard(bill)
    assert "I heard" not in heard(bill)
    assert clinic.nia.phone.ringing
    assert Urgency.EMERGENCY in {ticket.urgency for ticket in bill.tickets}


def test_a_danger_may_be_said_before_anybody_has_said_who_they_are(clinic, bill):
    bill.answers()
    bill.phone.says("he has a fever of 102")
    clinic.world.settle()
    assert clinic.nia.phone.ringing


def test_not_well_is_connected_to_the_nurse_and_after_a_minute_promised_one(clinic, clock):
    bill = clinic.patient("Bill", channel="voice", zone="America/Phoenix", welcomed=True)
    clinic.ordered(bill, "2026-11-22 10:00")
    clinic.verified(bill)
    clinic.first_dose_given(bill)
    clock.set("2026-11-25T09:59:00-07:00")  # what was due on the way has lost its sense
    clinic.world.settle()
    if bill.phone.ringing:
        bill.answers("1")
        bill.phone.hangs_up()
    clock.passes(minutes=1)
    bill.answers("1")
    assert "If you do not feel well, press 2" in heard(bill)
    before = len(clinic.nia.pages)
    bill.phone.press("2")
    clinic.world.settle()
    assert "We will connect you to a person now" in heard(bill)
    assert len(clinic.nia.pages) == before
    for person in (clinic.nia, clinic.bo, clinic.sue, clinic.desk):
        person.phone.waits()
    clinic.world.settle()
    assert "A nurse will call you in 15 minutes" in heard(bill)
    assert "call 911" in heard(bill)
    assert len(clinic.nia.pages) > before
    nursing = [ticket for ticket in bill.tickets if ticket.role is Role.NURSE]
    assert [ticket.urgency for ticket in nursing] == [Urgency.URGENT]


def test_zero_reaches_a_person_even_before_the_first_key(clinic, bill):
    bill.answers("0")
    assert clinic.nia.phone.ringing
    clinic.nia.answers("1")
    assert "[connected to" in heard(bill)
    clinic.nia.phone.hangs_up()
    clinic.world.settle()
    assert bill.ticket.contacted_at is not None
    assert told(bill).state is MessageState.DELIVERED


def test_eight_stops_the_calls(clinic, clock, bill):
    bill.answers("8")
    assert "You will get no more automated calls" in heard(bill)
    assert clinic.contact(bill).voice_consent is Consent.WITHDRAWN
    before = len(bill.phone.history)
    clinic.delivery(bill, "2026-12-01 10:00", "2026-12-01 12:00")
    clock.passes(days=2)
    assert len(bill.phone.history) == before


def test_spanish_is_spoken_and_understood(clinic):
    ana = clinic.active("Ana", channel="voice", language="es")
    ana.answers("1")
    ana.phone.hangs_up()
    clinic.delivery(ana, "2026-11-25 10:00", "2026-11-25 12:00")
    ana.answers("1")
    assert "Su entrega es el miércoles 25 de noviembre" in heard(ana)
    ana.phone.says("no va a haber nadie")
    assert "Escuché: no va a haber nadie" in heard(ana)


def test_thirty_repeats_end_kindly_and_keep_the_line_free(clinic, bill):
    bill.answers("1")
    for _ in range(30):
        if bill.phone.call:
            bill.phone.press("9")
    assert bill.phone.call is None
    assert "Please call us at 8 0 0" in heard(bill)


def test_wrong_keys_are_said_to_be_wrong_and_end_kindly(clinic, bill):
    bill.answers("1", "7", "6")
    assert heard(bill).count("Sorry, that did not work.") == 2
    bill.phone.press("5")
    clinic.world.settle()
    assert "Please call us at" in heard(bill)
    assert bill.phone.call is None


# --- nobody is there ------------------------------------------------------------------------------------------------


def test_a_machine_is_told_name_and_number_only_and_is_nobody_reached(clinic, clock):
    bill = clinic.active("Bill", channel="voice")
    bill.answers("1")
    bill.phone.hangs_up()
    bill.phone.mode = "voicemail"
    clinic.delivery(bill, "2026-11-25 10:00", "2026-11-25 12:00")
    last = bill.phone.history[-1]
    assert last.answered_by == "machine_end_beep"
    assert last.heard[-4:] == (
        "This is Pharmko.",
        "Please call us at 8 0 0, 5 5 5, 0 1 0 0.",
        "Again, 8 0 0, 5 5 5, 0 1 0 0.",
        "Thank you.",
    )
    assert "delivery" not in " ".join(last.heard).lower()
    assert told(bill).why == "a machine answered; trying again"
    clock.passes(hours=2)
    assert told(bill).state is MessageState.FAILED  # it was tried once more, in vain
    assert bill.ticket.kinds == ["UNREACHABLE"]


@pytest.mark.parametrize(("does", "why", "minutes"), [("busy", "call: busy", 10), ("no-answer", "call: no-answer", 15)])
def test_what_became_of_a_call_says_when_it_is_made_again(clinic, clock, bill, does, why, minutes):
    bill.phone.declines() if does == "busy" else bill.phone.waits()
    clinic.world.settle()
    assert told(bill).why == f"{why}; trying again"
    assert told(bill).due_at - clinic.now == timedelta(minutes=minutes)
    clock.passes(minutes=minutes)
    assert bill.phone.ringing


def test_a_call_that_is_never_taken_ends_with_a_coordinator(clinic, clock, bill):
    bill.phone.declines()
    bill.phone.mode = "off"
    clinic.world.settle()
    clock.passes(hours=1)
    assert told(bill).state is MessageState.FAILED
    assert len([call for call in bill.phone.history if call.status in ("busy", "no-answer")]) == 3
    assert bill.ticket.kinds == ["UNREACHABLE"]


def test_our_calls_come_from_the_pharmacys_number_and_ring_five_times(clinic, bill):
    assert bill.phone.ringing.sender == OUR_NUMBER
    assert bill.phone.ringing.ring_seconds == 25


def test_receipts_in_any_order_and_twice_change_nothing(clinic, bill):
    sandbox = clinic.sandbox
    sandbox.receipts = type(sandbox.receipts)(delay=0, duplicated=1.0, shuffled=1.0)
    bill.answers("1", "1")
    clinic.world.settle()
    assert told(bill).state is MessageState.DELIVERED
    assert clinic.next_delivery(bill).confirmed_at is not None
    assert told(bill).channel is Channel.VOICE

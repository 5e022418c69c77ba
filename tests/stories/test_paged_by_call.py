"""Staff are paged by a call: one key takes the ticket, the next connects the patient, what came of it is kept."""

import pytest

from notifier.core.states import TicketState
from tests.clinic import OUR_NUMBER


def heard(person) -> str:
    return " ".join(person.phone.heard)


@pytest.fixture
def ivy(clinic, clock):
    """Ivy has a fever, and Nia, who did not answer the text, is called."""
    ivy = clinic.active("Ivy", language="es")
    ivy.texts("FIEBRE")
    clock.passes(minutes=5)
    return ivy


def test_a_page_says_number_urgency_and_team_and_nothing_about_the_patient(clinic, ivy):
    clinic.nia.answers()
    assert f"Ticket {ivy.ticket.number}. URGENT, for the nurse" in heard(clinic.nia)
    assert "To take it, press 1. To pass it on, press 2. To hear it again, press 9." in heard(clinic.nia)
    for word in ("Ivy", "Mockridge", "fiebre", "fever"):
        assert word not in heard(clinic.nia)
    clinic.nia.phone.press("9")
    assert heard(clinic.nia).count("To take it, press 1") == 2


def test_thirty_times_nine_end_a_page_kindly_and_take_nothing(clinic, clock, ivy):
    clinic.nia.answers()
    for _ in range(30):
        if clinic.nia.phone.call:
            clinic.nia.phone.press("9")
    clinic.world.settle()
    assert clinic.nia.phone.call is None
    assert heard(clinic.nia).count("To take it, press 1") == 10
    assert ivy.ticket.state is TicketState.OPEN
    clock.passes(minutes=5)
    assert clinic.bo.is_paged  # and the ladder goes on


def test_one_takes_it_and_one_more_connects_the_patient_who_sees_the_pharmacys_number(clinic, ivy):
    clinic.nia.answers("1")
    assert ivy.ticket.owner == "Nia Nurse"
    assert "To be connected to the person now, press 1" in heard(clinic.nia)
    clinic.nia.phone.press("1")
    assert ivy.phone.ringing.sender == OUR_NUMBER
    ivy.answers()
    assert "Le llama Pharmko" in heard(ivy)
    clinic.nia.phone.says("this is Nia, how hot are you")
    assert ivy.phone.heard[-1] == "“this is Nia, how hot are you”"
    ivy.phone.hangs_up()
    assert "Did you speak with them?" in heard(clinic.nia)
    assert ivy.ticket.contacted_at is None
    clinic.nia.phone.press("1")
    clinic.world.settle()
    assert ivy.ticket.contacted_at is not None
    assert "ticket.contacted" in clinic.verbs(ivy.ticket)


def test_a_patients_machine_is_no_contact(clinic, ivy):
    ivy.phone.mode = "voicemail"
    clinic.nia.answers("1", "1")
    assert "Did you speak with them?" in heard(clinic.nia) or clinic.nia.phone.call
    if "Did you speak" not in heard(clinic.nia):
        clinic.sandbox.phone(ivy.phone.number).hangs_up()
    clinic.nia.phone.press("2")
    clinic.world.settle()
    assert ivy.ticket.contacted_at is None
    assert "ticket.not_reached" in clinic.verbs(ivy.ticket)


def test_a_patient_who_does_not_pick_up_is_logged_as_tried(clinic, ivy):
    clinic.nia.answers("1", "1")
    ivy.phone.waits()
    clinic.world.settle()
    assert "ticket.not_reached" in clinic.verbs(ivy.ticket)
    assert ivy.ticket.state is TicketState.ACKNOWLEDGED


def test_two_passes_it_on_and_the_next_one_is_paged(clinic, ivy):
    before = clinic.bo.calls + len(clinic.bo.pages)
    clinic.nia.answers("2")
    assert "is passed on" in heard(clinic.nia)
    assert clinic.bo.calls + len(clinic.bo.pages) > before
    assert ivy.ticket.state is TicketState.OPEN


def test_who_takes_it_and_hangs_up_has_it_until_it_lapses(clinic, clock, ivy):
    clinic.nia.answers("1")
    clinic.nia.phone.hangs_up()
    clinic.world.settle()
    assert ivy.ticket.owner == "Nia Nurse"
    clock.passes(minutes=15)
    assert ivy.ticket.state is TicketState.OPEN  # nobody has logged a contact


def test_a_call_that_comes_after_somebody_took_it_says_so(clinic, ivy):
    clinic.took_it_just_now(ivy.ticket, "bo")
    clinic.nia.answers()
    assert "is with Bo Backup" in heard(clinic.nia)
    assert "press 1" not in heard(clinic.nia)


def test_a_phone_stops_ringing_for_what_somebody_has(clinic, ivy):
    assert clinic.nia.phone.ringing
    clinic.bo.texts(f"A {ivy.ticket.number}")
    assert not clinic.nia.phone.ringing


def test_a_stranger_who_texted_can_be_called_too(clinic, clock):
    clinic.post_sms(clinic.stranger("+12125550077"), "SM" + "7" * 32, "I have a fever")
    clinic.world.settle()
    clock.passes(minutes=5)
    clinic.nia.answers("1")
    assert "To be connected to the person now" in heard(clinic.nia)  # a stranger's number can be called
    clinic.nia.phone.press("1")
    assert clinic.sandbox.phone("+12125550077").ringing


def test_silence_on_a_page_takes_nothing(clinic, ivy):
    clinic.nia.answers()
    clinic.nia.phone.waits()
    clinic.nia.phone.waits()
    clinic.world.settle()
    assert clinic.nia.phone.call is None
    assert ivy.ticket.state is TicketState.OPEN


def test_one_key_takes_every_ticket_of_the_call_and_nobody_is_connected_by_guess(clinic, clock):
    ivy, bo = clinic.active("Ivy"), clinic.active("Bob")
    ivy.texts("FEVER")
    bo.texts("FEVER")
    clock.passes(minutes=5)
    clinic.nia.answers("1")
    assert ivy.ticket.owner == bo.ticket.owner == "Nia Nurse"
    assert "To be connected" not in heard(clinic.nia)

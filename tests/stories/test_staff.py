"""Those who are paged: what they text back, also when they are patients, leave, or shut their phone."""

from notifier.core.states import TicketState


def test_a_nurse_who_is_a_patient_too_answers_her_own_check_in(clinic, clock):
    """OK to "How are you today?" is about herself; OK to a page takes the ticket; a fever is a fever."""
    herself = clinic.active("Nia", phone=clinic.nia.phone.number)
    clock.until("2026-11-27T10:30-05:00")
    assert "How are you today?" in herself.last
    clinic.nia.texts("OK")
    assert "Great. Text us if that changes." in herself.last
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("OK")
    assert ivy.ticket.owner == "Nia Nurse"
    clinic.nia.texts("i have chills")
    assert herself.ticket.kinds == ["CHILLS"]


def test_somebody_who_left_takes_no_tickets(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.leaves("nia")
    clinic.nia.texts(f"A {ivy.ticket.number}")
    assert ivy.ticket.state is TicketState.OPEN


def test_a_nurse_who_texts_stop_is_missed(clinic):
    """Twilio shuts her phone to pages: others are told before the next page is lost."""
    clinic.nia.texts("STOP")
    assert clinic.cora.is_paged


def test_one_on_a_call_hears_that_it_is_resolved(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=5)
    clinic.nia.phone.answers()
    clinic.bo.texts(f"A {ivy.ticket.number}")
    clinic.handled(ivy.ticket)
    clinic.nia.phone.press("1")
    assert "resolved already" in clinic.nia.phone.heard[-1]


def test_the_same_mild_symptom_told_three_times_goes_one_level_up(clinic, clock):
    ivy = clinic.active("Ivy")
    for _ in range(3):
        clock.passes(hours=1)
        ivy.texts("queasy")
    assert ivy.ticket.urgency == "urgent"

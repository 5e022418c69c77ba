"""What a reply means depends on what was told before, on whose phone it is, and on what came with it."""

import pytest

from notifier.core.states import PlanState
from notifier.core.vocabulary import Role, Urgency
from tests.clinic import OUR_NUMBER


def test_two_mild_symptoms_within_a_day_are_a_red_flag(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("queasy")
    assert ivy.ticket.urgency is Urgency.SAME_DAY
    clock.passes(hours=3)
    ivy.texts("diarrhea 4x")
    assert ivy.ticket.urgency is Urgency.URGENT
    assert ivy.ticket.kinds == ["NAUSEA_VOMITING", "DIARRHEA"]
    assert "A nurse will call you in 15 min" in ivy.last


def test_two_mild_symptoms_in_one_text_are_a_red_flag_and_the_same_one_twice_is_not(clinic, clock):
    ivy, ana = clinic.active("Ivy"), clinic.active("Ana")
    ivy.texts("i have a mild headache and feel queasy")
    assert ivy.ticket.urgency is Urgency.URGENT
    ana.texts("a bit queasy")
    clock.passes(hours=2)
    ana.texts("still queasy")
    assert ana.ticket.urgency is Urgency.SAME_DAY


def test_two_mild_symptoms_two_days_apart_are_not(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("queasy")
    clinic.handled(ivy.ticket)
    clock.passes(hours=25)
    ivy.texts("diarrhea")
    assert ivy.tickets[-1].urgency is Urgency.SAME_DAY


def test_a_picture_without_words_is_a_nurses_to_look_at(clinic):
    ivy = clinic.active("Ivy")
    ivy.phone.texts("", to=OUR_NUMBER, media=("https://example.com/arm.jpg",))
    clinic.world.settle()
    assert (ivy.ticket.kinds, ivy.ticket.role) == (["PHOTO"], Role.NURSE)
    assert "(a picture)" in ivy.ticket.text
    assert clinic.nia.is_paged


def test_a_picture_with_cheerful_words_is_looked_at_too(clinic):
    ivy = clinic.active("Ivy")
    ivy.phone.texts("ok thanks", to=OUR_NUMBER, media=("https://example.com/arm.jpg",))
    clinic.world.settle()
    assert ivy.ticket.role is Role.NURSE


def test_a_patient_in_hospital_hears_no_reminders_and_the_box_is_held(clinic, clock):
    """The answer says that texts and deliveries pause: they do, and the desk that holds the box is told."""
    ivy = clinic.active("Ivy")
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00", Vancomycin_bag=7)
    ivy.texts("admitted last night")
    assert "We will pause your texts and deliveries" in ivy.last
    assert ivy.plan.state is PlanState.PAUSED
    assert {ticket.role for ticket in ivy.tickets} == {Role.NURSE, Role.DELIVERY}
    assert all("The plan is paused" in ticket.text for ticket in ivy.tickets)
    told = len(ivy.inbox)
    for ticket in ivy.tickets:
        clinic.handled(ticket)
    clock.passes(days=8)
    assert len(ivy.inbox) == told


def test_after_a_death_nobody_is_asked_how_they_feel(clinic, clock):
    carla = clinic.active("Carla", caregivers=(clinic.helper("Dana", "+12125554444", "check_in", "delivery"),))
    dana = clinic.stranger("+12125554444")
    dana.texts("she passed away this morning")
    assert "We are so sorry" in dana.last
    assert carla.ticket.role is Role.COORDINATOR
    told = len(carla.inbox), len(dana.inbox)
    clinic.handled(carla.ticket)
    clock.passes(days=8)
    assert (len(carla.inbox), len(dana.inbox)) == told


def test_a_key_pressed_on_eds_call_says_nothing_about_fay(clinic, clock):
    """They share a landline: who was called has answered, not both."""
    ed = clinic.active("Ed", phone="+12125553333", channel="voice")
    ed.answers("1")
    ed.phone.hangs_up()
    clock.passes(minutes=1)
    fay = clinic.active("Fay", phone="+12125553333")
    clinic.delivery(ed, "2026-11-25 10:00", "2026-11-25 12:00")
    ed.answers("1", "2")
    assert ed.ticket.kinds == ["DELIVERY_CHANGE"]
    assert fay.tickets == []


@pytest.mark.parametrize("word", ["NO", "CHANGE"])
def test_no_to_a_visit_reaches_the_coordinator_before_a_nurse_drives_in_vain(clinic, clock, word):
    """Not "Great", and not the delivery desk, which knows nothing of visits."""
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    clinic.teaching(ivy, "2026-11-25 14:00")
    clock.until("2026-11-24T14:30-05:00")
    assert "teaching visit" in ivy.last
    ivy.texts(word)
    assert (ivy.ticket.kinds, ivy.ticket.role) == (["VISIT_CHANGE"], Role.COORDINATOR)
    assert "Great" not in ivy.last


def test_yes_to_a_visit_is_a_yes(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    clinic.teaching(ivy, "2026-11-25 14:00")
    clock.until("2026-11-24T14:30-05:00")
    ivy.texts("YES")
    assert ivy.tickets == []
    assert "You are set" in ivy.last


def test_who_has_opted_out_is_called_and_the_ticket_says_so(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("STOP")
    ivy.texts("FEVER 102")
    nurse = next(ticket for ticket in ivy.tickets if ticket.role is Role.NURSE)
    assert "Opted out of texts: call." in nurse.text

"""What the patient is told, and what follows when nobody keeps it."""

from datetime import timedelta

import pytest

from notifier.core.states import TicketState
from notifier.core.vocabulary import Role, Urgency


@pytest.fixture
def ivy(clinic):
    """A patient in the second week."""
    return clinic.active("Ivy")


def test_she_hears_who_has_it_and_by_when(clinic, ivy):
    ivy.texts("FEVER")
    assert "A nurse will call you in 15 min" in ivy.last
    clinic.nia.texts("A")
    assert "A nurse has your message and will call you by 9:15 AM" in ivy.last


def test_in_spanish_and_by_her_own_clock(clinic):
    ana = clinic.active("Ana", language="es", zone="America/Los_Angeles")
    ana.texts("tengo fiebre")
    clinic.nia.texts("A")
    assert "Una enfermera tiene su mensaje y le va a llamar antes de las 6:15 am" in ana.last


def test_a_roster_without_a_nurse_promises_what_the_supervisor_can_keep(clinic, ivy):
    for nurse in ("nia", "bo"):
        clinic.leaves(nurse)
    ivy.texts("FEVER")
    assert "A nurse will call you in 30 min" in ivy.last
    assert ivy.ticket.promised_by == clinic.now + timedelta(minutes=30)


def test_where_nobody_can_be_woken_no_call_is_promised(clinic, ivy):
    for key in ("nia", "bo", "dee", "phil", "cora", "sue", "last_resort"):
        clinic.leaves(key)
    ivy.texts("FEVER")
    assert "Please call 800-555-0100 now" in ivy.last
    assert "will call you" not in ivy.last


def test_a_broken_promise_escalates_and_is_owned_up_to_once(clinic, clock, ivy):
    ivy.texts("FEVER")
    clock.passes(minutes=14)
    assert ivy.received("We are late") == 0
    assert not clinic.sue.is_paged
    clock.passes(minutes=1)
    assert ivy.received("We are late") == 1
    assert "by 9:30 AM" in ivy.last
    assert clinic.sue.is_paged
    clock.passes(minutes=14)
    assert ivy.received("We are late") == 1


def test_a_late_call_of_somebody_who_has_it_reaches_the_supervisor_too(clinic, clock, ivy):
    ivy.texts("FEVER")
    clock.passes(minutes=8)
    clinic.nia.texts("A")
    clock.passes(minutes=7)
    assert "the promised call is late. Nia Nurse has it" in clinic.sue.last
    assert "the promised call is late" in clinic.nia.last
    assert ivy.received("We are late") == 1


def test_a_call_in_time_keeps_the_promise(clinic, clock, ivy):
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clinic.handled(ivy.ticket)
    told = len(ivy.inbox)
    clock.passes(hours=2)
    assert len(ivy.inbox) == told
    assert not clinic.sue.is_paged


def test_two_calls_without_an_answer_end_with_the_supervisors_decision(clinic, clock):
    """Scenario 19 and 50: the patient is asked, then her daughter, then a person decides about a welfare check."""
    dana = clinic.helper("Dana", "+12125550077", "check_in")
    carla = clinic.active("Carla", caregivers=(dana,), postal_code="10001")
    daughter = clinic.stranger("+12125550077")
    carla.texts("FEVER")
    clinic.nia.texts("A")
    clinic.not_reached(carla.ticket)
    clinic.not_reached(carla.ticket)
    assert carla.received("Our nurse tried to call you") == 1
    clock.passes(minutes=6)
    assert daughter.received("could not reach someone you help") == 1
    assert "Carla" not in daughter.last
    clock.passes(minutes=10)
    fever, welfare = carla.tickets
    assert welfare.kinds == ["WELFARE_CHECK"]
    assert welfare.role is Role.SUPERVISOR
    assert f"#{welfare.number} URGENT" in clinic.sue.last
    assert welfare.text.count("called, no answer") == 2
    assert "Postal code on file: 10001" in welfare.text
    assert clinic.linked(fever) == [welfare.number]
    clinic.sue.texts("A")
    clinic.decided(welfare, "welfare_check_sent")
    assert carla.tickets[1].state is TicketState.RESOLVED
    assert carla.tickets[0].state is not TicketState.RESOLVED


def test_half_an_hour_without_anybody_asks_the_patient_and_then_a_person_decides(clinic, clock, ivy):
    """Scenario 16, to its end."""
    ivy.texts("FEVER")
    clock.passes(minutes=30)
    assert ivy.received("Our nurse tried to call you") == 1
    assert "ticket.breached" in clinic.verbs(ivy.ticket)
    clock.passes(minutes=15)
    assert [ticket.kinds for ticket in ivy.tickets] == [["FEVER"], ["WELFARE_CHECK"]]


def test_who_opted_out_gets_no_text_and_is_watched_over_all_the_same(clinic, clock, ivy):
    ivy.texts("STOP")
    told = len(ivy.inbox)
    ivy.texts("FEVER 102")
    clock.passes(minutes=46)
    assert len(ivy.inbox) == told
    assert [ticket.kinds for ticket in ivy.tickets if ticket.role is Role.SUPERVISOR] == [["WELFARE_CHECK"]]


def test_what_was_promised_for_today_and_did_not_come_is_owned_up_to(clinic, clock, ivy):
    ivy.texts("mild headache")
    assert ivy.ticket.urgency is Urgency.SAME_DAY
    clock.passes(hours=4)
    assert ivy.received("We are late") == 1
    assert clinic.sue.is_paged

"""A nurse clicks "Call through us": her own phone rings, then the patient's, and what came of it is in the ticket."""

import pytest
from sqlalchemy import select

from notifier import access, runtime
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Role
from notifier.models import Message, Staff
from tests.clinic import OUR_NUMBER
from tests.edges.test_console_door import PASSWORD, Visitor


def heard(person) -> str:
    return " ".join(person.phone.heard)


def calls() -> list[Message]:
    with runtime.reading() as session:
        return list(session.scalars(select(Message).where(Message.template == "staff.connect")).all())


@pytest.fixture
def ivy(clinic):
    """Ivy has a fever, and Nia may sign in."""
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=clinic.now)
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    return ivy


@pytest.fixture
def nia(clinic, ivy):
    """Nia looks at Ivy's ticket."""
    visitor = Visitor(clinic).signs_in("nia@example.com")
    visitor.opens(f"/tickets/{ivy.ticket.number}")
    return visitor


def clicks(clinic, nia, ivy) -> None:
    nia.sends(f"/tickets/{ivy.ticket.number}/call")
    clinic.world.settle()


def test_a_click_rings_the_nurse_and_then_the_patient(clinic, ivy, nia):
    assert "Call through us" in nia.text
    clicks(clinic, nia, ivy)
    assert ivy.ticket.owner == "Nia Nurse"
    clinic.nia.answers()
    assert f"Ticket {ivy.ticket.number}. To be connected to the person now, press 1." in heard(clinic.nia)
    assert "Ivy" not in heard(clinic.nia)
    clinic.nia.phone.press("1")
    assert ivy.phone.ringing.sender == OUR_NUMBER
    ivy.answers()
    ivy.phone.hangs_up()
    clinic.nia.phone.press("1")
    clinic.world.settle()
    assert ivy.ticket.contacted_at is not None
    assert {"ticket.calling", "ticket.contacted"} <= set(clinic.verbs(ivy.ticket))


def test_a_double_click_is_one_call(clinic, ivy, nia):
    for _ in range(2):
        clicks(clinic, nia, ivy)
    assert len(calls()) == 1


def test_a_patient_whose_line_is_busy_is_logged_as_tried(clinic, ivy, nia):
    ivy.phone.mode = "busy"
    clicks(clinic, nia, ivy)
    clinic.nia.answers("1")
    assert "ticket.not_reached" in clinic.verbs(ivy.ticket)


def test_a_nurse_who_does_not_pick_up_is_not_rung_again(clinic, clock, ivy, nia):
    clicks(clinic, nia, ivy)
    clinic.nia.phone.waits()
    clinic.world.settle()
    clock.passes(minutes=2)
    assert not clinic.nia.phone.ringing
    assert [call.state for call in calls()] == [MessageState.FAILED]
    assert ivy.ticket.state is TicketState.ACKNOWLEDGED


def test_without_a_phone_of_her_own_there_is_no_button_and_a_refusal_says_what_to_do(clinic, ivy, nia):
    with runtime.transaction() as session:
        staff = session.scalars(select(Staff).where(Staff.key == "nia")).one()
        staff.phone = staff.phone_hash = None
    assert "Call through us" not in nia.opens(f"/tickets/{ivy.ticket.number}").get_data(as_text=True)
    clicks(clinic, nia, ivy)
    assert "We have no phone of yours to ring" in nia.text
    assert not calls()
    assert ivy.ticket.state is TicketState.OPEN

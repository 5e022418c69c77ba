"""A nurse clicks "Call through us": her own phone rings, then the patient's, and what came of it is in the ticket."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier import access, bridging, runtime, tickets
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Role
from notifier.models import Message, Staff, Ticket
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


def test_a_double_click_across_a_minute_is_one_call_and_so_is_one_while_they_talk(clinic, clock, ivy, nia):
    clock.set(clinic.now.replace(second=59))
    clicks(clinic, nia, ivy)
    clock.set(clinic.now + timedelta(seconds=2))
    clicks(clinic, nia, ivy)
    assert len(calls()) == 1
    assert "your phone rings already: take that call" in nia.text
    clinic.nia.answers("1")
    ivy.answers()
    clock.passes(minutes=5)
    clicks(clinic, nia, ivy)
    assert len(calls()) == 1
    assert len(clinic.nia.phone.history) == 1


def test_clicks_at_the_same_instant_in_two_browsers_ring_once(clinic, ivy):
    def click(second: int) -> bool:
        with runtime.transaction() as session:
            ticket = tickets.get(session, ivy.ticket.id)
            staff = session.scalars(select(Staff).where(Staff.key == "nia")).one()
            start.wait(5)
            return bridging.call_through(session, ticket, staff, now=minute + timedelta(seconds=second))

    minute, start = clinic.now.replace(second=59), threading.Barrier(6)
    with ThreadPoolExecutor(6) as browsers:
        rang = list(browsers.map(click, (0, 0, 0, 1, 1, 1)))  # on both sides of a full minute
    assert sorted(rang) == [False] * 5 + [True]
    assert len(calls()) == 1


def test_when_the_call_is_over_she_may_ask_for_another_at_once(clinic, ivy, nia):
    clicks(clinic, nia, ivy)
    clinic.nia.phone.declines()
    clinic.world.settle()
    clicks(clinic, nia, ivy)
    assert len(calls()) == 2
    assert clinic.nia.phone.ringing


def test_a_colleague_may_call_too(clinic, ivy, nia):
    clicks(clinic, nia, ivy)
    with runtime.transaction() as session:
        bo = session.scalars(select(Staff).where(Staff.key == "bo")).one()
        assert bridging.call_through(session, tickets.get(session, ivy.ticket.id), bo, now=clinic.now)


def test_a_resolved_ticket_rings_nobody_and_says_what_to_do(clinic, ivy, nia):
    clinic.handled(ivy.ticket)
    clicks(clinic, nia, ivy)
    assert f"Ticket {ivy.ticket.number} is resolved; open a new one." in nia.text
    assert not calls()


def test_a_caller_without_a_number_cannot_be_called_and_the_page_says_where_to_look(clinic, ivy, nia):
    call = {"CallSid": "CA" + "2" * 32, "From": "anonymous", "To": OUR_NUMBER}
    menu = clinic.post("/twilio/voice", call).text
    address = menu.split('action="')[1].split('"')[0].replace(clinic.world.url, "")
    clinic.post(address, {**call, "Digits": "0"})
    clinic.world.settle()
    with runtime.reading() as session:
        number = session.scalars(select(Ticket.number).where(Ticket.patient_id.is_(None))).one()
    assert "Call through us" not in nia.opens(f"/tickets/{number}").get_data(as_text=True)
    nia.sends(f"/tickets/{number}/call")
    assert "This ticket has no number that can be called: look for another one" in nia.text
    assert not calls()

"""How many calls at once, and calls of whose end nobody tells."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from jobs import tasks
from notifier import call_limit, clock, runtime
from notifier.core.states import MessageState
from notifier.models import Attempt, PhoneCall
from tests.clinic import OUR_NUMBER, Clinic


@pytest.fixture
def two_lines(monkeypatch: pytest.MonkeyPatch, clinic: Clinic) -> Clinic:
    """An account that may make two calls at once."""
    settings = runtime.current().settings
    object.__setattr__(settings, "calls_at_once", 2)
    yield clinic
    object.__setattr__(settings, "calls_at_once", 0)


def test_reminders_leave_a_line_free_for_what_is_urgent(two_lines: Clinic, clock) -> None:
    clinic = two_lines
    people = [clinic.active(name, channel="voice") for name in ("Ann", "Ben", "Cyd")]
    ringing = [person for person in people if person.phone.ringing]
    assert len(ringing) == 1  # the second line is kept
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.set(clinic.now + timedelta(seconds=1))
    with runtime.reading() as session:
        assert call_limit.under_way(session, times()) == 1
        assert call_limit.free(session, 2, urgent=True, real_now=times())
        assert not call_limit.free(session, 2, urgent=False, real_now=times())
        assert call_limit.free(session, 0, urgent=False, real_now=times())
    ringing[0].answers("1")
    ringing[0].phone.hangs_up()
    clinic.world.settle()
    clock.passes(seconds=20)
    waiting = [person for person in people if person.phone.history]
    assert len(waiting) == 2  # the next one is called when the line is free


def times():
    return clock.real()


def test_a_call_whose_end_nobody_tells_keeps_no_line_for_ever(clinic: Clinic) -> None:
    bill = clinic.active("Bill", channel="voice")
    assert bill.phone.ringing
    with runtime.reading() as session:
        assert call_limit.under_way(session, times()) == 1
        assert call_limit.under_way(session, times() + call_limit.LONGEST) == 0


def test_a_call_of_whose_end_nobody_tells_is_asked_about(clinic: Clinic) -> None:
    sandbox = clinic.sandbox
    sandbox.receipts = type(sandbox.receipts)(delay=0, lost=1.0)
    bill = clinic.active("Bill", channel="voice")
    bill.answers("1")
    bill.phone.hangs_up()
    clinic.world.settle()
    assert bill.message("M02").state is MessageState.SENT
    with runtime.transaction() as session:
        session.execute(update(PhoneCall).values(began=times() - timedelta(minutes=6)))
    tasks.look_after_calls()
    assert bill.message("M02").state is MessageState.DELIVERED
    with runtime.reading() as session:
        assert session.scalars(select(PhoneCall)).one().ended_at is not None


def test_a_ring_of_whose_end_nobody_tells_is_asked_about(clinic: Clinic) -> None:
    sandbox = clinic.sandbox
    sandbox.receipts = type(sandbox.receipts)(delay=0, lost=1.0)
    bill = clinic.active("Bill", channel="voice")
    bill.phone.declines()
    clinic.world.settle()
    assert bill.message("M02").state is MessageState.SENT
    with runtime.transaction() as session:
        session.execute(update(Attempt).values(began=times() - timedelta(minutes=6)))
    tasks.reconcile_all()
    assert bill.message("M02").why == "call: busy; trying again"


def test_a_caller_of_whose_end_nobody_tells_is_paged_for(clinic: Clinic) -> None:
    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    ivy.phone.press("0")
    sid = ivy.phone.history[-1].sid
    clinic.world.settle()
    assert not clinic.nia.pages
    clinic.post("/twilio/voice/ended", {"CallSid": sid, "CallStatus": "completed"})
    clinic.post("/twilio/voice/ended", {"CallSid": sid, "CallStatus": "completed"})
    clinic.world.settle()
    assert len(clinic.nia.pages) == 1

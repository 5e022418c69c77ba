"""What must stand before a first dose, and the moment from which it is called missing."""

from datetime import timedelta

from notifier.core import gate
from notifier.core.states import EventState
from notifier.core.vocabulary import EventKind, Storage
from tests.core.test_planning import DELIVERED, DELIVERY, FIRST_DOSE, JOURNEY, TAUGHT, TEACHING, at, event, ivy

DAY_BEFORE = at("2026-11-24 15:00")


def came(**said):
    known = {"state": EventState.DONE, "done_at": at("2026-11-22 11:00"), "booked_at": at("2026-11-20 09:00")}
    return event(EventKind.DELIVERY, "2026-11-22 10:00", "2026-11-22 12:00", **known | said)


def test_what_is_booked_in_time_is_not_missing_until_it_should_be_over():
    booked = ivy(DELIVERY, TEACHING)
    assert gate.missing(booked, FIRST_DOSE, DAY_BEFORE, JOURNEY) == ()
    assert gate.shuts(booked, FIRST_DOSE, DAY_BEFORE, JOURNEY) == at("2026-11-25 12:00")  # the box should be there
    assert gate.missing(booked, FIRST_DOSE, at("2026-11-25 12:00"), JOURNEY) == ("the delivery",)
    assert gate.shuts(ivy(DELIVERED, TEACHING), FIRST_DOSE, DAY_BEFORE, JOURNEY) is None  # taught until the dose


def test_nothing_booked_is_missing_at_once_and_said_by_its_name():
    assert gate.shuts(ivy(), FIRST_DOSE, DAY_BEFORE, JOURNEY) == DAY_BEFORE
    assert gate.missing(ivy(), FIRST_DOSE, DAY_BEFORE, JOURNEY) == ("the delivery", "signed teaching")
    unchecked = ivy(DELIVERED, TAUGHT, verified_at=None)
    assert gate.missing(unchecked, FIRST_DOSE, DAY_BEFORE, JOURNEY) == ("the five checks of the order",)


def test_a_cold_box_needs_the_word_that_it_came_cold():
    silent, cold, warm = came(), came(cold_ok=True, cold_at=at("2026-11-24 16:00")), came(cold_ok=False)
    assert gate.opens(ivy(silent, TAUGHT), FIRST_DOSE, at("2026-11-26 09:00"), JOURNEY) is None
    assert gate.missing(ivy(silent), FIRST_DOSE, DAY_BEFORE, JOURNEY)[0] == "the word that the box came cold"
    assert gate.missing(ivy(warm), FIRST_DOSE, DAY_BEFORE, JOURNEY)[0].startswith("supplies that came cold")
    taught = event(EventKind.EDUCATION, "2026-11-23 14:00", state=EventState.DONE, done_at=at("2026-11-23 15:00"))
    assert gate.opens(ivy(cold, taught), FIRST_DOSE, DAY_BEFORE, JOURNEY) == at("2026-11-24 16:00")
    assert gate.opens(ivy(silent, taught, storage=Storage.ROOM), FIRST_DOSE, DAY_BEFORE, JOURNEY) == DAY_BEFORE


def test_the_word_may_come_for_six_hours_before_it_is_missed():
    box = came(done_at=at("2026-11-25 10:40"))
    assert gate.missing(ivy(box, TAUGHT), FIRST_DOSE, at("2026-11-25 14:30"), JOURNEY) == ()
    late = at("2026-11-25 10:40") + JOURNEY.cold_answer
    assert gate.missing(ivy(box, TAUGHT), FIRST_DOSE, late, JOURNEY) == ("the word that the box came cold",)


def test_a_second_box_stands_in_for_one_that_came_warm():
    again = event(EventKind.DELIVERY, "2026-11-25 08:00", "2026-11-25 10:00", booked_at=at("2026-11-24 09:00"))
    assert gate.missing(ivy(came(cold_ok=False), again, TAUGHT), FIRST_DOSE, at("2026-11-25 09:00"), JOURNEY) == ()


def test_taking_out_of_the_fridge_waits_for_what_is_really_there():
    since = FIRST_DOSE.starts_at - timedelta(hours=6)
    assert gate.opens(ivy(DELIVERY, TAUGHT), FIRST_DOSE, since, JOURNEY) == since
    assert gate.opens(ivy(DELIVERY, TAUGHT), FIRST_DOSE, since, JOURNEY, done_only=True) is None

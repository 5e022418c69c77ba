"""Whether a due message may leave, and what follows when it did not arrive: pure decisions, case by case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.catalog import load
from notifier.core.failures import Failure, Rule, pacific_midnight
from notifier.core.leaving import Drop, Facts, Leave, TooLate, Wait, verdict
from notifier.core.states import PlanState
from notifier.core.vocabulary import Consent

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)  # ten in the morning in New York
FINE = Facts(
    template="M05",
    is_step=True,
    not_after=NOW + timedelta(hours=4),
    quiet="20:00-08:00",
    plan=PlanState.ACTIVE,
    has_contact=True,
    consent=Consent.GIVEN,
    zone="America/New_York",
)


def test_what_is_due_wanted_and_agreed_to_leaves():
    assert verdict(FINE, NOW) == Leave()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"page_is_wanted": False}, "acknowledged"),
        ({"plan": PlanState.PAUSED}, "the plan is paused"),
        ({"plan": PlanState.ENDED}, "the plan is ended"),
        ({"plan": PlanState.DECEASED, "template": "M27"}, "the plan is deceased"),
        ({"active": False}, "this phone is no longer used"),
        ({"consent": Consent.WITHDRAWN}, "consent withdrawn"),
        ({"consent": Consent.UNKNOWN}, "no consent"),
    ],
)
def test_what_is_not_wanted_any_more_is_dropped(changes, why):
    assert verdict(replace(FINE, **changes), NOW) == Drop(why)


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": PlanState.ENDED, "after_end": True},  # one that belongs to the end
        {"plan": PlanState.PAUSED, "is_step": False},  # an answer
        {"consent": Consent.UNKNOWN, "is_step": False},
        {"consent": Consent.WITHDRAWN, "is_step": False, "after_opt_out": True},
        {"has_contact": False, "consent": None},  # to staff
    ],
)
def test_what_may_leave_all_the_same(changes):
    assert verdict(replace(FINE, **changes), NOW) == Leave()


def test_at_night_it_waits_for_the_morning_unless_that_is_too_late_or_the_hour_does_not_matter():
    night = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
    late = replace(FINE, not_after=night + timedelta(hours=12))
    assert verdict(late, night) == Wait(datetime(2026, 11, 25, 13, 0, tzinfo=UTC))
    assert verdict(replace(late, not_after=night + timedelta(hours=2)), night) == TooLate()
    assert verdict(replace(late, any_hour=True), night) == Leave()


def test_after_its_time_it_does_not_leave():
    assert verdict(FINE, FINE.not_after + timedelta(seconds=1)) == TooLate()


def test_each_try_waits_longer_and_what_is_urgent_less():
    rule = Rule(Failure.TRANSIENT, "could not be reached")
    waits = [rule.next_try(tried, NOW, urgent=False) - NOW for tried in (1, 2, 3)]
    assert waits == [timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=45)]
    assert rule.next_try(3, NOW, urgent=True) - NOW == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-11-24T15:00", "2026-11-25T08:00"),  # winter
        ("2026-07-01T06:59", "2026-07-01T07:00"),  # summer
        ("2026-11-01T06:00", "2026-11-01T07:00"),  # the night that the clocks go back
        ("2026-11-01T20:00", "2026-11-02T08:00"),
    ],
)
def test_a_carriers_day_ends_at_midnight_in_los_angeles(now, midnight):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert pacific_midnight(at) == datetime.fromisoformat(midnight).replace(tzinfo=UTC)


def test_an_unknown_code_is_tried_once_more():
    rule = load().failures.of(99999)
    assert (rule.failure, rule.tries) == (Failure.TRANSIENT, 2)


def test_every_meaning_reads_as_a_sentence():
    for rule in load().failures.codes.values():
        assert rule.sentence[0].isupper()
        assert not rule.sentence.endswith(".")

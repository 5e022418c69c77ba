"""By when: the office's hours, its holidays, clocks that change; red flags run day and night."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.business import Calendar, is_calendar
from notifier.core.routing import respond_by
from notifier.core.vocabulary import Role, Urgency

ZONE = "America/Los_Angeles"
OFFICE = Calendar(ZONE, (time(8), time(17)), holidays="US-OR")


def at(text: str) -> datetime:
    """An instant from Portland's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def due(urgency: Urgency, now: str, role: Role = Role.DELIVERY, **given) -> datetime:
    """By when a person must have answered."""
    return respond_by(urgency, at(now), ZONE, "20:00-08:00", calendar=OFFICE, role=role, **given)


@pytest.mark.parametrize("now", ["2026-11-26 03:00", "2026-11-28 23:50", "2027-03-14 01:55"])
def test_a_red_flag_runs_day_and_night_on_every_day(now):
    assert due(Urgency.URGENT, now) == at(now) + timedelta(minutes=15)
    assert due(Urgency.EMERGENCY, now) == at(now) + timedelta(minutes=10)


def test_same_day_work_of_the_office_counts_in_its_hours():
    hour = timedelta(hours=1)
    assert due(Urgency.SAME_DAY, "2026-11-24 09:00", target=hour) == at("2026-11-24 10:00")
    assert due(Urgency.SAME_DAY, "2026-11-24 16:30", target=hour) == at("2026-11-25 08:30")
    assert due(Urgency.SAME_DAY, "2026-11-24 22:00", target=hour) == at("2026-11-25 09:00")


def test_thanksgiving_and_the_weekend_are_no_working_days():
    hour = timedelta(hours=1)
    assert due(Urgency.SAME_DAY, "2026-11-25 16:30", target=hour) == at("2026-11-27 08:30")
    assert due(Urgency.ROUTINE, "2026-11-25 12:00") == at("2026-11-27 17:00")
    assert due(Urgency.ROUTINE, "2026-11-27 12:00") == at("2026-11-30 17:00")


def test_a_nurses_same_day_work_does_not_wait_for_the_office():
    assert due(Urgency.SAME_DAY, "2026-11-28 10:00", Role.NURSE) == at("2026-11-28 14:00")


def test_without_a_calendar_routine_work_is_due_on_the_next_weekday():
    assert respond_by(Urgency.ROUTINE, at("2026-11-25 12:00"), ZONE, "20:00-08:00") == at("2026-11-26 17:00")


def test_calendars_are_countries_and_their_parts():
    assert is_calendar("US")
    assert is_calendar("US-OR")
    assert is_calendar("DE-BY")
    assert not is_calendar("US-XX")
    assert not is_calendar("Oregon")
    assert not is_calendar("")


@given(
    minutes=st.integers(0, 60 * 24 * 400),
    span=st.integers(1, 60 * 20),
    days=st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1),
)
def test_so_much_open_time_has_passed_by_then(minutes, span, days):
    """Counted by the minute, over holidays, weekends and both changes of the clocks."""
    calendar = Calendar(ZONE, (time(8), time(17)), tuple(days), "US")
    now = at("2026-11-01 00:00") + timedelta(minutes=minutes)
    then = calendar.after(now, timedelta(minutes=span))
    local = ZoneInfo(ZONE)
    assert calendar.works(then.astimezone(local).date())
    open_minutes, day = 0, now.astimezone(local).date()
    while day <= then.astimezone(local).date():
        if calendar.works(day):
            opens = max(now, datetime.combine(day, time(8), local).astimezone(UTC))
            closes = min(then, datetime.combine(day, time(17), local).astimezone(UTC))
            open_minutes += max(0, (closes - opens) // timedelta(minutes=1))
        day += timedelta(days=1)
    assert open_minutes == span

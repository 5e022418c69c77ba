"""The calendar's days are the patients' own, counted by either database as Python counts them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, String, bindparam, select
from sqlalchemy.orm import Session

from notifier import queries, runtime
from notifier.core.vocabulary import EventKind
from notifier.db import Instant, connect, local_day
from tests.clinic import Clinic

NIGHTS = [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=37 * step) for step in range(60)]
ZONES = ("America/New_York", "Pacific/Honolulu", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland")


@pytest.fixture(params=["postgresql", "sqlite"])
def engine(request: pytest.FixtureRequest, database_url: str) -> Iterator[Engine]:
    """Each database that we keep."""
    engine = connect(database_url if request.param == "postgresql" else "sqlite://")
    yield engine
    engine.dispose()


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_is_the_patients_own_also_in_the_night_when_clocks_change(engine: Engine, zone: str) -> None:
    with Session(engine) as session:
        for instant in NIGHTS:
            moment, place = bindparam("at", instant, Instant()), bindparam("zone", zone, String())
            told = session.scalar(select(local_day(moment, place)))
            assert told == instant.astimezone(ZoneInfo(zone)).date().isoformat(), instant


def test_a_full_day_shows_its_first_and_counts_all(clinic: Clinic) -> None:
    otis = clinic.active("Otis")
    for hour in (8, 10, 12, 14):
        clinic.delivery(otis, f"2026-12-03 {hour:02}:00", f"2026-12-03 {hour + 1:02}:00", Saline_flush_10_mL=28)
    late = clinic.delivery(otis, "2026-12-04 22:30", "2026-12-04 23:30", Saline_flush_10_mL=28)
    start, end = datetime(2026, 12, 3, tzinfo=UTC), datetime(2026, 12, 6, tzinfo=UTC)
    with runtime.reading() as looking:
        days = queries.event_days(looking, (), [EventKind.DELIVERY], start, end, first=2)
        first = queries.events_with_patients(looking, days[0].ids)
    assert [(day.date, len(day.ids), day.many) for day in days] == [
        (date(2026, 12, 3), 2, 4),
        (date(2026, 12, 4), 1, 1),
    ]
    assert [event.starts_at.astimezone(ZoneInfo(otis.zone)).hour for event in first] == [8, 10]
    assert days[1].ids == (late.id,), "in London it is the next day already"

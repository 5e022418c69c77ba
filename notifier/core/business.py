"""A site's working time: its hours, its days and its public holidays, by its own clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"  # in a rota, the days on which the site's calendar rests
WORKDAYS = DAYS[:5]
CLOSES = time(17)  # where a site names no hours
LONGEST = 400  # days to look ahead: a calendar that never opens is no calendar


def quiet_span(text: str) -> tuple[time, time]:
    """Hours as a text such as "20:00-08:00" as two local times."""
    start, end = text.split("-")
    return time.fromisoformat(start), time.fromisoformat(end)


def within(span: tuple[time, time], moment: time) -> bool:
    """Whether a local time lies in a span that may cross midnight."""
    start, end = span
    return start <= moment < end if start <= end else moment >= start or moment < end


@dataclass(frozen=True)
class Calendar:
    """When a site's office works. `holidays`: a country, or a country and a part of it: "US", "US-OR"; "" for none."""

    zone: str
    hours: tuple[time, time] | None = None  # not given: until 17:00, and same-day work runs on the waking day
    days: tuple[str, ...] = WORKDAYS
    holidays: str = ""

    def works(self, day: date) -> bool:
        """Whether the office is open at some time of this local day."""
        return DAYS[day.weekday()] in self.days and not is_holiday(self.holidays, day)

    def closing(self, now: datetime) -> datetime:
        """The end of the next working day after today."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        day = next(each for each in _days(today + timedelta(days=1)) if self.works(each))
        return self._at(day, self.hours[1] if self.hours else CLOSES, now)

    def after(self, now: datetime, span: timedelta) -> datetime:
        """The instant at which so much open time has passed since `now`; real time, also where clocks change."""
        start, end = self.hours or (time(8), CLOSES)
        for day in _days(now.astimezone(ZoneInfo(self.zone)).date()):
            opens, closes = self._at(day, start, now), self._at(day, end, now)
            if not self.works(day) or closes <= now:
                continue
            begins = max(opens, now)
            if begins + span <= closes:
                return begins + span
            span -= closes - begins
        raise ValueError("a calendar that never opens")

    def _at(self, day: date, at: time, like: datetime) -> datetime:
        return datetime.combine(day, at, ZoneInfo(self.zone)).astimezone(like.tzinfo)


def _days(first: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(LONGEST))


def is_holiday(calendar: str, day: date) -> bool:
    """Whether this is a public holiday where the calendar stands."""
    return bool(calendar) and day in _of(calendar)


def is_calendar(text: str) -> bool:
    """Whether a text such as "US-OR" names a country (and a part of it) whose holidays are known."""
    try:
        return bool(text) and _of(text) is not None
    except (NotImplementedError, KeyError):
        return False


@lru_cache(maxsize=64)
def _of(calendar: str) -> Any:
    country, _, part = calendar.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)

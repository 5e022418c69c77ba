"""Local time: what hour it is for somebody, when their night ends, and which instant a local time is."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from notifier.core.business import quiet_span, within


@lru_cache(maxsize=100_000)
def resolve_local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a local time: the first when it comes twice, the first after it when it is skipped."""
    local = datetime.combine(day, at, zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    before, after = local.replace(fold=1).astimezone(UTC), instant
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def in_quiet_hours(instant: datetime, zone: ZoneInfo, quiet: str) -> bool:
    """Whether it is night there. `quiet`: local, such as "20:00-08:00"."""
    return within(_span(quiet), instant.astimezone(zone).time())


def next_quiet_end(instant: datetime, zone: ZoneInfo, quiet: str) -> datetime:
    """The instant itself by day; in quiet hours the moment they end."""
    local, span = instant.astimezone(zone), _span(quiet)
    if not within(span, local.time()):
        return instant
    return resolve_local(local.date() + timedelta(days=local.time() >= span[1]), span[1], zone)


@lru_cache(maxsize=64)
def _span(quiet: str) -> tuple[time, time]:
    return quiet_span(quiet)

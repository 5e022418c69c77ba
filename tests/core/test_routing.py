"""Whom to wake, and when the next rung is due."""

from datetime import UTC, datetime, timedelta

from notifier.catalog import load
from notifier.core.routing import rung_due
from notifier.core.vocabulary import Urgency

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
LADDER = load().ladders[Urgency.URGENT]


def minutes(rung: int, *, away: float = 0) -> float:
    """Minutes from the start of the climb at which a rung is due, asked when the one before it is climbed."""
    now = NINE + timedelta(minutes=(LADDER[rung - 1].after if rung <= len(LADDER) else 20) + away)
    return (rung_due(LADDER, rung, NINE, Urgency.URGENT, now) - NINE) / timedelta(minutes=1)


def test_rungs_are_due_as_the_ladder_says():
    assert [minutes(rung) for rung in range(1, len(LADDER))] == [rung.after for rung in LADDER[1:]]


def test_past_the_last_rung_it_is_climbed_again_every_five_minutes():
    assert minutes(len(LADDER)) == 25
    assert minutes(len(LADDER) + 40) == 25


def test_after_an_hour_away_the_ladder_goes_on_a_rung_a_minute():
    assert minutes(1, away=60) == 61


def test_an_hour_away_does_not_make_the_last_rung_ring_each_minute():
    assert minutes(len(LADDER) + 1, away=60) == 85


def test_two_rungs_of_the_same_minute_are_climbed_together():
    both = [LADDER[0], LADDER[0]]
    assert rung_due(both, 1, NINE, Urgency.URGENT, NINE) == NINE

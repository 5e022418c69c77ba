"""Who is on call at one moment: patterns, turns, overrides, holidays, clocks that change, and languages."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from notifier.core.gaps import gaps
from notifier.core.oncall import Place, Shift, arrivals, cuts, holders, on_call, speaking_first, stretches
from notifier.core.vocabulary import Role, Rung

NIA, BO, SAM, EVA = (uuid4() for _ in range(4))
NEW_YORK = Place("newyork", "America/New_York")
US = Place("newyork", "America/New_York", "US")


def local(text: str, zone: str = "America/New_York", fold: int = 0) -> datetime:
    """An instant from what a clock on the wall shows."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def nurse(who, **given) -> Shift:
    """A nurse's line of the rota at every site."""
    return Shift(who, given.pop("site", "*"), Role.NURSE, given.pop("rung", 0), **given)


def first(shifts, at: str, place: Place = NEW_YORK) -> list:
    """Who holds the first rung then."""
    return on_call(shifts, Role.NURSE, place, local(at, place.zone)).get(0, [])


def test_the_most_particular_line_rules():
    always, nights = nurse(NIA), nurse(BO, days=("mon",), hours="19:00-07:00")
    cover = nurse(SAM, starts_at=local("2026-11-24 02:00"), ends_at=local("2026-11-24 04:00"), is_override=True)
    rota = [always, nights, cover]
    assert first(rota, "2026-11-23 18:59") == [NIA]
    assert first(rota, "2026-11-23 19:00") == [BO]
    assert first(rota, "2026-11-24 02:30") == [SAM]
    assert first(rota, "2026-11-24 06:59") == [BO]  # the small hours belong to Monday night
    assert first(rota, "2026-11-24 07:00") == [NIA]
    assert first(rota, "2026-11-25 06:00") == [NIA]


def turns(*people, start: str = "2026-11-02 07:00", days: int = 7) -> list[Shift]:
    """People who follow each other."""
    return [
        nurse(who, starts_at=local(start), turn=n, turns=len(people), turn_days=days) for n, who in enumerate(people)
    ]


def test_nurses_take_weekly_turns_and_change_at_seven_on_monday():
    rota = turns(NIA, BO, SAM)
    assert first(rota, "2026-11-02 06:59") == []
    assert first(rota, "2026-11-08 23:00") == [NIA]
    assert first(rota, "2026-11-09 06:59") == [NIA]
    assert first(rota, "2026-11-09 07:00") == [BO]
    assert first(rota, "2026-11-16 07:00") == [SAM]
    assert first(rota, "2026-11-23 07:00") == [NIA]


def test_turns_change_at_the_same_local_time_when_the_clocks_change():
    rota = turns(NIA, BO, start="2027-03-08 07:00")  # the clocks go forward on the 14th
    assert first(rota, "2027-03-15 06:59") == [NIA]
    assert first(rota, "2027-03-15 07:00") == [BO]
    back = turns(NIA, BO, start="2027-11-01 07:00")  # and back on November 7th
    assert first(back, "2027-11-08 06:59") == [NIA]
    assert first(back, "2027-11-08 07:00") == [BO]


def test_a_night_over_the_change_of_clocks_has_no_hole():
    rota = [nurse(NIA, hours="07:00-19:00"), nurse(BO, hours="19:00-07:00")]
    for day in ("2027-03-13", "2027-11-06"):
        moment, end = local(f"{day} 12:00"), local(f"{day} 12:00") + timedelta(days=2)
        while moment < end:
            assert on_call(rota, Role.NURSE, NEW_YORK, moment)[0], moment
            moment += timedelta(minutes=10)


def test_on_a_public_holiday_the_holiday_line_rules():
    rota = [nurse(NIA), nurse(BO, days=("thu",)), nurse(EVA, days=("holiday",))]
    assert first(rota, "2026-11-26 12:00", US) == [EVA]  # Thanksgiving is a Thursday
    assert first(rota, "2026-11-19 12:00", US) == [BO]
    assert first(rota, "2026-11-26 12:00") == [BO]  # a site without a calendar knows no holidays


def test_a_pool_holds_a_rung_together():
    assert first([nurse(NIA), nurse(BO)], "2026-11-23 12:00") == [NIA, BO]
    assert first([nurse(NIA), nurse(BO, site="newyork")], "2026-11-23 12:00") == [BO]  # the site's own line rules
    assert first([nurse(NIA), nurse(BO, site="tampa")], "2026-11-23 12:00") == [NIA]


# --- languages ------------------------------------------------------------------------------------------------------


def test_who_speaks_the_patients_language_is_asked_first_and_nobody_is_lost():
    team = speaking_first({0: [NIA], 1: [BO]}, lambda person: person == BO)
    assert holders(Rung.PRIMARY, team) == [BO]
    assert holders(Rung.BACKUP, team) == [NIA]
    pool = speaking_first({0: [NIA, BO], 1: [SAM]}, lambda person: person == BO)
    assert holders(Rung.PRIMARY, pool) == [BO]
    assert holders(Rung.BACKUP, pool) == [NIA, SAM]


def test_without_such_a_nurse_the_rota_stands():
    team = {0: [NIA], 1: [BO]}
    assert speaking_first(team, lambda person: False) == team
    assert speaking_first(team, lambda person: True) == team


people = st.sampled_from([NIA, BO, SAM, EVA])
teams = st.dictionaries(st.integers(0, 3), st.lists(people, max_size=3, unique=True), max_size=4)


@given(team=teams, speakers=st.sets(people))
def test_no_order_of_languages_loses_anybody(team, speakers):
    ordered = speaking_first(team, lambda person: person in speakers)
    assert {p for held in ordered.values() for p in held} == {p for held in team.values() for p in held}
    near = {p for level in sorted(team)[:2] for p in team[level]}
    assert near <= {*holders(Rung.PRIMARY, ordered), *holders(Rung.BACKUP, ordered)}


# --- through time ---------------------------------------------------------------------------------------------------

hours = st.tuples(st.integers(0, 23), st.integers(0, 23)).map(lambda pair: f"{pair[0]:02}:30-{pair[1]:02}:00")
lines = st.builds(
    lambda who, days, hours, rung: nurse(who, days=tuple(days), hours=hours, rung=rung),
    people,
    st.lists(st.sampled_from(["mon", "sat", "sun", "holiday"]), max_size=3, unique=True),
    st.none() | hours,
    st.integers(0, 1),
)
rotas = st.lists(lines, max_size=4).flatmap(
    lambda found: st.booleans().map(lambda rotate: found + (turns(NIA, BO, start="2027-03-08 02:30") if rotate else []))
)


@given(rota=rotas, minutes=st.integers(0, 60 * 24 * 9))
def test_between_two_cuts_nobody_comes_or_goes(rota, minutes):
    """Over the week in which the clocks change: a piece of the week is what any moment in it says."""
    start = local("2027-03-07 00:00")
    moment = start + timedelta(minutes=minutes)
    for rung in (0, 1):
        pieces = stretches(rota, Role.NURSE, rung, US, start, start + timedelta(days=10))
        piece = next(each for each in pieces if each.start <= moment < each.end)
        assert list(piece.who) == on_call(rota, Role.NURSE, US, moment).get(rung, [])


def test_the_cuts_of_a_month_are_few():
    rota = [*turns(NIA, BO), nurse(SAM, hours="19:00-07:00", rung=1)]
    start = local("2026-11-20 00:00")
    assert len(cuts(rota, "America/New_York", start, start + timedelta(days=30))) < 150


def test_who_comes_on_call_is_told_once_at_the_hour():
    rota = [nurse(NIA, hours="07:00-19:00"), nurse(BO, hours="19:00-07:00"), nurse(SAM, rung=1)]
    came = list(arrivals(rota, Role.NURSE, NEW_YORK, local("2026-11-23 18:30"), local("2026-11-24 07:30")))
    assert [(each.who, each.at) for each in came] == [
        (BO, local("2026-11-23 19:00")),
        (NIA, local("2026-11-24 07:00")),
    ]


# --- gaps -----------------------------------------------------------------------------------------------------------


def found(shifts, *, rings=lambda person: True, anybody=lambda role: True, days=7):
    """The gaps of a week in November."""
    start = local("2026-11-23 00:00")
    return gaps(shifts, [Role.NURSE], NEW_YORK, start, start + timedelta(days=days), rings=rings, anybody=anybody)


def test_a_rota_that_is_always_held_has_no_gap():
    assert found([nurse(NIA), nurse(BO, rung=1)]) == []


def test_a_hole_in_the_night_is_found_with_its_hours():
    hole = found([nurse(NIA, hours="07:00-19:00")], days=2)
    assert [(gap.start, gap.end) for gap in hole] == [
        (local("2026-11-23 00:00"), local("2026-11-23 07:00")),
        (local("2026-11-23 19:00"), local("2026-11-24 07:00")),
        (local("2026-11-24 19:00"), local("2026-11-25 00:00")),
    ]
    assert not any(gap.held for gap in hole)


def test_somebody_without_a_phone_is_a_hole_too():
    hole = found([nurse(NIA), nurse(BO, rung=1)], rings=lambda person: person != NIA)
    assert [(gap.rung, gap.held) for gap in hole] == [(0, True)]


def test_a_role_without_a_rota_is_a_gap_only_if_nobody_has_it():
    assert found([]) == []
    assert len(found([], anybody=lambda role: False)) == 1


def test_a_backup_rung_that_ends_is_found_before_it_does():
    hole = found([nurse(NIA), nurse(BO, rung=1, ends_at=local("2026-11-25 12:00"))])
    assert [(gap.rung, gap.start) for gap in hole] == [(1, local("2026-11-25 12:00"))]

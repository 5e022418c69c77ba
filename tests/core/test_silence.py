"""What follows when a question stays without an answer, and when a member of staff is told."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

from notifier.core.journey import Draft
from notifier.core.moments import event_question
from notifier.core.planning import lay_out, plan
from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import Channel, EventKind, Line, Prompt, Role, Storage, Therapy, Topic, Urgency
from tests.core.test_planning import (
    DANA,
    DELIVERED,
    FIRST_DOSE,
    IVY,
    JOURNEY,
    MONDAY,
    NEW_YORK,
    TAUGHT,
    at,
    event,
    person,
    told,
)
from tests.core.test_planning import ivy as anyone

BEGAN = at("2026-11-11 10:00")
GIVEN = event(EventKind.FIRST_DOSE, "2026-11-11 10:00", state=EventState.DONE, done_at=at("2026-11-11 11:00"))
WEDNESDAY = at("2026-11-25 09:00")  # day 14: the weekly check-in is due at ten


def ivy(*events, **said):
    known = {"first_dose_at": BEGAN, "ends_on": date(2026, 12, 20), "state": PlanState.ACTIVE}
    return anyone(GIVEN, *events, **known | said)


def rungs(drafts) -> list[str]:
    return told([draft for draft in drafts if ".silence" in draft.step])


def alarms(facts, now=WEDNESDAY) -> list[str]:
    found = lay_out(facts, JOURNEY, now).watches
    return [f"{each.kind} {each.role} {each.urgency} {each.due_at.astimezone(NEW_YORK):%a %d %H:%M}" for each in found]


def the_check_in(drafts) -> Draft:
    return next(draft for draft in drafts if draft.step == "check_in")


def test_a_check_in_is_asked_again_called_and_then_a_coordinators():
    helped = (person(may_call=True), person(DANA, is_patient=False, topics=frozenset({Topic.CHECK_IN})))
    facts = ivy(recipients=helped)
    assert rungs(plan(facts, JOURNEY, WEDNESDAY)) == [
        *("check_in.again Wed 14:00", "M14 Thu 08:00", "check_in.helper Thu 08:00"),
    ]
    by_call = [draft for draft in plan(facts, JOURNEY, WEDNESDAY) if draft.channel is Channel.VOICE]
    assert [draft.step for draft in by_call] == ["check_in.silence2"]
    assert "NO_ANSWER coordinator same_day Thu 26 10:00" in alarms(facts)


def test_an_answer_stops_the_ladder():
    question = the_check_in(plan(ivy(), JOURNEY, WEDNESDAY)).question
    answered = ivy(asked=frozenset({question}), answered=frozenset({question}))
    noon = at("2026-11-25 12:00")
    assert rungs(plan(answered, JOURNEY, noon)) == []
    assert not any("NO_ANSWER" in said for said in alarms(answered, noon))


def test_what_was_never_asked_is_never_asked_again():
    noon = at("2026-11-25 12:00")
    assert rungs(plan(ivy(), JOURNEY, noon)) == []
    question = the_check_in(plan(ivy(), JOURNEY, WEDNESDAY)).question
    assert rungs(plan(ivy(asked=frozenset({question})), JOURNEY, noon)) == ["check_in.again Wed 14:00"]


def test_a_risky_therapy_waits_hours_and_not_a_day():
    facts = ivy(therapy=Therapy.PAIN)
    assert "NO_ANSWER nurse same_day Wed 25 16:00" in alarms(facts)
    assert JOURNEY.profile(Therapy.OTHER).silence == JOURNEY.profile(Therapy.INOTROPE).silence == "high_risk"


def test_four_hours_of_silence_after_a_first_dose_are_a_nurses_that_evening():
    dose = event(EventKind.FIRST_DOSE, "2026-11-25 15:00", state=EventState.DONE, done_at=at("2026-11-25 16:00"))
    facts = anyone(DELIVERED, TAUGHT, dose)
    assert "NO_ANSWER nurse urgent Wed 25 22:00" in alarms(facts, at("2026-11-25 16:00"))


def test_a_cold_box_without_an_answer_is_a_coordinators_call_in_the_afternoon():
    box = event(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00", state=EventState.DONE)
    box = type(box)(**vars(box) | {"done_at": at("2026-11-25 11:00")})
    now = at("2026-11-25 11:00")
    assert "NO_ANSWER coordinator same_day Wed 25 17:00" in alarms(ivy(box), now)
    assert not any("Wed 25 17:00" in said for said in alarms(ivy(box, storage=Storage.ROOM), now))
    said = frozenset({event_question(box, Prompt.DELIVERED_CHECK)})
    assert not any("Wed 25 17:00" in said for said in alarms(ivy(box, answered=said, asked=said), now))


def test_a_gate_that_stays_shut_is_told_twice_to_the_right_people():
    assert alarms(anyone(FIRST_DOSE), MONDAY)[:2] == [
        *("FIRST_DOSE_NOT_READY coordinator same_day Tue 24 15:00", "FIRST_DOSE_NOT_READY nurse urgent Wed 25 11:00"),
    ]
    assert not any("NOT_READY" in said for said in alarms(anyone(DELIVERED, TAUGHT, FIRST_DOSE), MONDAY))


def test_the_end_of_a_therapy_asks_for_a_plan_for_the_line():
    near = at("2026-12-12 12:00")
    assert "LINE_PLAN_MISSING coordinator same_day Sun 13 09:00" in alarms(ivy(), near)
    visit = event(EventKind.LAST_VISIT, "2026-12-21 10:00")
    assert not any("LINE_PLAN" in said for said in alarms(ivy(visit), near))
    assert not any("LINE_PLAN" in said for said in alarms(ivy(line=Line.SUBCUTANEOUS), near))


def test_a_paused_plan_is_looked_at_every_two_days():
    paused = ivy(state=PlanState.PAUSED, paused_at=MONDAY)
    assert alarms(paused, MONDAY) == [
        "PAUSED_STILL coordinator same_day Wed 25 12:00",
        "PAUSED_STILL coordinator same_day Fri 27 12:00",
    ]
    assert plan(paused, JOURNEY, MONDAY) == []


def test_what_matters_and_night_outlasts_is_said_by_a_person():
    dawn = event(
        *(EventKind.DELIVERY, "2026-11-24 06:00", "2026-11-24 07:00"),
        booked_at=at("2026-11-23 21:30"),
    )
    late = at("2026-11-23 21:30")
    found = lay_out(anyone(dawn), JOURNEY, late)
    assert "M04" in [draft.template for draft in found.left_out]
    assert any(each.kind == "NOT_TOLD" and each.role is Role.COORDINATOR for each in found.watches)


def test_the_cover_that_ends_before_the_therapy_is_billings():
    facts = ivy(cover_ends_on=date(2026, 12, 10))
    assert "COVER_ENDS billing same_day Thu 26 09:00" in alarms(facts)
    assert [said for said in told(plan(facts, JOURNEY, WEDNESDAY)) if "M23" in said] == [
        "M23 Thu 10:00",
        "M23 Thu 10:00",
    ]
    assert not any("COVER" in said for said in alarms(ivy(cover_ends_on=date(2026, 12, 20))))


def test_doses_that_run_out_are_asked_for_and_called_about():
    facts = ivy(run_out_at=at("2026-12-05 10:00"))
    said = told(plan(facts, JOURNEY, WEDNESDAY))
    assert "M18 Sat 11:00" in said  # a week before
    assert "M19 Thu 10:00" in said
    assert "RUNNING_OUT pharmacist same_day Thu 03 10:00" in alarms(facts)
    coming = event(EventKind.DELIVERY, "2026-12-04 10:00", "2026-12-04 12:00")
    assert not any("RUNNING_OUT" in said for said in alarms(ivy(coming, run_out_at=at("2026-12-05 10:00"))))


def test_what_is_spare_is_left_out_when_the_week_has_had_enough():
    heard = tuple((f"k{day}", IVY, at(f"2026-11-{day} 10:00"), "check_in") for day in (20, 22, 23))
    found = lay_out(ivy(history=heard), JOURNEY, WEDNESDAY)
    dropped = {draft.step: draft.left_out for draft in found.left_out}
    assert dropped["supply.count"] == "3 care texts this week already"
    assert "check_in" in {draft.step for draft in found.messages}  # asks how she is: never spare


def test_two_patients_on_one_phone_are_told_apart_and_five_minutes_apart():
    ed, fay = (ivy(recipients=(person(place=place),)) for place in (1, 2))
    first, second = (the_check_in(plan(facts, JOURNEY, WEDNESDAY)) for facts in (ed, fay))
    assert second.due_at - first.due_at == timedelta(minutes=5)
    assert (first.values["place"], second.values["place"]) == ("1", "2")


def test_a_running_device_is_looked_at_three_times_a_day_while_it_runs():
    runs = event(EventKind.FIRST_DOSE, "2026-11-25 15:00", "2026-11-27 13:00")
    hal = anyone(DELIVERED, TAUGHT, runs, therapy=Therapy.CHEMOTHERAPY, ends_on=date(2026, 12, 1))
    checks = [said for said in told(plan(hal, JOURNEY, at("2026-11-25 15:00"))) if said.startswith("M20")]
    assert checks == ["M20 Wed 19:00", "M20 Thu 09:00", "M20 Thu 14:00", "M20 Thu 19:00", "M20 Fri 09:00"]


def test_what_is_kept_cold_is_taken_out_in_time_for_the_chosen_hour():
    chicago = ZoneInfo("America/Chicago")
    carla = ivy(
        therapy=Therapy.TPN,
        zone=chicago,
        recipients=(person(zone=chicago),),
        reminders=(time(20),),
        first_dose_at=at("2027-03-01 20:00", chicago),
        ends_on=date(2027, 6, 1),
    )
    drafts = [draft for draft in plan(carla, JOURNEY, at("2027-03-12 12:00", chicago)) if draft.template == "M11"]
    assert [f"{draft.due_at.astimezone(chicago):%d %H:%M %Z}" for draft in drafts[:3]] == [
        *("12 17:00 CST", "13 17:00 CST", "14 17:00 CDT"),
    ]


def test_a_move_to_another_zone_never_shifts_a_dose():
    chicago, pacific = ZoneInfo("America/Chicago"), ZoneInfo("America/Los_Angeles")
    away = ivy(zone=pacific, reminders_zone=chicago, reminders=(time(20),), recipients=(person(zone=pacific),))
    drafts = plan(away, JOURNEY, WEDNESDAY)
    reminder = next(draft for draft in drafts if draft.template == "M15")
    assert reminder.due_at == at("2026-11-25 20:00", chicago)
    assert reminder.values["time"] == "6 PM"
    assert the_check_in(drafts).due_at == at("2026-11-25 10:00", pacific)


def test_once_in_four_weeks_a_check_in_says_how_to_end_the_texts():
    drafts = plan(ivy(ends_on=date(2027, 2, 1)), JOURNEY, WEDNESDAY, timedelta(days=60))
    check_ins = [draft for draft in drafts if draft.step == "check_in"]
    says = [draft.due_at.astimezone(NEW_YORK).day for draft in check_ins if draft.values.get("words") == "M14.stop"]
    assert says == [9, 6]  # 28 and 56 days after the first dose


def test_urgency_of_what_staff_are_told_is_never_none():
    assert all(step.urgency is not Urgency.NONE for step in JOURNEY.watches)

"""When a patient hears from us: the journey of a therapy as its drafts."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier import catalog
from notifier.core.journey import Draft, EventFacts, PlanFacts, Recipient
from notifier.core.moments import event_question
from notifier.core.planning import (
    fallback,
    in_quiet_hours,
    journey_state,
    next_quiet_end,
    plan,
    resolve_local,
    unwanted_because,
    welcome,
)
from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import Channel, EventKind, Prompt, Storage, Therapy, Topic

NEW_YORK, PHOENIX, LOS_ANGELES = (ZoneInfo(f"America/{city}") for city in ("New_York", "Phoenix", "Los_Angeles"))
JOURNEY = catalog.load().journeys
IVY, DANA = UUID(int=1), UUID(int=2)
QUIET = "20:00-08:00"


def at(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    """A local time, such as "2026-11-23 09:00" (a Monday), as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def person(contact_id: UUID = IVY, zone: ZoneInfo = NEW_YORK, **said) -> Recipient:
    return Recipient(contact_id, **{"language": "en", "channel": Channel.SMS, "zone": zone, "consented": True} | said)


def event(kind: EventKind, starts: str, ends: str | None = None, zone: ZoneInfo = NEW_YORK, **said) -> EventFacts:
    known = {"id": UUID(int=100 + list(EventKind).index(kind)), "booked_at": at("2026-11-23 12:00")}
    return EventFacts(kind=kind, starts_at=at(starts, zone), ends_at=at(ends, zone) if ends else None, **known | said)


DELIVERY = event(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00")
TEACHING = event(EventKind.EDUCATION, "2026-11-25 14:00")
FIRST_DOSE = event(EventKind.FIRST_DOSE, "2026-11-25 15:00")
DELIVERED = event(
    *(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00"),
    state=EventState.DONE,
    done_at=at("2026-11-25 10:40"),
    cold_ok=True,
    cold_at=at("2026-11-25 11:20"),
)
TAUGHT = event(EventKind.EDUCATION, "2026-11-25 14:00", state=EventState.DONE, done_at=at("2026-11-25 14:30"))


def ivy(*events: EventFacts, **said) -> PlanFacts:
    """Ivy in New York: an antibiotic from Wednesday 2026-11-25, 15:00, for two weeks."""
    known = {
        "id": UUID(int=9),
        "state": PlanState.VERIFIED,
        "therapy": Therapy.IV_ANTIBIOTIC,
        "storage": Storage.REFRIGERATED,
        "first_dose_at": at("2026-11-25 15:00"),
        "ends_on": date(2026, 12, 9),
        "zone": NEW_YORK,
        "recipients": (person(),),
        "verified_at": at("2026-11-23 11:00"),
    }
    return PlanFacts(**known | {"events": events} | said)


def told(drafts: list[Draft], zone: ZoneInfo = NEW_YORK) -> list[str]:
    """The drafts as "M05 Tue 10:00", in their order."""
    return [f"{draft.template} {draft.due_at.astimezone(zone):%a %H:%M}" for draft in drafts]


def of(step: str, drafts: list[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft.step == step]


MONDAY = at("2026-11-23 12:00")

# --- the happy path -----------------------------------------------------------------------------------------------


def test_ivys_journey_from_the_order_to_the_first_week():
    drafts = plan(ivy(DELIVERY, TEACHING, FIRST_DOSE), JOURNEY, MONDAY)
    assert told(drafts)[:5] == ["M02 Mon 11:00", "M04 Mon 12:00", "M05 Tue 10:00", "M09 Tue 14:00", "M10 Tue 15:00"]
    drafts = plan(ivy(DELIVERED, TAUGHT, FIRST_DOSE), JOURNEY, at("2026-11-25 10:40"))
    week = [draft for draft in drafts if at("2026-11-25 11:00") < draft.due_at < at("2026-12-03 00:00")]
    assert told([draft for draft in week if "silence" not in draft.step]) == [
        *("M07 Wed 11:10", "M08 Wed 13:40", "M12 Wed 14:00"),
        *("M13 Wed 18:00", "M13 Thu 10:00", "M14 Sat 10:00", "M16 Tue 10:00", "M14 Wed 10:00", "M25 Wed 10:00"),
    ]


def test_the_day_one_check_in_goes_where_nobody_asked_after_the_first_dose():
    drafts = plan(ivy(), JOURNEY, MONDAY)
    assert [f"{draft.due_at.astimezone(NEW_YORK):%d %H:%M}" for draft in of("check_in", drafts)] == [
        *("26 10:00", "28 10:00", "02 10:00")
    ]


def test_check_ins_become_weekly_and_end_with_the_therapy():
    facts = ivy(ends_on=date(2026, 12, 20))
    drafts = of("check_in", plan(facts, JOURNEY, MONDAY, horizon=timedelta(days=60)))
    assert [draft.due_at.astimezone(NEW_YORK).day for draft in drafts] == [26, 28, 2, 9, 16]
    assert all(draft.prompt is Prompt.CHECK_IN and draft.matters for draft in drafts)
    assert drafts[0].not_after == at("2026-11-26 20:00")


def test_what_repeats_is_planned_two_weeks_ahead():
    far = ivy(ends_on=date(2027, 12, 1))
    assert max(draft.due_at for draft in plan(far, JOURNEY, MONDAY)) <= MONDAY + timedelta(days=14)


def test_keys_say_why():
    keys = {draft.step: draft.key for draft in plan(ivy(DELIVERY), JOURNEY, MONDAY)}
    assert keys["delivery.set"] == f"event:{DELIVERY.id}:2026-11-25T15:00:00+00:00:delivery.set:{IVY}"
    assert keys["order.verified"] == f"plan:{UUID(int=9)}:order.verified:2026-11-23:{IVY}"


def test_messages_say_the_day_and_the_hour_in_the_readers_language():
    ana = person(language="es")
    (draft,) = of("delivery.set", plan(ivy(DELIVERY, recipients=(ana,)), JOURNEY, MONDAY))
    assert draft.values["day"] == "miércoles 25 nov"
    assert (draft.values["from"], draft.values["to"]) == ("10 am", "12 pm")


# --- who stays silent, and when -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [PlanState.RECEIVED, PlanState.PAUSED, PlanState.ENDED, PlanState.DECEASED])
def test_a_plan_that_is_not_under_way_says_nothing(state):
    assert plan(ivy(DELIVERY, TEACHING, FIRST_DOSE, state=state), JOURNEY, MONDAY) == []


def test_nothing_is_said_before_the_order_is_verified():
    assert plan(ivy(DELIVERY, verified_at=None), JOURNEY, MONDAY) == []


def test_a_delivery_booked_before_the_order_was_verified_is_announced_then():
    early = event(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00", booked_at=at("2026-11-22 09:00"))
    (draft,) = of("delivery.set", plan(ivy(early), JOURNEY, MONDAY))
    assert draft.due_at == at("2026-11-23 11:00")


def test_without_consent_on_the_channel_nothing_is_planned():
    assert plan(ivy(DELIVERY, recipients=(person(consented=False),)), JOURNEY, MONDAY) == []


def test_the_last_words_still_go_out_when_the_plan_has_ended():
    last = event(EventKind.LAST_VISIT, "2026-11-24 09:00", state=EventState.DONE, done_at=at("2026-11-24 09:30"))
    drafts = plan(ivy(DELIVERY, last, state=PlanState.ENDED), JOURNEY, MONDAY)
    assert told(drafts) == ["M26 Thu 10:00"]
    assert plan(ivy(DELIVERY, last, state=PlanState.DECEASED), JOURNEY, MONDAY) == []


def test_a_cancelled_delivery_is_not_spoken_of():
    gone = event(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00", state=EventState.CANCELLED)
    drafts = plan(ivy(gone), JOURNEY, MONDAY)
    assert not [draft for draft in drafts if draft.event_id]


# --- the first dose -----------------------------------------------------------------------------------------------


def first_dose_messages(*events: EventFacts, now: datetime = MONDAY) -> list[str]:
    drafts = plan(ivy(*events, FIRST_DOSE), JOURNEY, now)
    return told([draft for draft in drafts if draft.step.startswith("first_dose")])


def test_without_a_delivery_or_a_teaching_visit_the_first_dose_is_not_spoken_of():
    assert first_dose_messages() == []
    assert first_dose_messages(DELIVERED) == []
    assert first_dose_messages(TAUGHT) == []


def test_a_teaching_visit_that_should_have_been_signed_by_then_holds_the_ready_check():
    missed = event(EventKind.EDUCATION, "2026-11-24 09:00")  # the ready check is due at 15:00 that day
    assert first_dose_messages(DELIVERED, missed) == []


def test_teaching_after_the_first_dose_is_too_late():
    late = event(EventKind.EDUCATION, "2026-11-25 16:00")
    assert first_dose_messages(DELIVERED, late) == []


def test_the_held_ready_check_goes_when_the_teaching_is_signed():
    late = event(EventKind.EDUCATION, "2026-11-24 09:00", state=EventState.DONE, done_at=at("2026-11-25 09:20"))
    done = [DELIVERED, late]
    assert first_dose_messages(*done)[0] == "M10 Wed 09:20"
    assert "M12 Wed 14:00" in first_dose_messages(*done)


def test_one_hour_before_is_never_said_later():
    assert not [said for said in first_dose_messages(DELIVERED, TAUGHT) if said.startswith("M12 Wed 14:3")]
    late = event(EventKind.EDUCATION, "2026-11-25 12:00", state=EventState.DONE, done_at=at("2026-11-25 14:30"))
    assert [said for said in first_dose_messages(DELIVERED, late) if said.startswith("M12")] == []


def test_a_box_that_came_warm_holds_the_first_dose():
    warm = event(
        *(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00"),
        state=EventState.DONE,
        done_at=at("2026-11-25 10:40"),
        cold_ok=False,
    )
    assert first_dose_messages(warm, TAUGHT) == []


def test_after_an_evening_dose_the_morning_asks_once():
    evening = event(EventKind.FIRST_DOSE, "2026-11-25 18:30", "2026-11-25 19:30")
    drafts = plan(ivy(DELIVERED, TAUGHT, evening), JOURNEY, MONDAY)
    assert told([draft for draft in drafts if draft.template == "M13"]) == ["M13 Thu 10:00"]


def test_the_check_after_the_dose_counts_from_when_it_really_ended():
    done = event(EventKind.FIRST_DOSE, "2026-11-25 15:00", state=EventState.DONE, done_at=at("2026-11-25 15:40"))
    assert told(of("first_dose.after", plan(ivy(DELIVERED, TAUGHT, done), JOURNEY, MONDAY))) == ["M13 Wed 17:40"]


# --- answers, helpers, other ways ---------------------------------------------------------------------------------


def test_an_answered_delivery_check_is_not_asked_again():
    question = event_question(DELIVERED, Prompt.DELIVERED_CHECK)
    facts = ivy(DELIVERED, answered=frozenset({question}))
    steps = {draft.step for draft in plan(facts, JOURNEY, at("2026-11-25 11:30"))}
    assert not steps & {"delivery.arrived", "delivery.no_answer"}


def test_a_helper_hears_what_she_asked_for_in_her_language():
    dana = person(DANA, language="es", is_patient=False, topics=frozenset({Topic.DELIVERY}))
    drafts = plan(ivy(DELIVERY, TEACHING, recipients=(person(), dana)), JOURNEY, MONDAY)
    hers = [draft for draft in drafts if draft.contact_id == DANA]
    assert [(draft.template, draft.language) for draft in hers] == [("M04", "es"), ("M05", "es")]


def test_the_consent_text_waits_for_the_morning():
    assert welcome(person(), at("2026-11-23 09:00"), JOURNEY, QUIET).due_at == at("2026-11-23 09:00")
    evening = welcome(person(), at("2026-11-23 21:30"), JOURNEY, QUIET)
    assert (evening.due_at, evening.template) == (at("2026-11-24 08:00"), "M01")
    assert evening.not_after == at("2026-11-27 08:00")
    assert welcome(person(consented=False), MONDAY, JOURNEY, QUIET) is None


def test_a_text_that_matters_and_failed_becomes_a_call_by_day():
    (draft,) = of("delivery.set", plan(ivy(DELIVERY), JOURNEY, MONDAY))
    message_id, how = uuid4(), {"zone": NEW_YORK, "quiet": QUIET}
    call = fallback(draft, message_id, may_call=True, now=at("2026-11-23 22:00"), **how)
    assert (call.channel, call.due_at) == (Channel.VOICE, at("2026-11-24 08:00"))
    assert call.key == f"fallback:{message_id}"
    assert fallback(call, message_id, may_call=True, now=MONDAY, **how) is None
    assert fallback(draft, message_id, may_call=False, now=MONDAY, **how) is None
    assert fallback(draft, message_id, may_call=True, now=at("2026-11-25 10:00"), **how) is None


def test_a_coordinator_reads_why_a_message_is_wanted_no_more():
    assert unwanted_because(ivy(state=PlanState.PAUSED), IVY, None) == "the plan is paused"
    assert unwanted_because(ivy(recipients=(person(consented=False),)), IVY, None) == "no consent to sms"
    assert unwanted_because(ivy(), DANA, None) == "this person is no longer told"
    assert unwanted_because(ivy(DELIVERY), IVY, DELIVERY.id) == "the delivery moved"
    assert unwanted_because(ivy(DELIVERED), IVY, DELIVERED.id) == "the delivery is over"


def test_a_plan_walks_along_its_facts_and_never_back():
    assert journey_state(ivy(FIRST_DOSE), JOURNEY, MONDAY) is PlanState.VERIFIED
    assert journey_state(ivy(DELIVERY, FIRST_DOSE), JOURNEY, MONDAY) is PlanState.DELIVERY_SET
    assert journey_state(ivy(DELIVERED, FIRST_DOSE), JOURNEY, MONDAY) is PlanState.DELIVERED
    both = (DELIVERED, TAUGHT, FIRST_DOSE)
    assert journey_state(ivy(*both), JOURNEY, MONDAY) is PlanState.TAUGHT
    assert journey_state(ivy(*both), JOURNEY, at("2026-11-25 16:00")) is PlanState.FIRST_DOSE
    assert journey_state(ivy(*both), JOURNEY, at("2026-11-26 16:00")) is PlanState.ACTIVE
    assert journey_state(ivy(DELIVERY, state=PlanState.ACTIVE), JOURNEY, MONDAY) is PlanState.ACTIVE
    assert journey_state(ivy(DELIVERY, state=PlanState.PAUSED), JOURNEY, MONDAY) is PlanState.PAUSED


# --- hours and clocks ---------------------------------------------------------------------------------------------


def test_a_delivery_booked_at_night_is_told_in_the_morning():
    late = event(*(EventKind.DELIVERY, "2026-11-25 10:00", "2026-11-25 12:00"), booked_at=at("2026-11-23 21:30"))
    assert "M04 Tue 08:00" in told(plan(ivy(late), JOURNEY, at("2026-11-23 21:30")))


def test_quiet_hours_that_outlast_a_message_leave_it_out():
    dawn = event(*(EventKind.DELIVERY, "2026-11-24 06:00", "2026-11-24 07:00"), booked_at=at("2026-11-23 21:30"))
    assert of("delivery.set", plan(ivy(dawn), JOURNEY, at("2026-11-23 21:30"))) == []


def test_gias_half_past_two_reminder_is_sent_once_at_three_when_clocks_go_forward():
    gia = ivy(
        first_dose_at=at("2027-03-10 02:30", LOS_ANGELES),
        ends_on=date(2027, 4, 10),
        zone=LOS_ANGELES,
        reminders=(time(2, 30),),
        recipients=(person(zone=LOS_ANGELES),),
    )
    drafts = of("dose.reminder", plan(gia, JOURNEY, at("2027-03-12 12:00", LOS_ANGELES)))
    due = [f"{draft.due_at.astimezone(LOS_ANGELES):%d %H:%M %Z}" for draft in drafts][:4]
    assert due == ["13 02:30 PST", "14 03:00 PDT", "15 02:30 PDT", "16 02:30 PDT"]
    assert drafts[1].not_after - drafts[1].due_at == timedelta(hours=1)


def test_when_clocks_go_back_the_reminder_is_sent_at_the_first_half_past_one():
    gia = ivy(
        first_dose_at=at("2027-11-01 01:30", LOS_ANGELES),
        ends_on=date(2027, 12, 1),
        zone=LOS_ANGELES,
        reminders=(time(1, 30),),
        recipients=(person(zone=LOS_ANGELES),),
    )
    drafts = of("dose.reminder", plan(gia, JOURNEY, at("2027-11-06 12:00", LOS_ANGELES)))
    assert f"{drafts[0].due_at.astimezone(LOS_ANGELES):%d %H:%M %Z}" == "07 01:30 PDT"
    assert drafts[0].key != drafts[1].key


def test_bills_nine_o_clock_in_phoenix_stays_nine_o_clock():
    bill = ivy(
        first_dose_at=at("2027-03-01 09:00", PHOENIX),
        ends_on=date(2027, 4, 10),
        zone=PHOENIX,
        reminders=(time(9),),
        recipients=(person(zone=PHOENIX, channel=Channel.VOICE),),
    )
    drafts = of("dose.reminder", plan(bill, JOURNEY, at("2027-03-10 12:00", PHOENIX)))
    assert {draft.due_at.hour for draft in drafts} == {16}  # in UTC, before and after the others' change
    assert {draft.channel for draft in drafts} == {Channel.VOICE}


def test_the_day_before_is_ten_o_clock_local_across_a_clock_change():
    chicago = ZoneInfo("America/Chicago")
    delivery = event(EventKind.DELIVERY, "2027-03-14 10:00", "2027-03-14 12:00", chicago)
    carla = ivy(delivery, zone=chicago, ends_on=date(2027, 5, 1), recipients=(person(zone=chicago),))
    (draft,) = of("delivery.day_before", plan(carla, JOURNEY, at("2027-03-12 12:00")))
    assert f"{draft.due_at.astimezone(chicago):%d %H:%M}" == "13 10:00"


def test_a_skipped_local_hour_is_the_first_instant_after_it():
    assert resolve_local(date(2027, 3, 14), time(2, 30), LOS_ANGELES) == at("2027-03-14 03:00", LOS_ANGELES)
    lord_howe = ZoneInfo("Australia/Lord_Howe")  # half an hour is skipped there
    assert f"{resolve_local(date(2026, 10, 4), time(2, 15), lord_howe).astimezone(lord_howe):%H:%M}" == "02:30"


def test_quiet_hours_end_in_the_morning_of_the_person():
    night = at("2026-11-23 23:30")
    assert in_quiet_hours(night, NEW_YORK, QUIET)
    assert next_quiet_end(night, NEW_YORK, QUIET) == at("2026-11-24 08:00")
    assert next_quiet_end(at("2026-11-24 05:00"), NEW_YORK, QUIET) == at("2026-11-24 08:00")
    assert next_quiet_end(MONDAY, NEW_YORK, QUIET) == MONDAY
    assert in_quiet_hours(at("2026-11-24 20:00"), NEW_YORK, QUIET)
    assert not in_quiet_hours(at("2026-11-24 08:00"), NEW_YORK, QUIET)


# --- whatever the facts -------------------------------------------------------------------------------------------

ZONES = sorted(available_timezones() - {"localtime"})


@st.composite
def anyones_facts(draw) -> tuple[PlanFacts, datetime]:
    """A plan in any zone on any day, with any events in any order."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    now = at("2026-01-01 00:00") + timedelta(minutes=draw(st.integers(0, 2 * 365 * 24 * 60)))
    near = st.integers(-4 * 24 * 60, 20 * 24 * 60).map(lambda minutes: now + timedelta(minutes=minutes))
    events = []
    for kind in draw(st.permutations(list(EventKind))):
        starts = draw(near)
        state = draw(st.sampled_from(EventState))
        events.append(
            EventFacts(
                id=UUID(int=list(EventKind).index(kind)),
                kind=kind,
                starts_at=starts,
                ends_at=draw(st.none() | st.just(starts + timedelta(hours=2))),
                state=state,
                booked_at=now - timedelta(minutes=draw(st.integers(0, 3000))),
                out_at=now if state is EventState.OUT_FOR_DELIVERY else None,
                done_at=draw(near) if state is EventState.DONE else None,
            )
        )
    first = draw(near)
    facts = PlanFacts(
        id=UUID(int=77),
        state=draw(st.sampled_from(PlanState)),
        therapy=draw(st.sampled_from(Therapy)),
        storage=draw(st.sampled_from(Storage)),
        first_dose_at=first,
        ends_on=(first + timedelta(days=draw(st.integers(1, 90)))).date(),
        zone=zone,
        recipients=(person(zone=zone), person(DANA, zone, is_patient=False, topics=frozenset(Topic), language="es")),
        events=tuple(events),
        reminders=tuple(draw(st.lists(st.times().map(lambda hour: hour.replace(second=0, microsecond=0)), max_size=3))),
        verified_at=draw(st.none() | st.just(now - timedelta(days=1))),
    )
    return facts, now


@settings(max_examples=150, deadline=None)
@given(anyones_facts())
def test_no_draft_is_due_at_night_or_after_its_event_or_twice(facts_and_now):
    facts, now = facts_and_now
    drafts = plan(facts, JOURNEY, now)
    assert len({draft.key for draft in drafts}) == len(drafts)
    starts = {each.id: each.starts_at for each in facts.events}
    before = {"M04", "M05", "M09", "M10", "M12", "M16", "M17"}
    for draft in drafts:
        assert draft.due_at < draft.not_after
        assert draft.any_hour or not in_quiet_hours(draft.due_at, facts.zone, QUIET)
        about = starts.get(draft.event_id)
        assert about is None or draft.template not in before or draft.not_after <= about


@settings(max_examples=60, deadline=None)
@given(anyones_facts())
def test_the_order_of_facts_does_not_matter(facts_and_now):
    facts, now = facts_and_now
    turned = PlanFacts(**vars(facts) | {"events": facts.events[::-1], "recipients": facts.recipients[::-1]})
    assert plan(facts, JOURNEY, now) == plan(turned, JOURNEY, now)


@settings(max_examples=40, deadline=None)
@given(anyones_facts(), st.integers(1, 72))
def test_a_plan_that_has_been_laid_out_is_laid_out_the_same_later(facts_and_now, hours):
    """As time passes and no fact changes, nothing that stands moves, and nothing comes up in the past."""
    facts, now = facts_and_now
    later = now + timedelta(hours=hours)
    before = {draft.key: draft for draft in plan(facts, JOURNEY, now, timedelta(days=30))}
    asked = frozenset(draft.question for draft in before.values() if draft.question)
    after = plan(PlanFacts(**vars(facts) | {"asked": asked}), JOURNEY, later, timedelta(days=20))
    for draft in after:
        if draft.due_at > later and draft.key in before and "silence" not in draft.key:
            assert draft.due_at == before[draft.key].due_at
    new = [draft for draft in after if draft.key not in before and draft.due_at < later]
    assert not [draft for draft in new if "silence" not in draft.key and not draft.left_out and facts.recipients]


def test_every_message_of_the_list_is_said_by_something():
    """The thirty messages of the journey: by a step, or (M21, M29, M30) by what staff or a storm brings about."""
    said = {step.template for step in (*JOURNEY.steps, JOURNEY.welcome)} | {"M21", "M29", "M30"}
    assert {f"M{number:02}" for number in range(1, 31)} <= said
    assert set(Therapy) == set(JOURNEY.profiles)

"""A plan's facts change, or do not come: the right people hear of it, once, and nothing stale is ever sent."""

from datetime import date

import pytest
from sqlalchemy import select

from notifier import enrolment, runtime
from notifier.core.states import EventState, PlanState, TicketState
from notifier.core.vocabulary import Channel, Consent, EventKind, Role, Topic, Urgency
from notifier.details import CaregiverDetails, ConsentDetails
from notifier.models import CareEvent, ConsentRecord, Message


@pytest.fixture(autouse=True)
def well(clinic):
    """Whoever is asked how they are says that all is well, but where the story says otherwise."""
    clinic.world.patients_are_well = True


def kinds(patient, role: Role) -> list[str]:
    return [kind for ticket in patient.tickets if ticket.role is role for kind in ticket.kinds]


def started(clinic, name: str, **given):
    """A patient whose box came cold and who was taught, hours before the first dose: Wednesday at three."""
    patient = clinic.patient(name, welcomed=True, **given.pop("who", {}))
    clinic.ordered(patient, "2026-11-25 15:00", ends_on=date(2027, 1, 20), **given)
    clinic.verified(patient)
    box = clinic.delivery(patient, "2026-11-24 10:00", "2026-11-24 12:00", Vancomycin_bag=7, Saline_flush=28)
    clinic.teaching(patient, "2026-11-24 13:00")
    return patient, box


# --- the first dose -----------------------------------------------------------------------------------------------


def test_a_dose_without_teaching_is_held_and_two_people_hear_of_it(clinic, clock):
    """Everything came, and nobody signed the teaching: Ivy hears nothing, the coordinator and the nurse do."""
    ivy, box = started(clinic, "Ivy")
    clock.until("2026-11-24T11:00-05:00")
    clinic.delivered(box)
    clock.until("2026-11-24T11:45-05:00")
    ivy.texts("OK")
    assert clinic.next_delivery(ivy).cold_ok is True
    clock.until("2026-11-24T15:30-05:00")
    assert ivy.told("M10") == []
    ticket = ivy.ticket
    assert (ticket.role, ticket.urgency, ticket.kinds) == (
        *(Role.COORDINATOR, Urgency.SAME_DAY, ["FIRST_DOSE_NOT_READY"]),
    )
    assert "signed teaching" in ticket.text
    assert "delivery" not in ticket.text
    assert not clinic.nia.is_paged
    clinic.acknowledged_by_click(ticket, "cora")
    clock.until("2026-11-25T11:00-05:00")
    assert kinds(ivy, Role.NURSE) == ["FIRST_DOSE_NOT_READY"]
    assert clinic.nia.is_paged
    clinic.nia.texts("A")
    clinic.taught(ivy)
    assert ivy.told("M10") == ["Wed 11:00"]  # held until then
    clock.until("2026-11-25T14:30-05:00")
    assert ivy.told("M12") == ["Wed 14:00"]
    assert kinds(ivy, Role.COORDINATOR) == ["FIRST_DOSE_NOT_READY"]  # one a plan


def test_a_box_that_came_warm_shuts_the_way_until_another_comes(clinic, clock):
    ivy, box = started(clinic, "Ivy")
    clock.until("2026-11-24T11:00-05:00")
    clinic.delivered(box)
    clock.until("2026-11-24T11:45-05:00")
    assert "cold pack" in ivy.last
    ivy.texts("WARM")
    assert kinds(ivy, Role.PHARMACIST) == ["TEMP_WARM"]
    assert clinic.next_delivery(ivy).cold_ok is False
    clock.until("2026-11-24T15:30-05:00")
    assert "supplies that came cold" in next(t.text for t in ivy.tickets if t.role is Role.COORDINATOR)
    assert ivy.told("M10") == []


def test_a_start_that_is_late_by_hours_is_told_to_patient_and_prescriber(clinic, clock):
    ivy, box = started(clinic, "Ivy", prescriber="Dr. Example")
    clock.until("2026-11-24T11:00-05:00")
    clinic.delivered(box)
    clock.until("2026-11-24T11:45-05:00")
    ivy.texts("OK")
    clock.until("2026-11-24T14:00-05:00")
    clinic.taught(ivy)
    clock.until("2026-11-25T13:00-05:00")
    assert ivy.told("M10") == ["Tue 15:00"]
    with runtime.reading() as session:
        dose = session.scalars(select(CareEvent).where(CareEvent.kind == EventKind.FIRST_DOSE)).one()
    clinic.does(enrolment.set_event, dose, at=ivy.local("2026-11-25 17:30"))
    clock.passes(minutes=5)
    assert "start is later than planned. New time: Wednesday, Nov 25 at 5:30 PM" in ivy.last
    assert kinds(ivy, Role.NURSE) == ["TELL_PRESCRIBER"]
    assert clinic.nia.is_paged
    clinic.nia.texts("A")
    clock.until("2026-11-25T17:00-05:00")
    assert ivy.told("M12") == ["Wed 16:30"]


def test_silence_after_a_first_dose_wakes_the_nurse_the_same_evening(clinic, clock):
    clinic.world.patients_are_well = False
    ivy, box = started(clinic, "Ivy")
    clock.until("2026-11-24T11:00-05:00")
    clinic.delivered(box)
    clock.until("2026-11-24T11:45-05:00")
    ivy.texts("OK")
    clock.until("2026-11-24T14:00-05:00")
    clinic.taught(ivy)
    clock.until("2026-11-25T16:00-05:00")
    clinic.first_dose_given(ivy)
    clock.until("2026-11-25T21:59-05:00")
    assert ivy.told("M13") == ["Wed 18:00"]
    assert not clinic.nia.is_paged
    clock.until("2026-11-25T22:00-05:00")
    assert (ivy.ticket.role, ivy.ticket.urgency) == (Role.NURSE, Urgency.URGENT)
    assert clinic.nia.is_paged


def test_an_order_that_is_not_checked_books_no_first_dose(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-12-10 15:00")
    clinic.does(enrolment.verify, ivy.plan, {"medication": True, "dosing_schedule": True, "supplies": True})
    assert "duration, storage" in ivy.ticket.text
    assert ivy.plan.state is PlanState.RECEIVED
    assert ivy.inbox == []


# --- deliveries ---------------------------------------------------------------------------------------------------


def test_a_box_that_moves_three_times_is_told_once_and_a_pharmacist_counts(clinic, clock):
    """Confirmed for Wednesday, moved to Friday in the end: one text with the new time."""
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00", Vancomycin_bag=7)
    ivy.texts("YES")
    assert clinic.next_delivery(ivy).confirmed_at is not None
    for day in (26, 28, 27):
        window = ivy.local(f"2026-11-{day} 10:00"), ivy.local(f"2026-11-{day} 12:00")
        clinic.does(enrolment.move_delivery, box, *window)
        clock.passes(minutes=2)
    clock.until("2026-11-27T09:00-05:00")
    assert ivy.received("has a new time: Friday, Nov 27") == 1
    assert ivy.received("has a new time") == 1
    assert ivy.told("M05") == ["Thu 10:00"]
    assert "CHECK_DOSES_ON_HAND" in kinds(ivy, Role.PHARMACIST)
    assert clinic.next_delivery(ivy).confirmed_at is None  # asked anew


def test_a_move_beyond_the_last_dose_is_never_silently_accepted(clinic, clock):
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-24 10:00", "2026-11-24 12:00", Vancomycin_bag=7)
    clinic.does(enrolment.count_doses, ivy.plan, 1)
    clinic.does(enrolment.move_delivery, box, ivy.local("2026-11-26 10:00"), ivy.local("2026-11-26 12:00"))
    ticket = next(ticket for ticket in ivy.tickets if ticket.role is Role.PHARMACIST)
    assert (ticket.urgency, "OUT_OF_MED" in ticket.kinds) == (Urgency.URGENT, True)


def test_a_delivery_that_fails_or_is_called_off_is_said(clinic, clock):
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    other = clinic.delivery(ivy, "2026-11-27 10:00", "2026-11-27 12:00")
    clock.passes(minutes=5)
    clinic.delivery_is(box, EventState.FAILED)
    assert "could not bring your delivery today" in ivy.last
    clinic.delivery_is(other, EventState.CANCELLED)
    clock.passes(minutes=15)
    assert "set for Friday, Nov 27 will not come then" in ivy.last


def test_cold_items_that_nobody_speaks_of_are_a_coordinators_call(clinic, clock):
    clinic.world.patients_are_well = False
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-23 10:00", "2026-11-23 12:00", Vancomycin_bag=7)
    clock.until("2026-11-23T11:00-05:00")
    clinic.delivered(box)
    clock.until("2026-11-23T17:00-05:00")
    assert (ivy.told("M07"), ivy.told("M08")) == (["Mon 11:30"], ["Mon 14:00"])
    assert (ivy.ticket.role, ivy.ticket.kinds) == (Role.COORDINATOR, ["NO_ANSWER"])
    assert not clinic.nia.is_paged


def test_nothing_missing_is_an_answer_and_is_not_asked_again(clinic, clock):
    clinic.world.patients_are_well = False
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-23 10:00", "2026-11-23 12:00", Vancomycin_bag=7)
    clock.until("2026-11-23T11:00-05:00")
    clinic.delivered(box)
    clock.passes(minutes=40)
    ivy.texts("nothing missing thx")
    clock.until("2026-11-23T17:30-05:00")
    assert ivy.told("M08") == []
    assert ivy.tickets == []


def test_missing_is_answered_with_the_boxs_own_list_and_numbers_name_the_items(clinic, clock):
    ivy = clinic.active(
        "Ivy",
    )
    box = clinic.delivery(
        ivy, "2026-11-23 10:00", "2026-11-23 12:00", Vancomycin_bag=7, Saline_flush=28, End_cap=28, Tubing_set=7
    )
    clock.until("2026-11-23T10:40-05:00")
    clinic.delivered(box)
    clock.passes(minutes=40)
    ivy.texts("MISSING")
    assert "1 medicine, 2 saline flush, 3 end cap, 4 tubing set" in ivy.last
    assert "ancomycin" not in ivy.last
    ivy.texts("2 4")
    assert "We wrote down: saline flush, tubing set" in ivy.last
    desk = next(ticket for ticket in ivy.tickets if ticket.role is Role.DELIVERY)
    assert desk.urgency is Urgency.URGENT  # no dose without tubing, and the next is near
    assert [item["name"] for item in clinic.next_delivery(ivy).missing] == ["Saline flush", "Tubing set"]
    pages = len(clinic.dee.pages)
    ivy.texts("found the tubing nvm")
    assert "We think this is fixed" in ivy.last
    assert [item["name"] for item in clinic.next_delivery(ivy).missing] == ["Saline flush"]
    assert len(clinic.dee.pages) == pages


def test_what_no_dose_needs_can_wait_until_the_afternoon(clinic, clock):
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-23 10:00", "2026-11-23 12:00", Vancomycin_bag=7, Sharps_box=1)
    clock.until("2026-11-23T10:40-05:00")
    clinic.delivered(box)
    clock.passes(minutes=40)
    ivy.texts("the sharps box is missing")
    assert ivy.ticket.urgency is Urgency.SAME_DAY


# --- what is left -------------------------------------------------------------------------------------------------


def test_a_count_tells_when_doses_run_out_and_somebody_calls_before(clinic, clock):
    clinic.world.patients_are_well = False
    ivy = clinic.active("Ivy")
    clock.until("2026-11-25T11:30-05:00")
    assert ivy.told("M18") == ["Wed 11:00"]
    ivy.texts("7")
    assert "We wrote it down" in ivy.last
    assert ivy.plan.doses_left == 7
    clinic.world.patients_are_well = True
    clock.until("2026-11-28T12:00-05:00")
    assert ivy.told("M19") == ["Fri 10:00"]  # two days before the first dose that is not there
    assert kinds(ivy, Role.PHARMACIST) == ["RUNNING_OUT"]


@pytest.mark.parametrize(("said", "kind"), [("500", "LOW_SUPPLY"), ("2", "LOW_SUPPLY"), ("0", "OUT_OF_MED")])
def test_a_count_that_is_low_or_cannot_be_right_goes_to_a_person(clinic, clock, said, kind):
    ivy = clinic.active("Ivy")
    clock.until("2026-11-25T11:30-05:00")
    ivy.texts(said)
    assert kind in [kind for ticket in ivy.tickets for kind in ticket.kinds]
    assert ivy.plan.doses_left != 500


# --- pauses and ends ----------------------------------------------------------------------------------------------


def test_a_patient_in_hospital_is_asked_after_every_two_days(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("admitted last night")
    assert ivy.plan.state is PlanState.PAUSED
    clinic.handled(next(ticket for ticket in ivy.tickets if ticket.role is Role.NURSE))
    before = len(ivy.inbox)
    clock.passes(hours=48, minutes=5)
    assert kinds(ivy, Role.COORDINATOR) == ["PAUSED_STILL"]
    ivy.texts("they pulled the picc, fever 103 here")
    fever = next(ticket for ticket in ivy.tickets if "FEVER" in ticket.kinds)
    assert fever.urgency.is_red
    assert "The plan is paused" in fever.text
    assert len(ivy.inbox) == before + 1  # the safe answer, and no reminder


def test_the_end_asks_for_a_line_plan_then_how_she_is_then_how_we_did_then_falls_silent(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-16 10:00", ends_on=date(2026, 12, 1))
    clinic.verified(ivy)
    clinic.first_dose_given(ivy)
    clock.until("2026-11-24T10:30-05:00")
    assert ivy.told("M25") == ["Tue 10:00"]
    assert kinds(ivy, Role.COORDINATOR) == ["LINE_PLAN_MISSING"]
    assert kinds(ivy, Role.NURSE) == ["TELL_PRESCRIBER"]
    clock.until("2026-12-01T18:00-05:00")
    assert ivy.plan.state is PlanState.ENDING
    clinic.does(enrolment.end, ivy.plan, "therapy done")
    clock.until("2026-12-12T12:00-05:00")
    assert ivy.told("M26") == ["Thu 10:00"]
    assert ivy.told("M28") == ["Sun 10:00"]
    last = len(ivy.inbox)
    ivy.texts("5")
    assert len(ivy.inbox) == last + 1
    ivy.texts("fever 102")
    assert clinic.nia.is_paged  # she is still heard


def test_a_death_silences_everybody_at_once(clinic, clock):
    carla = clinic.active("Carla", caregivers=(clinic.helper("Dana", "+12125554444", "check_in", "delivery"),))
    dana = clinic.stranger("+12125554444")
    clinic.delivery(carla, "2026-11-26 10:00", "2026-11-26 12:00")
    clock.passes(minutes=10)
    before = len(carla.inbox), len(dana.inbox)
    dana.texts("she passed away this morning")
    assert "so sorry" in dana.last
    clock.passes(days=9)
    assert (len(carla.inbox), len(dana.inbox)) == (before[0], before[1] + 1)


# --- people -------------------------------------------------------------------------------------------------------


def test_two_patients_on_one_phone_read_of_whom_we_speak(clinic, clock):
    ed = clinic.active("Ed", phone="+12125553333")
    clock.passes(minutes=1)
    fay = clinic.active("Fay", phone="+12125553333")
    clock.until("2026-11-27T12:00-05:00")
    asked = [body for body in ed.inbox if "How are you today" in body]
    assert ["(Plan 1)" in body for body in asked] == [True, False]
    assert "(Plan 2)" in asked[1]
    assert (ed.told("M14"), fay.told("M14")) == (["Fri 10:00"], ["Fri 10:05"])
    ed.texts("ALTO")
    assert clinic.contact(ed).sms_consent is clinic.contact(fay).sms_consent is Consent.WITHDRAWN


def test_a_daughter_who_helps_two_parents_reads_of_whom_we_speak(clinic, clock):
    helper = clinic.helper("Dana", "+12125554444", "delivery")
    mother = clinic.active("Carla", caregivers=(helper,))
    clock.passes(minutes=1)
    father = clinic.active("Carl", caregivers=(helper,))
    dana = clinic.stranger("+12125554444")
    clinic.delivery(father, "2026-11-26 10:00", "2026-11-26 12:00")
    clock.passes(minutes=10)
    assert "(Plan 2)" in dana.last
    dana.texts("STOP")
    before = len(mother.inbox)
    clinic.delivery(mother, "2026-11-27 10:00", "2026-11-27 12:00")
    clock.passes(minutes=10)
    assert len(mother.inbox) == before + 1  # the patients are still told
    assert "(Plan" not in mother.last


def test_a_helper_who_stops_stops_alone_and_the_coordinator_knows(clinic, clock):
    carla = clinic.active("Carla", caregivers=(clinic.helper("Dana", "+12125554444", "delivery"),))
    dana = clinic.stranger("+12125554444")
    dana.texts("STOP")
    assert kinds(carla, Role.COORDINATOR) == ["STOP"]
    clinic.delivery(carla, "2026-11-26 10:00", "2026-11-26 12:00")
    clock.passes(minutes=10)
    assert carla.received("delivery is set") == 1
    assert sum("delivery is set" in text.body for text in dana.phone.inbox) == 0


def test_a_new_number_takes_the_consent_along_with_its_own_line_in_the_books(clinic, clock):
    ivy = clinic.active("Ivy")
    clinic.does(enrolment.amend, ivy.row, {"phone": "+12125557777"})
    box = clinic.delivery(ivy, "2026-11-26 10:00", "2026-11-26 12:00")
    clock.passes(minutes=10)
    assert box
    assert "delivery is set" in clinic.stranger("+12125557777").last
    with runtime.reading() as session:
        records = session.scalars(select(ConsentRecord).order_by(ConsentRecord.at)).all()
    assert [record.source for record in records] == ["intake form v3", "carried over to a new number by Cora"]
    assert len({record.phone_hash for record in records}) == 2


def test_the_wording_that_was_agreed_to_is_kept(clinic):
    said = ConsentDetails(Channel.SMS, "tablet at the desk", clinic.now, wording="safety note 1")
    clinic.patient("Ivy", consents=(said,))
    with runtime.reading() as session:
        record = session.scalars(select(ConsentRecord)).one()
    assert (record.wording, record.channel, record.source) == ("safety note 1", Channel.SMS, "tablet at the desk")


def test_a_patient_who_travels_keeps_her_dose_hours_until_a_pharmacist_sets_new_ones(clinic, clock):
    carla = clinic.patient("Carla", zone="America/Chicago", welcomed=True)
    clinic.ordered(carla, "2026-11-10 20:00", therapy="tpn", reminders=("20:00",), ends_on=date(2027, 3, 1))
    clinic.verified(carla)
    carla.texts("flying to Los Angeles Monday for 2 weeks")
    assert kinds(carla, Role.COORDINATOR) == ["TRAVEL"]
    clinic.does(enrolment.amend, carla.row, {"timezone": "America/Los_Angeles"})
    assert kinds(carla, Role.PHARMACIST) == ["ZONE_CHANGED"]
    assert "ZONE_CHANGED" in kinds(carla, Role.COORDINATOR)
    clock.until("2026-11-24T21:00-08:00")
    left = [row.sent_at for row in carla.messages if row.template == "M15" and row.sent_at]
    assert [at for at in left if at == carla.local("2026-11-23 20:00")]
    assert "Time for your 6 PM step" in " ".join(carla.inbox)


# --- few and fitting ----------------------------------------------------------------------------------------------


def test_a_fourth_care_text_of_the_week_is_left_out_and_seen(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-17 10:00", ends_on=date(2027, 1, 20))
    clinic.verified(ivy)
    clinic.event(ivy, "lab", "2026-11-25 09:00")
    clock.until("2026-11-26T12:00-05:00")
    dropped = [row for row in ivy.messages if row.why and "care texts this week" in row.why]
    assert dropped
    assert all(row.sent_at is None for row in dropped)
    assert ivy.told("M17") == ["Tue 09:00"]
    assert ivy.told("M14")


def test_a_change_of_the_order_asks_the_patient_to_wait_and_a_pharmacist_to_call(clinic, clock):
    ivy = clinic.active("Ivy")
    with runtime.reading() as session:
        order = enrolment.details_of(session.get_one(type(ivy.plan), ivy.plan.id))
    changed = type(order)(**vars(order) | {"doses_per_day": 3})
    assert ivy.plan.state in (PlanState.VERIFIED, PlanState.ACTIVE, PlanState.FIRST_DOSE)
    clinic.first_dose_given(ivy)
    clinic.does(enrolment.change_plan, ivy.plan, changed)
    assert "There is a change in your plan" in ivy.last
    assert kinds(ivy, Role.PHARMACIST) == ["ORDER_CHANGED"]


def test_supplies_that_are_packed_are_said_once_and_not_after_a_delivery_is_set(clinic, clock):
    ivy, ana = clinic.patient("Ivy", welcomed=True), clinic.patient("Ana", welcomed=True)
    for patient in (ivy, ana):
        clinic.ordered(patient, "2026-12-10 15:00")
        clinic.verified(patient)
    clinic.does(enrolment.supplies_ready, ivy.plan)
    assert ivy.received("supplies are being packed") == 1
    assert ivy.plan.state is PlanState.SUPPLIES_READY
    clinic.delivery(ana, "2026-12-08 10:00", "2026-12-08 12:00")
    clinic.does(enrolment.supplies_ready, ana.plan)
    assert ana.received("supplies are being packed") == 0


def test_a_storm_is_told_where_it_comes_and_who_cannot_be_without_power_is_called(clinic, clock):
    near, far = clinic.active("Ivy", postal_code="10001"), clinic.active("Ana", postal_code="90210")
    devon = clinic.patient("Devon", welcomed=True, postal_code="10001-1234")
    clinic.ordered(devon, "2026-11-10 10:00", therapy="inotrope", ends_on=date(2027, 3, 1))
    clinic.verified(devon)
    how = {"catalog": runtime.current().catalog, "by": "Cora", "now": clinic.now}
    for _ in range(2):  # told twice, heard once
        with runtime.transaction() as session:
            enrolment.warn_of_storm(session, "newyork", ["10001"], "Nora", **how)
        clinic.world.settle()
    assert near.received("storm may cut power") == devon.received("storm may cut power") == 1
    assert far.received("storm may cut power") == 0
    assert kinds(devon, Role.NURSE) == ["STORM"]
    assert near.tickets == []


def test_what_staff_closed_is_asked_about_and_a_no_opens_it_again(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("the sharps box is full")
    ticket = ivy.ticket
    clinic.handled(ticket)
    assert "We think this is fixed" in ivy.last
    ivy.texts("NO")
    again = ivy.tickets[-1]
    assert (again.role, again.state, again.follows_id) == (ticket.role, TicketState.OPEN, ticket.id)


def test_nothing_is_asked_of_a_patient_about_a_nurses_ticket(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.handled(ivy.ticket)
    assert ivy.received("We think this is fixed") == 0


def test_a_helper_is_asked_once_a_week_how_it_goes(clinic, clock):
    clinic.active("Carla", caregivers=(clinic.helper("Dana", "+12125554444", "check_in"),))
    dana = clinic.stranger("+12125554444")
    clock.passes(days=8)
    assert 1 <= sum("Thank you for helping" in body for body in dana.inbox) <= 2


def test_no_question_is_lost_on_a_voice_only_patient(clinic, clock):
    """Bill is called for his check-in; his silence is noticed as any other's."""
    clinic.world.patients_are_well = False
    bill = clinic.active("Bill", channel="voice", zone="America/Phoenix")
    clock.passes(days=6)
    assert bill.inbox == []
    assert any(row.template == "check_in.again" and row.channel is Channel.VOICE for row in bill.messages)
    assert kinds(bill, Role.COORDINATOR)


def test_the_same_facts_twice_plan_the_same(clinic, clock):
    ivy, _ = started(clinic, "Ivy")
    with runtime.reading() as session:
        before = session.execute(select(Message.key, Message.due_at, Message.state).order_by(Message.key)).all()
    for _ in range(3):
        clinic.does(enrolment.replan, ivy.plan)
    with runtime.reading() as session:
        after = session.execute(select(Message.key, Message.due_at, Message.state).order_by(Message.key)).all()
    assert before == after


def test_a_helper_added_later_hears_from_then_on_only(clinic, clock):
    ivy = clinic.active("Ivy")
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.passes(hours=2)
    dana = clinic.stranger("+12125554444")
    consent = ConsentDetails(Channel.SMS, "by phone", clinic.now)
    helper = CaregiverDetails("Dana", "daughter", "+12125554444", receives=(Topic.DELIVERY,), consents=(consent,))
    clinic.does(enrolment.amend, ivy.row, {"caregivers": (helper,)})
    clock.until("2026-11-24T12:00-05:00")
    assert [body.split(": ")[1][:17] for body in dana.inbox] == ["Delivery tomorrow"]

"""From the consent to the second week: the right words at the right local hour, each once."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from notifier import enrolment, runtime
from notifier.core.states import EventState, MessageState, PlanState
from notifier.models import CareEvent, TherapyPlan


def test_ivy_hears_each_step_of_her_therapy_once(clinic, clock):
    """The happy path, from Monday's consent to the check-in of the first week."""
    ivy = clinic.patient("Ivy")
    assert ivy.told("M01") == ["Mon 09:00"]
    assert "HELP for help, STOP to end" in ivy.last

    clock.passes(hours=1)
    clinic.ordered(ivy, "2026-11-25 15:00", doses_per_day=1, ends_on=date(2027, 1, 20))
    assert ivy.inbox[1:] == []  # nothing about therapy before the order is checked

    clock.passes(hours=1)
    clinic.verified(ivy)
    assert ivy.told("M02") == ["Mon 11:00"]

    clock.passes(minutes=30)
    delivery = clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00", Vancomycin_bag=7, Saline_flush=28)
    assert ivy.told("M04") == ["Mon 11:30"]
    assert "Wednesday, Nov 25, 10 AM-12 PM" in ivy.last
    clinic.teaching(ivy, "2026-11-25 14:00")

    clock.until("2026-11-25T09:00-05:00")
    assert ivy.told("M05") == ["Tue 10:00"]
    assert ivy.told("M09") == ["Tue 14:00"]
    assert ivy.told("M10") == ["Tue 15:00"]

    clinic.delivery_is(delivery, EventState.OUT_FOR_DELIVERY)
    assert ivy.told("M06") == ["Wed 09:00"]
    clock.until("2026-11-25T10:40-05:00")
    clinic.delivery_is(delivery, EventState.DONE)
    clock.passes(minutes=45)
    assert ivy.told("M07") == ["Wed 11:10"]
    ivy.texts("OK all here")

    clock.until("2026-11-25T15:30-05:00")
    assert ivy.told("M12") == ["Wed 14:00"]
    clinic.taught(ivy)
    clinic.first_dose_given(ivy)
    clinic.world.patients_are_well = True
    clock.until("2026-12-03T12:00-05:00")
    assert ivy.told("M13")[0].startswith("Wed 1")
    assert ivy.told("M13")[1] == "Thu 10:00"
    assert ivy.told("M14") == ["Sat 10:00", "Wed 10:00"]  # day 3 and day 7; the day after had its own question

    assert ivy.told("M08") == []
    once = ["M01", "M02", "M04", "M05", "M06", "M07", "M09", "M10", "M12"]
    assert {template: len(ivy.told(template)) for template in once} == dict.fromkeys(once, 1)
    assert ivy.tickets == []
    assert not any("Ivy" in body or "ancomycin" in body for body in ivy.inbox)
    assert ivy.plan.state is PlanState.ACTIVE


def test_a_delivery_that_moves_is_told_once_with_its_new_time(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    delivery = clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.passes(hours=2)
    with runtime.transaction() as session:
        event = session.get_one(CareEvent, delivery.id)
        start, end = ivy.local("2026-11-27 10:00"), ivy.local("2026-11-27 12:00")
        enrolment.move_delivery(session, event, start, end, catalog=runtime.current().catalog, by="Dee", now=clock.now)
    clock.until("2026-11-27T09:00-05:00")
    assert ivy.received("set for Wednesday") == 1
    assert ivy.received("new time: Friday") == 1
    assert ivy.told("M05") == ["Thu 10:00"]


def test_nothing_is_sent_while_a_plan_is_paused_and_nothing_stale_after(clinic, clock):
    clinic.world.patients_are_well = True
    ada = clinic.active("Ada")
    already = len(ada.inbox)
    with runtime.transaction() as session:
        plan = session.get_one(TherapyPlan, ada.plan.id)
        until = clock.now + timedelta(days=30)
        how = {"catalog": runtime.current().catalog, "by": "Cora", "now": clock.now}
        enrolment.pause(session, plan, "hospital", until=until, **how)
    clock.passes(days=9)
    assert len(ada.inbox) == already
    with runtime.transaction() as session:
        plan = session.get_one(TherapyPlan, ada.plan.id)
        enrolment.resume(session, plan, catalog=runtime.current().catalog, by="Cora", now=clock.now)
    clinic.world.settle()
    assert len(ada.inbox) == already
    clock.passes(days=8)
    assert len(ada.inbox) > already


def test_a_text_that_falls_into_the_night_waits_for_the_morning(clinic, clock):
    clinic.world.patients_are_well = True
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    clock.until("2026-11-23T21:30-05:00")
    clinic.delivery(ivy, "2026-11-26 10:00", "2026-11-26 12:00")
    assert ivy.told("M04") == []
    clock.until("2026-11-24T09:00-05:00")
    assert ivy.told("M04") == ["Tue 08:00"]


def test_a_dose_reminder_in_the_hour_that_the_clocks_skip_comes_once(clinic, clock):
    """Gia in Los Angeles chose 2:30 in the morning; on 2027-03-14 there is no such time."""
    clinic.world.patients_are_well = True
    clock.set("2027-03-10T18:00+00:00")
    gia = clinic.patient("Gia", zone="America/Los_Angeles", welcomed=True)
    clinic.ordered(gia, "2027-03-10 02:30", reminders=("02:30",), doses_per_day=1)
    clinic.verified(gia)
    clock.until("2027-03-15T12:00-07:00")
    assert gia.told("M15") == ["Thu 02:30", "Fri 02:30", "Sat 02:30", "Sun 03:00", "Mon 02:30"]


def test_a_reminder_in_the_hour_that_comes_twice_comes_once(clinic, clock):
    clinic.world.patients_are_well = True
    clock.set("2027-11-05T18:00+00:00")
    gia = clinic.patient("Gia", zone="America/Los_Angeles", welcomed=True)
    clinic.ordered(gia, "2027-11-05 01:30", reminders=("01:30",), doses_per_day=1)
    clinic.verified(gia)
    clock.until("2027-11-08T12:00-08:00")
    assert gia.told("M15") == ["Sat 01:30", "Sun 01:30", "Mon 01:30"]
    sunday = [each for each in gia.messages if each.template == "M15" and each.sent_at and each.sent_at.day == 7]
    assert sunday[0].sent_at.astimezone(ZoneInfo("America/Los_Angeles")).fold == 0


def test_bill_in_phoenix_keeps_his_hour_when_the_clocks_change_elsewhere(clinic, clock):
    clinic.world.patients_are_well = True
    clock.set("2027-03-09T18:00+00:00")
    bill = clinic.patient("Bill", zone="America/Phoenix", channel="voice", welcomed=True)
    clinic.ordered(bill, "2027-03-09 09:00", reminders=("09:00",), doses_per_day=1)
    clinic.verified(bill)
    clock.until("2027-03-16T12:00-07:00")
    calls = [each for each in bill.messages if each.template == "M15" and each.sent_at]
    assert {each.sent_at.astimezone(ZoneInfo("America/Phoenix")).strftime("%H") for each in calls} == {"09"}
    assert len(calls) == 7
    assert all(each.state is not MessageState.EXPIRED for each in calls)
    assert bill.inbox == []  # he is called, never texted

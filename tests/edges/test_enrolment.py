"""What stands after people and plans change: each message once, none stale, none that left touched again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifier import catalog, db, enrolment, pharmacy
from notifier.core.states import EventState, MessageState, PlanState
from notifier.core.vocabulary import (
    Administration,
    Channel,
    Consent,
    EventKind,
    Line,
    Role,
    Storage,
    Therapy,
    Topic,
)
from notifier.details import CaregiverDetails, ConsentDetails, DeliveryDetails, Item, PatientDetails, PlanDetails
from notifier.errors import Invalid, Refused
from notifier.models import AuditEvent, CareEvent, Message, Patient, TherapyPlan, Ticket
from tests.books import PHARMACY, books, use_keys

NEW_YORK = ZoneInfo("America/New_York")
CATALOG = catalog.load()
ALL = dict.fromkeys(enrolment.CHECKLIST, True)


def at(text: str) -> datetime:
    """A New York time, such as "2026-11-23 09:00" (a Monday)."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


NOW = at("2026-11-23 09:00")


def how(now: datetime = NOW) -> dict:
    return {"catalog": CATALOG, "by": "Cora", "now": now}


def consent(channel: Channel = Channel.SMS) -> ConsentDetails:
    return ConsentDetails(channel, "intake form v3", NOW)


IVY = PatientDetails("P-1", "newyork", "Ivy", "Mockridge", "+12125551001", consents=(consent(),))
ORDER = PlanDetails(
    external_id="RX-1",
    therapy=Therapy.IV_ANTIBIOTIC,
    line=Line.PICC,
    storage=Storage.REFRIGERATED,
    administration=Administration.ELASTOMERIC,
    first_dose_at=at("2026-11-25 15:00"),
    doses_per_day=2,
    ends_on=date(2026, 12, 23),
)
BOX = DeliveryDetails("D-1", at("2026-11-25 10:00"), at("2026-11-25 12:00"), (Item("Medication bag", 14),))


def set_up(session: Session, details: PatientDetails = IVY) -> TherapyPlan:
    """Ivy with a verified plan and a delivery on Wednesday, ten to twelve."""
    pharmacy.apply(session, PHARMACY, by="test", now=NOW)
    patient = enrolment.enrol(session, details, **how())
    plan = enrolment.add_plan(session, patient, ORDER, **how())
    assert enrolment.verify(session, plan, ALL, **how()) == ()
    enrolment.schedule_delivery(session, plan, BOX, **how())
    session.commit()
    return plan


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with books(tmp_path)() as session:
        yield session
        session.get_bind().dispose()


@pytest.fixture
def plan(session: Session) -> TherapyPlan:
    return set_up(session)


def standing(session: Session, *states: MessageState) -> dict[str, datetime]:
    """Every message in these states (default: planned), by step and local due day."""
    wanted = select(Message).where(Message.state.in_(states or (MessageState.PLANNED,))).order_by(Message.due_at)
    return {
        f"{row.step} {row.due_at.astimezone(NEW_YORK):%a %d %H:%M}": row.due_at for row in session.scalars(wanted).all()
    }


def of(session: Session, step: str) -> list[Message]:
    return list(session.scalars(select(Message).where(Message.step == step).order_by(Message.due_at)).all())


def snapshot(session: Session) -> list[tuple]:
    return [tuple(row) for row in session.execute(select(Message.__table__).order_by(Message.key)).all()]


def delivery(session: Session) -> CareEvent:
    return session.scalars(select(CareEvent).where(CareEvent.kind == EventKind.DELIVERY)).one()


def leaves(session: Session, message: Message) -> None:
    """The message leaves, as if it had been sent."""
    session.execute(update(Message).where(Message.id == message.id).values(state=MessageState.SENT, sent_at=NOW))
    session.expire_all()


# --- people -------------------------------------------------------------------------------------------------------


def test_who_says_yes_is_welcomed_at_once_by_day(session, plan):
    (welcome,) = of(session, "welcome")
    assert (welcome.template, welcome.due_at, welcome.to) == ("M01", NOW, "+12125551001")


def test_a_patient_is_enrolled_once_and_at_a_site_that_exists(session, plan):
    with pytest.raises(IntegrityError), session.begin_nested():
        enrolment.enrol(session, IVY, **how())
    with pytest.raises(Invalid, match="no such site"):
        enrolment.enrol(session, PatientDetails("P-2", "mars", "A", "B", "+12125551002"), **how())
    with pytest.raises(Invalid, match="no such time zone"):
        enrolment.enrol(
            session, PatientDetails("P-2", "newyork", "A", "B", "+12125551002", timezone="America/Portland"), **how()
        )


def test_a_new_phone_language_and_channel_reach_what_has_not_left(session, plan):
    told = of(session, "delivery.set")[0]
    leaves(session, told)
    changes = {
        "phone": "+12125551009",
        "language": "es",
        "channel": Channel.VOICE,
        "consents": (consent(Channel.VOICE),),
    }
    assert enrolment.amend(session, plan.patient, changes, **how())
    coming = of(session, "delivery.day_before")[0]
    assert (coming.to, coming.language, coming.channel) == ("+12125551009", "es", Channel.VOICE)
    assert coming.values["day"] == "miércoles 25 nov"
    assert told.to == "+12125551001"
    assert not enrolment.amend(session, plan.patient, changes, **how())


def test_a_patient_who_moves_west_is_told_by_western_hours(session, plan):
    enrolment.amend(session, plan.patient, {"timezone": "America/Los_Angeles"}, **how())
    (coming,) = of(session, "delivery.day_before")
    assert coming.due_at == at("2026-11-24 13:00")
    assert coming.values["from"] == "7 AM"


def test_a_helper_is_told_until_she_is_taken_off_the_list(session, plan):
    dana = CaregiverDetails("Dana", "daughter", "+12125551002", receives=(Topic.DELIVERY,), consents=(consent(),))
    assert enrolment.amend(session, plan.patient, {"caregivers": (dana,)}, **how())
    assert [row.to for row in of(session, "delivery.day_before")] == ["+12125551001", "+12125551002"]
    assert not enrolment.amend(session, plan.patient, {"caregivers": (dana,)}, **how())
    assert enrolment.amend(session, plan.patient, {"caregivers": ()}, **how())
    gone = [row for row in of(session, "delivery.day_before") if row.state is MessageState.CANCELLED]
    assert [(row.to, row.why) for row in gone] == [("+12125551002", "this person is no longer told")]


def test_a_helper_has_a_phone_of_her_own(session, plan):
    dana = CaregiverDetails("Dana", "daughter", IVY.phone)
    with pytest.raises(Invalid, match="phone of their own"):
        enrolment.amend(session, plan.patient, {"caregivers": (dana,)}, **how())


def test_stop_silences_at_once_and_start_brings_back_only_what_is_to_come(session, plan):
    contact, later = plan.patient.contact, at("2026-11-23 15:00")
    assert enrolment.record_consent(
        session, contact, Channel.SMS, Consent.WITHDRAWN, "text message", by="Ivy", now=at("2026-11-23 14:00")
    )
    assert standing(session) == {}
    assert enrolment.record_consent(session, contact, Channel.SMS, Consent.GIVEN, "text message", by="Ivy", now=later)
    enrolment.replan(session, plan, catalog=CATALOG, now=later)
    steps = {key.split()[0] for key in standing(session)}
    assert "delivery.day_before" in steps
    assert not steps & {"order.verified", "delivery.set", "welcome"}


def test_older_news_of_consent_changes_nothing(session, plan):
    contact = plan.patient.contact
    said = {"by": "Ivy", "now": NOW + timedelta(hours=1)}
    enrolment.record_consent(session, contact, Channel.SMS, Consent.WITHDRAWN, "text message", **said)
    assert not enrolment.record_consent(
        session,
        contact,
        Channel.SMS,
        Consent.GIVEN,
        "intake form v3",
        at=NOW,
        by="import",
        now=NOW + timedelta(hours=2),
    )
    assert contact.sms_consent is Consent.WITHDRAWN


# --- the order ----------------------------------------------------------------------------------------------------


def test_an_incomplete_order_is_not_verified_and_a_coordinator_is_told_what_is_missing(session):
    pharmacy.apply(session, PHARMACY, by="test", now=NOW)
    plan = enrolment.add_plan(session, enrolment.enrol(session, IVY, **how()), ORDER, **how())
    missing = enrolment.verify(session, plan, ALL | {"storage": False, "duration": False}, **how())
    assert missing == ("duration", "storage")
    assert (plan.state, plan.verified_at) == (PlanState.RECEIVED, None)
    ticket = session.scalars(select(Ticket)).one()
    assert (ticket.role, ticket.kinds, ticket.text) == (
        *(Role.COORDINATOR, ["ORDER_INCOMPLETE"]),
        "Order incomplete. Missing: duration, storage.",
    )
    assert {row.step for row in session.scalars(select(Message)) if row.step} == {"welcome"}


def test_an_order_that_cannot_be_is_refused(session, plan):
    with pytest.raises(Invalid, match="before the first dose"):
        enrolment.change_plan(session, plan, PlanDetails(**vars(ORDER) | {"ends_on": date(2026, 11, 1)}), **how())
    with pytest.raises(Invalid, match="another one"):
        enrolment.change_plan(session, plan, PlanDetails(**vars(ORDER) | {"therapy": Therapy.TPN}), **how())


def test_a_first_dose_that_moves_takes_its_messages_along(session, plan):
    enrolment.schedule_event(session, plan, EventKind.FIRST_DOSE, at("2026-11-27 09:00"), **how())
    assert plan.first_dose_at == at("2026-11-27 09:00")
    assert "check_in Sat 28 10:00" in standing(session)
    doses = select(func.count()).select_from(CareEvent).where(CareEvent.kind == EventKind.FIRST_DOSE)
    assert session.scalar(doses) == 1


def test_planning_twice_changes_nothing(session, plan):
    before = snapshot(session)
    for minutes in (0, 1, 30):
        enrolment.replan(session, plan, catalog=CATALOG, now=NOW + timedelta(minutes=minutes))
        assert snapshot(session) == before


# --- deliveries ---------------------------------------------------------------------------------------------------


def test_a_delivery_that_moves_is_announced_anew_and_the_old_day_is_silent(session, plan):
    moved = at("2026-11-23 16:00")
    friday = (at("2026-11-27 10:00"), at("2026-11-27 12:00"))
    leaves(session, of(session, "delivery.set")[0])
    assert enrolment.move_delivery(session, delivery(session), *friday, **how(moved))
    assert {"delivery.moved Mon 23 16:10", "delivery.day_before Thu 26 10:00"} <= standing(session).keys()
    assert "delivery.set Mon 23 16:00" not in standing(session)
    cancelled = [row for row in of(session, "delivery.day_before") if row.state is MessageState.CANCELLED]
    assert [row.why for row in cancelled] == ["the delivery moved"]
    assert not enrolment.move_delivery(session, delivery(session), *friday, **how(moved))


def test_a_delivery_that_moves_back_is_spoken_of_as_before(session, plan):
    first = BOX.window_start, BOX.window_end
    friday = (at("2026-11-27 10:00"), at("2026-11-27 12:00"))
    enrolment.move_delivery(session, delivery(session), *friday, **how(at("2026-11-23 16:00")))
    enrolment.move_delivery(session, delivery(session), *first, **how(at("2026-11-23 17:00")))
    assert "delivery.day_before Tue 24 10:00" in standing(session)
    assert [row.due_at for row in of(session, "delivery.set") if row.state is MessageState.PLANNED] == [
        at("2026-11-23 17:00")
    ]


def test_a_window_that_ends_before_it_begins_is_refused(session, plan):
    with pytest.raises(Invalid, match="must be after window_start"):
        enrolment.move_delivery(session, delivery(session), BOX.window_end, BOX.window_start, **how())


def test_out_then_delivered_then_asked_until_answered(session, plan):
    event = delivery(session)
    enrolment.set_delivery_status(session, event, EventState.OUT_FOR_DELIVERY, **how(at("2026-11-25 09:30")))
    assert "delivery.on_the_way Wed 25 09:30" in standing(session)
    enrolment.set_delivery_status(session, event, EventState.DONE, cold_ok=True, **how(at("2026-11-25 10:40")))
    assert {"delivery.arrived Wed 25 11:10", "delivery.no_answer Wed 25 13:40"} <= standing(session).keys()
    assert plan.state is PlanState.DELIVERED
    (asked,) = of(session, "delivery.arrived")
    leaves(session, asked)
    reply = {"by": "Ivy", "catalog": CATALOG, "now": at("2026-11-25 11:30")}
    assert not enrolment.answer(session, asked, ("FEVER",), **reply)
    assert "delivery.no_answer Wed 25 13:40" in standing(session)
    assert enrolment.answer(session, asked, ("DELIVERY_RECEIVED",), **reply)
    assert event.received_at == reply["now"]
    assert [row.why for row in of(session, "delivery.no_answer")] == ["it was answered"]
    assert not enrolment.answer(session, asked, ("DELIVERY_RECEIVED",), **reply)


def test_missing_is_an_answer_too_but_not_a_receipt(session, plan):
    enrolment.set_delivery_status(session, delivery(session), EventState.DONE, **how(at("2026-11-25 10:40")))
    (asked,) = of(session, "delivery.arrived")
    leaves(session, asked)
    now = at("2026-11-25 11:30")
    assert enrolment.answer(session, asked, ("MISSING",), by="Ivy", catalog=CATALOG, now=now)
    assert delivery(session).received_at is None
    assert of(session, "delivery.no_answer")[0].state is MessageState.CANCELLED


def test_yes_confirms_the_delivery_and_the_reminder_still_comes(session, plan):
    (asked,) = of(session, "delivery.set")
    leaves(session, asked)
    assert enrolment.answer(session, asked, ("DELIVERY_CONFIRM",), by="Ivy", catalog=CATALOG, now=NOW)
    assert delivery(session).confirmed_at == NOW
    assert "delivery.day_before Tue 24 10:00" in standing(session)


def test_what_came_cannot_be_moved_or_sent_out_again(session, plan):
    event = delivery(session)
    enrolment.set_delivery_status(session, event, EventState.DONE, **how(at("2026-11-25 10:40")))
    enrolment.set_delivery_status(session, event, EventState.DONE, **how(at("2026-11-25 10:41")))
    assert event.done_at == at("2026-11-25 10:40")
    with pytest.raises(Refused):
        enrolment.set_delivery_status(session, event, EventState.OUT_FOR_DELIVERY, **how())
    with pytest.raises(Refused):
        enrolment.move_delivery(session, event, at("2026-11-27 10:00"), at("2026-11-27 12:00"), **how())


def test_a_missed_visit_can_be_set_again(session, plan):
    visit = enrolment.schedule_education(session, plan, at("2026-11-24 14:00"), "visit", **how())
    enrolment.set_education(session, visit, status=EventState.FAILED, **how(at("2026-11-24 15:00")))
    enrolment.set_education(session, visit, at=at("2026-11-26 14:00"), mode="video", **how(at("2026-11-24 16:00")))
    assert (visit.state, visit.mode) == (EventState.SCHEDULED, "video")
    assert "education.day_before Wed 25 14:00" in standing(session)


def test_the_first_dose_is_spoken_of_once_the_box_and_the_teaching_are_booked(session, plan):
    assert not [key for key in standing(session) if key.startswith("first_dose")]
    enrolment.schedule_education(session, plan, at("2026-11-25 14:00"), "visit", **how())
    assert "first_dose.ready Tue 24 15:00" in standing(session)


# --- a plan's life ------------------------------------------------------------------------------------------------


def test_in_hospital_nothing_is_said_and_nothing_stale_after_it(session, plan):
    enrolment.pause(session, plan, "hospital", **how())
    assert {key.split()[0] for key in standing(session)} == {"welcome"}
    with pytest.raises(Refused):
        enrolment.pause(session, plan, "hospital", **how())
    home = at("2026-11-24 12:00")
    enrolment.resume(session, plan, **how(home))
    assert plan.state is PlanState.DELIVERY_SET
    assert all(due >= home for key, due in standing(session).items() if not key.startswith("welcome"))
    assert "check_in Thu 26 10:00" in standing(session)
    with pytest.raises(Refused):
        enrolment.resume(session, plan, **how(home))


def test_a_pause_with_an_end_ends_by_itself(session, plan):
    enrolment.pause(session, plan, "travel", until=at("2026-11-25 09:00"), **how())
    enrolment.roll_forward(session, catalog=CATALOG, now=at("2026-11-24 03:00"))
    assert plan.state is PlanState.PAUSED
    enrolment.roll_forward(session, catalog=CATALOG, now=at("2026-11-25 09:00"))
    assert plan.state is PlanState.DELIVERY_SET


def test_the_weeks_to_come_are_planned_as_they_come_near(session, plan):
    assert "check_in Wed 09 10:00" not in standing(session)
    enrolment.roll_forward(session, catalog=CATALOG, now=at("2026-11-26 03:00"))
    assert "check_in Wed 09 10:00" in standing(session)


def test_when_it_is_over_it_is_over(session, plan):
    enrolment.end(session, plan, "done", **how())
    assert {key.split()[0] for key in standing(session)} == {"welcome"}
    with pytest.raises(Refused):
        enrolment.schedule_delivery(session, plan, DeliveryDetails("D-2", BOX.window_start, BOX.window_end), **how())


def test_after_a_death_nothing_is_sent(session, plan):
    enrolment.schedule_event(session, plan, EventKind.LAST_VISIT, at("2026-11-23 08:00"), **how())
    assert "end.after Wed 25 10:00" in standing(session)
    enrolment.end(session, plan, "died", deceased=True, **how())
    assert plan.state is PlanState.DECEASED
    assert standing(session) == {}


# --- what has left, and who was first -----------------------------------------------------------------------------


def test_what_has_left_is_never_touched_or_told_again(session, plan):
    told = of(session, "delivery.set")[0]
    leaves(session, told)
    enrolment.replan(session, plan, catalog=CATALOG, now=NOW)
    assert [(row.id, row.state) for row in of(session, "delivery.set")] == [(told.id, MessageState.SENT)]


def test_a_retry_keeps_its_hour(session, plan):
    told = of(session, "delivery.day_before")[0]
    later = told.due_at + timedelta(minutes=5)
    session.execute(update(Message).where(Message.id == told.id).values(due_at=later, attempts=1))
    session.expire_all()
    enrolment.replan(session, plan, catalog=CATALOG, now=told.due_at)
    assert of(session, "delivery.day_before")[0].due_at == later


def test_everything_leaves_a_line_in_the_journal_without_a_name_or_a_phone(session, plan):
    lines = session.scalars(select(AuditEvent)).all()
    assert {"patient.enrolled", "consent.given", "therapy_plan.verified", "delivery.scheduled"} <= {
        line.verb for line in lines
    }
    assert not any("Ivy" in (line.detail or "") or "555" in (line.detail or "") for line in lines)


def test_many_workers_plan_one_patient_once(database_url):
    use_keys()
    engine = db.connect(database_url)
    sessions = db.sessions(engine)
    with sessions() as session:
        plan_id = set_up(session).id
        session.execute(update(Message).values(key=func.concat("old:", Message.key)))  # all of it is to be planned anew
        session.commit()

    def work(_number: int) -> None:
        with sessions() as session, session.begin():
            enrolment.replan(session, session.get_one(TherapyPlan, plan_id), catalog=CATALOG, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    with sessions() as session:
        planned = session.scalars(select(Message.key).where(Message.state == MessageState.PLANNED)).all()
        assert len([key for key in planned if "delivery.set" in key and not key.startswith("old:")]) == 1
        assert session.scalar(select(func.count()).select_from(Patient)) == 1
    engine.dispose()

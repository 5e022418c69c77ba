"""Twilio is slow, shut, or keeps its answer to itself: what may go again goes again, what may not never does."""

import threading
import time
import uuid
from datetime import timedelta

import requests
from sqlalchemy import func, select, text, update

from jobs import drain, tasks
from notifier import clock as times
from notifier import reconcile, runtime, sending
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Message
from notifier.sandbox import Rates, Receipts
from tests.servers import wait_until


def attempts() -> int:
    with runtime.reading() as session:
        return session.scalar(select(func.count()).select_from(Attempt))


def settled(person, template: str) -> bool:
    """Twilio is asked until the doubt about this message is over."""
    tasks.settle()
    return person.message(template).state is not MessageState.UNCERTAIN


def call(clinic, person) -> uuid.UUID:
    """A call to this person that is due now."""
    contact = clinic.contact(person)
    with runtime.transaction() as session:
        message = Message(
            key=f"test:{person.name}",
            site_key="newyork",
            patient_id=contact.patient_id,
            contact_id=contact.id,
            to=contact.phone,
            to_hash=contact.phone_hash,
            channel=Channel.VOICE,
            template="verbatim",
            language="en",
            values={"text": "Please call us."},
            any_hour=True,
            due_at=clinic.now,
            not_after=clinic.now + timedelta(hours=2),
            created_at=clinic.now,
        )
        session.add(message)
        session.flush()
        return message.id


def message(message_id: uuid.UUID) -> Message:
    with runtime.reading() as session:
        return session.get_one(Message, message_id)


def test_a_call_that_waits_in_twilios_queue_is_not_made_twice(clinic, clock):
    """Twilio lets one call a second out; one that waits has not started, and a list by start hides it."""
    clinic.sandbox.rates = Rates(calls=0.01)
    ivy, joe = clinic.patient("Ivy", welcomed=True), clinic.patient("Joe", welcomed=True)
    call(clinic, joe)
    tasks.drain_bulk()
    clinic.sandbox.fault("500-after", to=ivy.phone.number)
    second = call(clinic, ivy)
    tasks.drain_bulk()
    assert message(second).state is MessageState.UNCERTAIN

    def settled() -> bool:
        tasks.settle()
        return message(second).state is not MessageState.UNCERTAIN

    wait_until(settled, "the doubt is settled")
    assert message(second).state is MessageState.SENT


def test_while_our_account_is_shut_out_messages_wait_and_then_leave(clinic, clock):
    ivy = clinic.active("Ivy")
    twilio = runtime.current().twilio.sender
    password, twilio.password = twilio.password, "changed by somebody"
    twilio.auth = (twilio.username, twilio.password)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.passes(minutes=3)
    told = ivy.message("M04")
    assert told.state is MessageState.PLANNED
    assert sum(each.attempts for each in ivy.messages) >= 3  # one tries now and then whether it is mended
    assert ivy.tickets == []
    twilio.password = password
    twilio.auth = (twilio.username, password)
    clock.passes(minutes=6)
    assert ivy.message("M04").state is MessageState.DELIVERED
    assert ivy.message("M04").why is None
    assert ivy.received("Your delivery is set for Wednesday") == 1


def test_refusals_to_listen_do_not_use_up_the_tries(clinic, clock):
    """Four times too many requests, then an answer that is lost before Twilio took it: it is sent all the same."""
    ivy = clinic.active("Ivy")
    clinic.sandbox.fault("429", times=4, to=ivy.phone.number)
    clinic.sandbox.fault("500", to=ivy.phone.number)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.passes(minutes=12)
    assert ivy.message("M04").state is MessageState.UNCERTAIN
    wait_until(lambda: settled(ivy, "M04"), "the doubt is settled")
    clinic.world.settle()
    assert ivy.received("Your delivery is set for Wednesday") == 1


def test_back_off_is_real_time_on_a_clock_that_runs(clinic, clock, monkeypatch):
    """At 1440 times the pace five seconds of the story pass in an instant: Twilio would be hammered."""
    ivy = clinic.active("Ivy")
    clinic.sandbox.fault("429", times=1000, to=ivy.phone.number)
    before = attempts()
    start = clock.now.isoformat()
    monkeypatch.setenv("NOTIFIER_CLOCK", f"{start}@1440,{times.real().timestamp()}")
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    tasks.drain_bulk()
    assert attempts() - before <= 2


def test_a_page_is_tried_again_soon_after_twilio_is_back(clinic, clock):
    ivy = clinic.active("Ivy")
    clinic.sandbox.fault("429", times=6, to=clinic.nia.phone.number)
    ivy.texts("FEVER")
    clock.passes(minutes=2, seconds=30)  # six waits of 20 s, each up to a fifth longer
    assert clinic.nia.pages


def test_carriers_that_never_tell_starve_nobody(clinic, clock):
    """Each look for a missing receipt is later than the one before."""
    ivy = clinic.active("Ivy")
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    told = ivy.message("M04")
    with runtime.transaction() as session:
        session.execute(update(type(told)).where(type(told).id == told.id).values(state=MessageState.SENT))
        session.execute(update(Attempt).values(provider_status="sent"))
    later = times.real() + timedelta(minutes=31)

    def overdue() -> list[str]:
        with runtime.reading() as session:
            found = reconcile.without_receipt(session, real_now=later)
        return [sid for attempt, _, sid in found if attempt == told.attempt_id]

    [sid] = overdue()
    assert runtime.current().twilio.fetch(Channel.SMS, sid) is not None
    with runtime.transaction() as session:
        reconcile.record_look(session, told.attempt_id, None, catalog=runtime.current().catalog, now=clock.now)
    assert overdue() == []


def test_a_machine_that_took_the_call_is_nobody_reached_though_the_receipt_was_lost(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    ivy.phone.mode = "voicemail"
    clinic.sandbox.receipts = Receipts(lost=True)
    told = call(clinic, ivy)
    clinic.world.settle()
    clock.passes(minutes=1)
    assert message(told).state is MessageState.SENT
    with runtime.transaction() as session:
        session.execute(update(Attempt).values(began=times.real() - timedelta(minutes=31)))
    tasks.fetch_receipts()
    assert message(told).state is MessageState.FAILED  # two hours later, its time will have passed
    assert message(told).why == "a machine answered"


def test_one_call_that_hangs_holds_up_nobody_else(clinic, clock):
    ivy, joe = clinic.patient("Ivy", welcomed=True), clinic.patient("Joe", welcomed=True)
    clinic.sandbox.fault("hang", to=ivy.phone.number)
    hanging = call(clinic, ivy)
    draining = threading.Thread(target=tasks.drain_bulk)
    draining.start()
    wait_until(lambda: message(hanging).state is MessageState.SENDING, "Twilio is asked")
    other = call(clinic, joe)
    draining.join()  # it waits a second for what hangs, and goes
    tasks.drain_bulk()
    wait_until(lambda: message(other).state is MessageState.SENT, "the other call is made", 4)
    assert message(hanging).state is MessageState.SENDING
    assert drain.calls.wait(15)
    assert message(hanging).state is MessageState.UNCERTAIN


def test_a_worker_that_was_frozen_past_its_lease_sends_nothing(clinic):
    ivy = clinic.patient("Ivy", welcomed=True)
    told = call(clinic, ivy)
    with runtime.reading() as session:
        [lane] = sending.lanes(session, now=clinic.now)
    [order] = drain._claim({lane: 1})
    drain.calls.begin([order], time.monotonic() - 1)
    assert drain.calls.wait(5)
    assert clinic.sandbox.calls == []
    assert message(told).state is MessageState.PLANNED


def test_two_receipts_at_once_never_set_twilios_word_back(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    told = call(clinic, ivy)
    tasks.drain_bulk()
    attempt_id = message(told).attempt_id
    with runtime.transaction() as session:
        session.get_one(Attempt, attempt_id).reached_at = clock.now  # she has pressed a key

    def receipt(session, status: str) -> None:
        sid, catalog = clinic.sandbox.calls[-1].sid, runtime.current().catalog
        sending.record_receipt(
            session, attempt_id, sid=sid, status=status, error_code=None, catalog=catalog, now=clock.now
        )

    def earlier() -> None:
        with runtime.transaction() as session:
            receipt(session, "ringing")

    def waits() -> int:
        with runtime.reading() as session:
            return session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    with runtime.transaction() as session:
        receipt(session, "completed")
        session.flush()
        late = threading.Thread(target=earlier)
        late.start()
        wait_until(waits, "the other callback waits")
    late.join()
    with runtime.reading() as session:
        assert session.get_one(Attempt, attempt_id).provider_status == "completed"
    assert message(told).state is MessageState.DELIVERED


def statusz(clinic) -> requests.Response:
    return requests.get(f"{clinic.world.url}/statusz", timeout=10)


def test_the_state_page_says_that_twilio_takes_nothing_though_back_off_moves_what_is_due(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.sandbox.weather = "429"
    told = call(clinic, ivy)
    clinic.world.settle()
    assert message(told).state is MessageState.PLANNED
    assert statusz(clinic).status_code == 200
    with runtime.transaction() as session:
        session.execute(update(Attempt).values(began=times.real() - timedelta(minutes=3)))
    assert statusz(clinic).status_code == 503
    assert "Twilio takes no messages" in statusz(clinic).json()["status"]
    clinic.sandbox.weather = "fair"
    clock.passes(minutes=1)
    assert statusz(clinic).status_code == 200


def test_the_state_page_says_that_a_doubt_stays_a_doubt(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.sandbox.fault("500-after", to=ivy.phone.number)
    call(clinic, ivy)
    tasks.drain_bulk()
    with runtime.transaction() as session:
        session.execute(update(Attempt).values(began=times.real() - timedelta(minutes=11)))
    assert "Twilio cannot be asked" in statusz(clinic).json()["status"]
    tasks.settle()
    assert statusz(clinic).status_code == 200

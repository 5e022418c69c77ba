"""What the engine owes when things go wrong: other ways for what matters, receipts in any order, one that leads."""

import os
import signal
import threading
import time
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from twilio.request_validator import RequestValidator

from jobs import clock as ticking
from jobs import drain, tasks
from notifier import clock as times
from notifier import reconcile, runtime
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent
from notifier.enrolment import ConsentDetails
from notifier.models import Attempt, Contact, Inbound, Leader, Message, Receipt, Site
from notifier.sandbox import Receipts
from tests.clinic import OUR_NUMBER
from tests.edges.test_failures import of, remind
from tests.edges.test_outages import Running
from tests.edges.test_twilio_requests import post
from tests.servers import wait_until
from tests.world import TOKEN


def tell(clinic, attempt: uuid.UUID, sid: str, status: str, **more: str) -> int:
    """A status callback, as Twilio posts it."""
    url, form = f"{clinic.world.url}/twilio/status/{attempt}", {"MessageSid": sid, "MessageStatus": status, **more}
    return post(url, form, RequestValidator(TOKEN).compute_signature(url, form)).status_code


def receipts() -> int:
    with runtime.reading() as session:
        return session.scalar(select(func.count()).select_from(Receipt))


def attempt_of(message: Message) -> Attempt:
    with runtime.reading() as session:
        return session.get_one(Attempt, of(message).attempt_id)


# --- another way --------------------------------------------------------------------------------------------------


def test_what_matters_goes_by_voice_then_to_the_daughter_then_to_a_coordinator(clinic, clock):
    both = tuple(ConsentDetails(channel, "intake form v3", clock.now) for channel in Channel)
    ivy = clinic.patient("Ivy", welcomed=True, consents=both)
    clinic.ordered(ivy, "2026-11-29 15:00")
    clinic.verified(ivy)
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    daughter = clinic.sandbox.phone("+12125557001")
    with (
        runtime.transaction() as session
    ):  # she joins when the reminders are planned already, and is not told by the plan
        own = session.scalars(select(Contact).where(Contact.phone_hash == clinic.contact(ivy).phone_hash)).one()
        consents = {"sms_consent": Consent.GIVEN, "language": "en", "channel": Channel.SMS, "receives": ["delivery"]}
        session.add(
            Contact(
                patient_id=own.patient_id, relation="daughter", name="Ada", phone=daughter.number,
                phone_hash="7" * 64, created_at=clock.now, **consents,
            )
        )  # fmt: skip
    ivy.phone.mode = "landline"
    clock.until("2026-11-24T15:30:00+00:00")  # M05, a day ahead, at ten
    for _ in range(8):
        if ivy.phone.ringing:
            ivy.phone.declines()
        clock.passes(minutes=10)
    ways = [(each.channel, each.state) for each in ivy.messages if each.template == "M05"]
    assert (Channel.SMS, MessageState.FAILED) in ways
    assert (Channel.VOICE, MessageState.FAILED) in ways
    assert [text.body for text in daughter.inbox if "Delivery tomorrow" in text.body]


def test_while_twilio_is_down_what_has_lost_its_sense_is_not_sent_late(clinic, clock):
    ivy = clinic.active("Ivy")
    clinic.sandbox.weather = "429"
    told = remind(clinic, ivy, matters=True)
    clock.passes(hours=3)
    assert of(told).state is MessageState.EXPIRED
    assert ivy.ticket.kinds == ["UNREACHABLE"]
    clinic.sandbox.weather = "fair"
    clock.passes(minutes=10)
    assert ivy.received("Pharmko: hello") == 0


# --- receipts -----------------------------------------------------------------------------------------------------


def test_a_receipt_of_nothing_we_know_is_kept_and_settled_when_we_do(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.sandbox.receipts = Receipts(lost=True)
    clinic.sandbox.fault("500-after", to=ivy.phone.number)
    told = remind(clinic, ivy)
    sid = clinic.sandbox.sent[-1].sid
    assert tell(clinic, uuid.uuid4(), sid, "delivered") == 204
    clinic.world.settle()
    assert receipts() == 1
    with runtime.transaction() as session:  # Twilio's list has told whose it is
        session.execute(update(Attempt).where(Attempt.message_id == told.id).values(provider_sid=sid))
    tasks.find_owners()
    assert of(told).state is MessageState.DELIVERED
    assert receipts() == 0


def test_a_receipt_may_come_before_twilios_own_answer(clinic):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.sandbox.slowness = 1.0
    clinic.sandbox.receipts = Receipts(delay=0.1)
    clinic.sandbox.fault("slow", to=ivy.phone.number)
    told = remind(clinic, ivy, at_once=False)
    sending = threading.Thread(target=drain.drain_bulk)
    sending.start()
    wait_until(receipts, "a receipt comes", 10)
    tasks.settle_receipts()
    early = of(told).state
    sending.join()
    clinic.world.settle()
    assert early in (MessageState.SENT, MessageState.DELIVERED)
    assert of(told).state is MessageState.DELIVERED


@pytest.mark.parametrize("order", [("sent", "delivered"), ("delivered", "sent"), ("delivered", "delivered", "queued")])
def test_receipts_in_any_order_and_twice_end_delivered(clinic, order):
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.sandbox.receipts = Receipts(lost=True)
    told = remind(clinic, ivy)
    for status in order:
        tell(clinic, of(told).attempt_id, clinic.sandbox.sent[-1].sid, status)
    clinic.world.settle()
    assert of(told).state is MessageState.DELIVERED
    assert of(told).why is None
    assert attempt_of(told).provider_status == "delivered"


def test_after_twelve_hours_a_message_ends_with_a_word_and_what_mattered_is_a_ticket(clinic, clock):
    ivy, joe = clinic.patient("Ivy", welcomed=True), clinic.patient("Joe", welcomed=True)
    clinic.sandbox.receipts = Receipts(lost=True)
    told = [remind(clinic, person, matters=True) for person in (ivy, joe)]
    with runtime.transaction() as session:
        session.execute(update(Message).where(Message.id == told[1].id).values(answered_at=clock.now))
    for hours in (0.6, 2.1, 6.1, 12.1):
        began = times.real() - timedelta(hours=hours)
        with runtime.transaction() as session:
            session.execute(update(Attempt).values(began=began))
        with runtime.reading() as session:
            silent = reconcile.without_receipt(session, real_now=times.real())
        assert len(silent) == 2
        for attempt, _, _ in silent:
            with runtime.transaction() as session:  # Twilio has no news of it
                reconcile.record_look(session, attempt, None, catalog=runtime.current().catalog, now=clock.now)
    assert [of(each).state for each in told] == [MessageState.FAILED, MessageState.DELIVERED]
    assert "has not told in 12 hours" in of(told[0]).why
    assert ivy.ticket.kinds == ["UNREACHABLE"]
    assert joe.tickets == []


# --- attention ----------------------------------------------------------------------------------------------------


def test_a_page_leaves_within_a_second_while_the_urgent_worker_waits_for_twilio(clinic):
    ivy, joe = clinic.patient("Ivy", welcomed=True), clinic.patient("Joe", welcomed=True)
    clinic.sandbox.fault("hang", to=ivy.phone.number)
    began = time.monotonic()

    def plant(person) -> None:
        contact = clinic.contact(person)
        with runtime.transaction() as session:
            session.add(
                Message(
                    key=f"test:{person.name}", site_key="newyork", to=contact.phone, to_hash=contact.phone_hash,
                    channel=Channel.SMS, template="verbatim", language="en", values={"text": "urgent"}, urgent=True,
                    any_hour=True, due_at=clinic.now, not_after=clinic.now + timedelta(hours=1), created_at=clinic.now,
                )
            )  # fmt: skip

    plant(ivy)
    tasks.dispatch()  # the call to Ivy hangs for ten seconds
    waited = time.monotonic() - began
    plant(joe)
    tasks.dispatch()
    assert waited < 5
    assert joe.received("urgent") == 1 or clinic.sandbox.sent[-1].recipient == joe.phone.number
    assert drain.calls.wait(0.01) is False  # Ivy's is still under way
    assert drain.calls.wait(20)


# --- catching up --------------------------------------------------------------------------------------------------


def test_texts_to_a_messaging_services_number_are_fetched_and_stop_comes_first(clinic, clock):
    ivy, joe = clinic.active("Ivy"), clinic.active("Joe")
    with runtime.transaction() as session:
        session.execute(update(Site).values(sms_from=None, messaging_service="MG" + "1" * 32))
    clinic.sandbox.public_base_url = "http://127.0.0.1:9"  # we are down
    ivy.phone.texts("MISSING 2 syringes", to=OUR_NUMBER)
    clinic.sandbox.settle()
    clock.set(clock.now + timedelta(seconds=5))
    joe.phone.texts("STOP", to=OUR_NUMBER)
    clinic.sandbox.settle()
    came = clock.now
    clinic.sandbox.public_base_url = clinic.world.url
    clock.set(clock.now + timedelta(minutes=30))
    tasks.reconcile_all("2")
    with runtime.reading() as session:
        rows = session.scalars(select(Inbound).order_by(Inbound.received_at)).all()
        assert [row.body for row in rows] == ["MISSING 2 syringes", "STOP"]
        assert [row.state for row in rows] == ["received", "triaged"]  # STOP was acted on at once
        assert rows[1].received_at == came.replace(microsecond=0)  # Twilio's time
    assert clinic.contact(joe).sms_consent is Consent.WITHDRAWN
    clinic.world.settle()
    assert ["MISSING"] in [ticket.kinds for ticket in ivy.tickets]


# --- who leads ----------------------------------------------------------------------------------------------------


def test_two_that_both_believe_they_lead_do_no_work_twice(clinic):
    people = [clinic.patient(f"P{number}", welcomed=True) for number in range(8)]
    both = [threading.Thread(target=ticking.tick) for _ in range(2)]
    with runtime.transaction() as session:
        for person in people:
            contact = session.get_one(Contact, clinic.contact(person).id)
            session.add(
                Message(
                    key=f"test:{person.name}", site_key="newyork", to=contact.phone, to_hash=contact.phone_hash,
                    channel=Channel.SMS, template="verbatim", language="en", values={"text": "once"}, urgent=True,
                    any_hour=True, due_at=clinic.now, not_after=clinic.now + timedelta(hours=1), created_at=clinic.now,
                )
            )  # fmt: skip
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    tasks.dispatch()
    clinic.world.settle()
    assert [person.received("once") for person in people] == [1] * 8


def test_another_clock_leads_within_fifteen_seconds_of_a_sigkill():
    running = Running()
    try:
        running.run("migrate").wait(60)
        first, second = running.run("clock"), running.run("clock")

        def leader() -> int:
            with runtime.reading() as session:
                holder = session.scalar(select(Leader.holder).where(Leader.until > times.real()))
            return int(holder.rsplit(":", 1)[1]) if holder else 0

        wait_until(leader, "one leads")
        killed = leader()
        other = second.pid if killed == first.pid else first.pid
        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: leader() == other, "the other leads", 15)
        assert time.monotonic() - began <= 15
    finally:
        running.stop()

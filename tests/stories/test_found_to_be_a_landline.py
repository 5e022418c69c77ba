"""A phone turns out to be a landline: it is called from the first word on, and nothing is texted into the void."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from notifier import enrolment, phone_lines, runtime
from notifier.core.line_types import LineType
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent, Role, Urgency
from notifier.details import ConsentDetails
from notifier.models import AuditEvent, Message, PhoneLine
from notifier.sealing import lookup
from tests.edges.test_failures import remind

BILLS = "+12125552074"


def agreed(clinic, *channels: Channel) -> tuple[ConsentDetails, ...]:
    return tuple(ConsentDetails(channel, "intake form v3", clinic.now) for channel in channels or Channel)


def with_a_landline(clinic, name: str = "Bill", number: str = BILLS, **given):
    """Enrolled as somebody who is texted: nobody asked what kind of phone it is."""
    clinic.sandbox.phone(number).mode = "landline"
    return clinic.patient(name, phone=number, **{"consents": agreed(clinic), **given})


def asked(clinic, number: str = BILLS) -> int:
    """How often Twilio was asked what this number is: each costs money."""
    return clinic.sandbox.looked_up.count(number)


def line(number: str = BILLS) -> PhoneLine:
    with runtime.reading() as session:
        return session.get_one(PhoneLine, lookup(number))


def journal(patient) -> list[str]:
    with runtime.reading() as session:
        wanted = select(AuditEvent.verb).where(AuditEvent.patient_id == patient.row.id).order_by(AuditEvent.id)
        return list(session.scalars(wanted))


def ways(patient) -> set[Channel]:
    return {each.channel for each in patient.messages if each.sent_at}


def test_a_landline_found_at_enrolment_is_called_with_the_first_word_and_texted_nothing(clinic):
    bill = with_a_landline(clinic)
    assert bill.phone.ringing
    assert any("You said yes to our calls" in said for said in bill.answers("1"))
    assert bill.told("M01") == ["Mon 09:00"]
    assert ways(bill) == {Channel.VOICE}
    assert bill.inbox == []
    contact = clinic.contact(bill)
    assert (contact.channel, contact.wish) == (Channel.VOICE, Channel.SMS)
    assert (line().kind, line().asked_at) == (LineType.LANDLINE, clinic.now)
    assert journal(bill).count("contact.landline") == 1
    assert bill.tickets == []


def test_each_number_is_asked_about_once_whoever_has_it(clinic):
    bill = with_a_landline(clinic)
    mabel = clinic.patient("Mabel", phone=BILLS, consents=agreed(clinic))
    assert asked(clinic) == 1
    assert clinic.contact(mabel).channel is Channel.VOICE
    clinic.does(enrolment.amend, bill.row, {"postal_code": "10001"})
    assert asked(clinic) == 1


def test_a_mobile_is_texted_as_ever_and_at_once(clinic):
    ivy = clinic.patient("Ivy")
    assert ivy.told("M01") == ["Mon 09:00"]
    assert line(ivy.phone.number).kind is LineType.MOBILE
    assert "contact.landline" not in journal(ivy)


# --- where calls were not agreed to ---------------------------------------------------------------------------------


def test_without_consent_to_calls_nothing_is_sent_and_a_coordinator_is_told_what_to_ask(clinic, clock):
    bill = with_a_landline(clinic, consents=agreed(clinic, Channel.SMS))
    assert not bill.phone.ringing
    assert bill.inbox == []
    ticket = bill.ticket
    assert (ticket.role, ticket.urgency, ticket.kinds) == (Role.COORDINATOR, Urgency.SAME_DAY, ["UNREACHABLE"])
    assert ticket.text.startswith("The patient's phone is a landline: texts do not arrive there")
    assert "ask whether we may call" in ticket.text
    assert clinic.cora.is_paged
    # Cora asks, he says yes, and the first word comes by call.
    clock.passes(minutes=20)
    clinic.does(enrolment.amend, bill.row, {"consents": agreed(clinic, Channel.VOICE)})
    assert bill.phone.ringing
    assert any("You said yes to our calls" in said for said in bill.answers("1"))
    assert ways(bill) == {Channel.VOICE}


def test_who_asked_for_no_calls_is_not_called_by_us(clinic):
    withdrawn = ConsentDetails(Channel.VOICE, "by phone", clinic.now, Consent.WITHDRAWN)
    bill = with_a_landline(clinic, consents=(*agreed(clinic, Channel.SMS), withdrawn))
    assert not bill.phone.ringing
    assert "They asked for no more calls from us. Please call yourself" in bill.ticket.text


def test_who_agreed_to_nothing_is_no_ticket(clinic):
    bill = with_a_landline(clinic, consents=())
    assert bill.tickets == []
    assert ways(bill) == set()


# --- when Twilio does not answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("weather", ["500", "429", "dropped"])
def test_while_lookup_is_away_the_first_text_waits_a_minute_and_then_leaves(clinic, clock, weather):
    clinic.sandbox.weather_over("lookup", weather)
    ivy = clinic.patient("Ivy")
    assert ivy.inbox == []
    clock.passes(seconds=59)
    assert ivy.inbox == []
    clock.passes(seconds=1)
    assert ivy.received("consent") + ivy.received("said yes") >= 1
    assert ivy.told("M01") == ["Mon 09:01"]
    assert clinic.contact(ivy).channel is Channel.SMS
    assert line(ivy.phone.number).kind is LineType.UNKNOWN


def test_only_the_journeys_texts_wait_and_what_she_writes_is_answered_at_once(clinic):
    clinic.sandbox.weather_over("lookup", "500")
    ivy = clinic.patient("Ivy")
    ivy.texts("FEVER")
    assert ivy.received("911") == 1
    assert ivy.told("M01") == []


def test_lookup_is_asked_again_a_few_times_and_then_no_more(clinic, clock, monkeypatch):
    monkeypatch.setattr(phone_lines, "AGAIN", (timedelta(0),) * 4)
    monkeypatch.setattr(phone_lines, "AWAY", timedelta(0))
    clinic.sandbox.weather_over("lookup", "500")
    ivy = clinic.patient("Ivy")
    for _ in range(6):
        clinic.world.settle()
    assert (line(ivy.phone.number).tries, line(ivy.phone.number).waits) == (4, False)
    clinic.sandbox.weather_over("lookup", "fair")
    clock.passes(hours=5)
    assert asked(clinic, ivy.phone.number) == 0
    assert ivy.told("M01") == ["Mon 09:01"]


def test_what_lookup_tells_late_turns_what_is_still_to_come(clinic, clock, monkeypatch):
    monkeypatch.setattr(phone_lines, "AGAIN", (timedelta(0),) * 4)
    monkeypatch.setattr(phone_lines, "AWAY", timedelta(0))
    monkeypatch.setattr(phone_lines, "HOLD", timedelta(0))
    clinic.sandbox.weather_over("lookup", "500")
    bill = with_a_landline(clinic, welcomed=True)
    clinic.sandbox.weather_over("lookup", "fair")
    clinic.ordered(bill, "2026-11-29 15:00")
    clinic.verified(bill)
    clinic.delivery(bill, "2026-11-25 10:00", "2026-11-25 12:00")
    assert clinic.contact(bill).channel is Channel.VOICE
    assert {each.channel for each in bill.messages if each.state is MessageState.PLANNED} == {Channel.VOICE}
    assert bill.inbox == []


def test_switched_off_nobody_is_asked_and_nothing_waits(clinic, monkeypatch):
    settings = runtime.current().settings
    monkeypatch.setattr(type(settings), "looks_up_phones", property(lambda _: False))
    ivy = clinic.patient("Ivy")
    assert asked(clinic, ivy.phone.number) == 0
    assert ivy.told("M01") == ["Mon 09:00"]


# --- another phone, a helper's, a nurse's ---------------------------------------------------------------------------


def test_a_new_number_that_is_a_landline_turns_what_is_planned(clinic):
    ivy = clinic.active("Ivy", consents=agreed(clinic))
    clinic.delivery(ivy, "2026-11-27 10:00", "2026-11-27 12:00")
    clinic.sandbox.phone(BILLS).mode = "landline"
    clinic.does(enrolment.amend, ivy.row, {"phone": BILLS})
    assert clinic.contact(ivy).channel is Channel.VOICE
    planned = [each for each in ivy.messages if each.state is MessageState.PLANNED]
    assert planned
    assert {each.channel for each in planned} == {Channel.VOICE}
    # And back: a mobile is texted again, as was asked for at first.
    clinic.does(enrolment.amend, ivy.row, {"phone": "+12125552075"})
    assert clinic.contact(ivy).channel is Channel.SMS


def test_a_helpers_landline_is_called_and_one_who_may_not_be_is_asked_for(clinic):
    clinic.sandbox.phone("+12125557001").mode = "landline"
    ivy = clinic.active("Ivy", caregivers=(clinic.helper("Ada", "+12125557001", "delivery"),))
    assert "A helper's phone is a landline" in ivy.ticket.text
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    assert clinic.stranger("+12125557001").inbox == []


def test_a_nurse_with_a_landline_is_paged_by_call_from_the_first_page_on(clinic):
    clinic.sandbox.phone(clinic.nia.phone.number).mode = "landline"
    with runtime.transaction() as session:
        phone_lines.learned(session, clinic.nia.phone.number, LineType.UNKNOWN, now=clinic.now)
        session.get_one(PhoneLine, lookup(clinic.nia.phone.number)).waits = True
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    assert clinic.nia.phone.ringing
    assert clinic.nia.inbox == []
    clinic.nia.answers("1")
    assert ivy.ticket.owner == "Nia Nurse"


# --- what carriers and people tell ----------------------------------------------------------------------------------


def test_a_carrier_that_says_landline_turns_the_channel_and_the_text_goes_by_call(clinic, monkeypatch):
    settings = runtime.current().settings
    monkeypatch.setattr(type(settings), "looks_up_phones", property(lambda _: False))
    bill = with_a_landline(clinic)
    clinic.world.settle()
    assert any("You said yes to our calls" in said for said in bill.answers("1"))
    bill.phone.hangs_up()
    clinic.world.settle()
    assert clinic.contact(bill).channel is Channel.VOICE
    assert line().kind is LineType.LANDLINE
    assert [(each.channel, each.state) for each in bill.messages if each.template == "M01"] == [
        (Channel.SMS, MessageState.FAILED),
        (Channel.VOICE, MessageState.DELIVERED),
    ]
    clinic.ordered(bill, "2026-11-29 15:00")
    clinic.verified(bill)
    assert bill.phone.ringing  # the next one tries no text at all
    assert sum(each.channel is Channel.SMS for each in bill.messages if each.sent_at) == 1


def test_a_mobile_out_of_its_carriers_reach_stays_a_mobile(clinic):
    ivy = clinic.active("Ivy", consents=agreed(clinic))
    ivy.phone.mode = "landline"  # the carrier answers 30006 all the same
    remind(clinic, ivy)
    assert clinic.contact(ivy).channel is Channel.SMS
    clinic.sandbox.fault(21614, to=ivy.phone.number)
    with runtime.transaction() as session:
        session.execute(Message.__table__.delete().where(Message.template == "verbatim", Message.state == "planned"))
    clinic.world.clock.passes(minutes=1)
    remind(clinic, ivy)
    assert clinic.contact(ivy).channel is Channel.VOICE


def test_who_texts_us_has_no_landline_whatever_was_said(clinic):
    bill = with_a_landline(clinic)
    bill.answers("1")
    clinic.sandbox.phone(BILLS).mode = "on"
    bill.texts("hello, I can text too")
    assert clinic.contact(bill).channel is Channel.SMS
    assert "contact.takes_texts" in journal(bill)


def test_two_workers_never_ask_about_one_number_at_once(clinic):
    clinic.sandbox.weather_over("lookup", "500")
    clinic.patient("Ivy")
    with runtime.transaction() as session:
        row = session.scalars(select(PhoneLine).where(PhoneLine.waits)).first()
        row.look_at, row.tries = None, 0
        now = {"now": clinic.now, "real_now": clinic.now, "pace": 1.0}
        assert phone_lines.take(session, **now)
        with runtime.transaction() as other:
            assert phone_lines.take(other, **now) is None
    with runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(PhoneLine).where(PhoneLine.tries == 1)) >= 1

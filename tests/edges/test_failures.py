"""Every code of Twilio has its row, and each row is met here through the sandbox: what follows, and who is told."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier import runtime
from notifier.catalog import load
from notifier.core.failures import Failure, Rule
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Consent
from notifier.models import Contact, Message, SenderStop, Ticket

FAILURES = load().failures
LATER = {code: rule for code, rule in FAILURES.codes.items() if 30000 < code < 31000 or code == 63038}
AT_ONCE = {code: rule for code, rule in FAILURES.codes.items() if code not in LATER}
CALLS_ONLY = {10004, 13223, 13224, 13225, 13227, 21210, 21213, 21214, 21215, 21216, 21217, 21219}


def names(rules: dict[int, Rule]) -> list[pytest.param]:
    return [pytest.param(code, id=f"{code}-{rule.failure}") for code, rule in sorted(rules.items())]


def remind(clinic, person, channel: Channel = Channel.SMS, *, at_once: bool = True, **given) -> Message:
    """A message to this person that is due now; what it is about does not matter here."""
    contact = clinic.contact(person)
    with runtime.transaction() as session:
        message = Message(
            key=f"test:{person.name}:{clinic.now}",
            site_key="newyork",
            patient_id=contact.patient_id,
            contact_id=contact.id,
            to=contact.phone,
            to_hash=contact.phone_hash,
            channel=channel,
            template="verbatim",
            language="en",
            values={"text": "Pharmko: hello"},
            any_hour=True,
            due_at=clinic.now,
            not_after=clinic.now + timedelta(hours=2),
            created_at=clinic.now,
            **given,
        )
        session.add(message)
    if at_once:
        clinic.world.settle()
    return message


def of(message: Message) -> Message:
    with runtime.reading() as session:
        return session.get_one(Message, message.id)


def set_up_tickets() -> list[Ticket]:
    with runtime.reading() as session:
        return [ticket for ticket in session.scalars(select(Ticket)) if ticket.kinds == ["SET_UP"]]


def stopped() -> dict[str, int]:
    with runtime.reading() as session:
        return {stop.name: stop.code for stop in session.scalars(select(SenderStop))}


def check(clinic, ivy, told: Message, code: int, rule: Rule) -> None:
    """That what the row says has happened to this message, its person and its sender."""
    row = of(told)
    match rule.failure:
        case Failure.TRANSIENT | Failure.AMBIGUOUS:
            if rule.wait is None:  # held until the carrier's next day, or given up when that is too late
                assert row.state is MessageState.FAILED
            else:
                assert row.state in (MessageState.PLANNED, MessageState.UNCERTAIN)
            assert stopped() == {}
            assert set_up_tickets() == []
            return
        case Failure.CONFIGURATION | Failure.SHUT_OUT:
            sender = "calls" if row.channel is Channel.VOICE else "sms:+12125550199"
            sender = "account" if rule.failure is Failure.SHUT_OUT else sender
            assert stopped().pop(sender) == code
            assert row.state is MessageState.PLANNED  # it waits for the mend
        case _:
            assert row.state is MessageState.FAILED
            assert stopped() == {}
    assert len(set_up_tickets()) == (max(1, len(stopped())) if rule.failure.is_ours else 0)  # one a sender
    with runtime.reading() as session:
        consent = session.get_one(Contact, told.contact_id).sms_consent
    assert (consent is Consent.WITHDRAWN) == (rule.failure is Failure.OPTED_OUT)
    if rule.failure is Failure.INVALID:
        assert ivy.ticket.kinds == ["UNREACHABLE"]
    assert rule.means in (row.why or "")


@pytest.mark.parametrize("code", names(AT_ONCE))
def test_what_twilio_refuses_at_once(clinic, code):
    rule, channel = FAILURES.of(code), Channel.VOICE if code in CALLS_ONLY else Channel.SMS
    ivy = clinic.patient("Ivy", welcomed=True)
    alone = channel is Channel.VOICE or not rule.failure.stops_sender  # else whoever is told of it has the same sender
    clinic.sandbox.fault(code, times=1 if alone else 20, to=ivy.phone.number if alone else None)
    told = remind(clinic, ivy, channel)
    check(clinic, ivy, told, code, rule)


@pytest.mark.parametrize("code", names(LATER))
def test_what_a_receipt_tells_later(clinic, code):
    ivy = clinic.patient("Ivy", welcomed=True)
    for person in (ivy, clinic.cora):  # whoever is told of it is texted by the same sender
        person.phone.failure = code
    told = remind(clinic, ivy)
    check(clinic, ivy, told, code, FAILURES.of(code))


def test_a_code_that_nobody_knows_is_tried_once_more_and_then_failed(clinic, clock):
    ivy = clinic.patient("Ivy", welcomed=True)
    ivy.phone.failure = 30999
    told = remind(clinic, ivy)
    assert of(told).state is MessageState.PLANNED
    clock.passes(minutes=7)
    assert of(told).state is MessageState.FAILED
    assert of(told).attempts == 2


def test_a_sender_that_is_refused_stops_is_told_of_once_and_goes_on_when_it_is_mended(clinic, clock):
    people = [clinic.patient(name, welcomed=True) for name in ("Ivy", "Joe", "Kim")]
    clinic.sandbox.fault(21606, times=2)  # the first text, and the page about it
    told = [remind(clinic, person) for person in people]
    assert [of(each).attempts for each in told] == [1, 0, 0]  # the others were not even tried
    assert len(set_up_tickets()) == 1
    assert "+12125550199" in set_up_tickets()[0].text
    clinic.sandbox.fault(21606)
    clock.passes(seconds=40)  # one tries, and is refused again
    assert sum(of(each).attempts for each in told) == 2
    clock.passes(minutes=4)
    assert {of(each).state for each in told} == {MessageState.DELIVERED}
    assert stopped() == {}
    assert len(set_up_tickets()) == 1


def test_words_that_are_refused_stop_nobody_else(clinic):
    ivy, joe = clinic.patient("Ivy", welcomed=True), clinic.patient("Joe", welcomed=True)
    clinic.sandbox.fault(21617, to=ivy.phone.number)
    bad, good = remind(clinic, ivy), remind(clinic, joe)
    assert (of(bad).state, of(good).state) == (MessageState.FAILED, MessageState.DELIVERED)


def test_a_page_leaves_though_its_sender_stands_still(clinic, clock):
    ivy, joe = clinic.patient("Ivy", welcomed=True), clinic.active("Joe")
    clinic.sandbox.fault(21606, times=2)
    remind(clinic, ivy)
    assert stopped()
    joe.texts("FEVER")
    assert clinic.nia.is_paged

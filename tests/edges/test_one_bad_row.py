"""One row that our code chokes on: it is passed over, logged without a word of anybody's, and all others go on."""

import os
import signal
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from jobs import clock as ticking
from jobs import tasks
from notifier import runtime
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Channel
from notifier.models import Inbound, Mark, Message, Site, Ticket
from notifier.provider import Seen
from tests.clinic import OUR_NUMBER


def plan_words(clinic, person, words: str, **given) -> None:
    """A text that is due now."""
    contact = clinic.contact(person)
    given = {"template": "verbatim", "values": {"text": words}, "due_at": clinic.now, **given}
    with runtime.transaction() as session:
        session.add(
            Message(
                key=f"test:{words}",
                site_key="newyork",
                patient_id=contact.patient_id,
                contact_id=contact.id,
                to=contact.phone,
                to_hash=contact.phone_hash,
                channel=Channel.SMS,
                language="en",
                any_hour=True,
                not_after=clinic.now + timedelta(minutes=20),
                created_at=clinic.now,
                **given,
            )
        )


def planned(words: str) -> Message:
    with runtime.reading() as session:
        return session.scalars(select(Message).where(Message.key == f"test:{words}")).one()


def test_a_message_whose_words_cannot_be_made_stands_in_nobodys_way(clinic, clock, caplog):
    ivy = clinic.active("Ivy")
    before = clinic.now - timedelta(minutes=1)
    plan_words(clinic, ivy, "bad", template="no.such", values={}, due_at=before, matters=True)
    plan_words(clinic, ivy, "Pharmko: hello")
    clinic.world.settle()
    assert ivy.received("Pharmko: hello") == 1
    bad = planned("bad")
    assert bad.state is MessageState.PLANNED
    assert bad.due_at > clinic.now
    assert "could not be made ready" in bad.why
    assert "Ivy" not in caplog.text
    clock.passes(minutes=30)  # it expires as any other would, and a human is told
    assert planned("bad").state is MessageState.EXPIRED
    assert ivy.ticket.kinds == ["UNREACHABLE"]


def test_a_page_goes_out_though_another_cannot_be_made(clinic):
    ivy = clinic.active("Ivy")
    before = clinic.now - timedelta(minutes=1)
    plan_words(clinic, ivy, "bad", template="no.such", values={}, due_at=before, urgent=True)
    ivy.texts("FEVER")
    assert clinic.nia.is_paged


def break_ticket(person) -> None:
    """Move the ticket to a site whose time zone does not exist."""
    site = Site(key="mars", name="Mars", brand="Mars", timezone="Mars/Olympus", phone="+18005550111", languages=["en"])
    with runtime.transaction() as session:
        session.add(site)
        session.flush()
        session.execute(update(Ticket).where(Ticket.id == person.ticket.id).values(site_key="mars"))


def test_a_ticket_that_cannot_climb_keeps_no_other_from_climbing(clinic, clock):
    ivy, joe = clinic.active("Ivy"), clinic.active("Joe")
    ivy.texts("FEVER")
    joe.texts("FEVER")
    break_ticket(ivy)
    clock.set(clock.now + timedelta(minutes=10))
    with pytest.raises(tasks.JobFailed, match="ZoneInfoNotFoundError"):
        tasks.dispatch()
    clinic.sandbox.settle()
    assert joe.ticket.step == 2
    assert f"#{joe.ticket.number}" in clinic.nia.last


def test_a_text_that_breaks_our_reading_keeps_no_other_from_being_read(clinic):
    """The database itself refuses what our reading makes of it: again and again, until a nurse reads it."""
    ivy, joe = clinic.active("Ivy"), clinic.active("Joe")
    with runtime.transaction() as session:
        session.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN IF NEW.role = 'delivery' THEN "
                "RAISE integrity_constraint_violation; END IF; RETURN NEW; END $$ LANGUAGE plpgsql"
            )
        )
        session.execute(text("CREATE TRIGGER refuse BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION refuse()"))
    ivy.texts("MISSING 2 syringes")
    joe.texts("FEVER")
    assert clinic.nia.is_paged
    assert joe.ticket.state is TicketState.OPEN
    assert "nurse" in {ticket.role for ticket in ivy.tickets}


def test_a_text_that_cannot_be_stored_keeps_no_other_from_being_fetched(clinic):
    """It is tried again later, from the same mark."""
    ivy = clinic.active("Ivy")
    listed = [
        Seen("SM" + "1" * 32, "received", None, "+1" * 50, ivy.phone.number, "too long a number", clinic.now),
        Seen("SM" + "2" * 32, "received", None, OUR_NUMBER, ivy.phone.number, "FEVER", clinic.now),
    ]
    with pytest.raises(tasks.JobFailed, match="DataError"):
        tasks.each(tasks._take_in, listed)
    with runtime.reading() as session:
        assert session.scalars(select(Inbound.provider_sid)).all() == ["SM" + "2" * 32]
        assert session.get(Mark, "inbound") is None


def test_the_clock_goes_on_when_redis_is_away_and_one_thing_fails(clinic, clock, redis):
    """With Redis away the clock itself does what cannot wait: a fault about one row must not end it."""
    ivy, joe = clinic.active("Ivy"), clinic.active("Joe")
    ivy.texts("FEVER")
    break_ticket(ivy)
    clock.set(clock.now + timedelta(minutes=10))
    plan_words(clinic, joe, "Pharmko: first", urgent=True)
    redis.stop()
    end = threading.Timer(4, os.kill, (os.getpid(), signal.SIGTERM))
    later = threading.Timer(2, plan_words, (clinic, joe, "Pharmko: then"), {"urgent": True})
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        end.start()
        later.start()
        ticking.run()
    finally:
        redis.start()
        for each, handler in handlers.items():
            signal.signal(each, handler)
    clinic.sandbox.settle()
    assert joe.received("Pharmko: first") == joe.received("Pharmko: then") == 1
    with runtime.transaction() as session:
        session.execute(update(Ticket).values(site_key="newyork"))

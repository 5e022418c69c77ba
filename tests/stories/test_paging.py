"""How a page reaches a person: their own way, their second phone, their language; bundled, and never with a name."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier import pharmacy, runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import Urgency
from notifier.models import Staff
from tests.clinic import PHARMACY


def roster(clinic, old: str, new: str) -> None:
    """The pharmacy's file is changed and applied."""
    assert old in PHARMACY
    with runtime.transaction() as session:
        pharmacy.apply(session, PHARMACY.replace(old, new), now=clinic.now, by="test")


NIA = 'phone = "+12125550011"'


@pytest.fixture
def ivy(clinic):
    """A patient in the second week."""
    return clinic.active("Ivy")


def test_a_nurse_is_reached_in_her_own_way_by_text_then_call_then_on_her_second_phone(clinic, clock, ivy):
    own = '[{ by = "sms" }, { by = "voice", after = 1 }, { by = "voice", after = 2, phone = "second" }]'
    roster(clinic, NIA, f'{NIA}\nsecond_phone = "+12125550088"\nreach = {own}')
    second = clinic.stranger("+12125550088")
    ivy.texts("FEVER")
    assert (len(clinic.nia.pages), clinic.nia.calls, len(second.phone.history)) == (1, 0, 0)
    clock.passes(minutes=1)
    assert (clinic.nia.calls, len(second.phone.history)) == (1, 0)
    clock.passes(minutes=1)
    assert len(second.phone.history) == 1
    second.answers("1")
    assert ivy.ticket.owner == "Nia Nurse"
    clock.passes(minutes=3)
    assert clinic.nia.calls == 1


def test_what_is_taken_rings_no_further_phone(clinic, clock, ivy):
    roster(clinic, NIA, f'{NIA}\nreach = [{{ by = "sms" }}, {{ by = "voice", after = 2 }}]')
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clinic.handled(ivy.ticket)
    clock.passes(hours=1)
    assert clinic.nia.calls == 0


def test_a_phone_that_texted_stop_is_called_and_start_brings_the_texts_back(clinic, clock, ivy):
    clinic.nia.texts("STOP")
    clinic.cora.texts("A")
    ivy.texts("FEVER")
    assert (len(clinic.nia.pages), clinic.nia.calls) == (0, 1)
    clinic.nia.answers("1")
    clinic.handled(ivy.ticket)
    clinic.nia.texts("START")
    assert "by text again" in clinic.nia.last
    ivy.texts("FEVER again 102")
    assert len(clinic.nia.pages) == 1


def test_a_page_that_cannot_be_delivered_becomes_a_call_at_once(clinic, ivy):
    """A phone that takes no texts: the nurse is not waited for until the ladder's next rung."""
    clinic.nia.phone.mode = "landline"
    ivy.texts("FEVER")
    assert clinic.nia.calls == 1


def test_the_first_page_leaves_at_once_and_what_follows_within_a_minute_leaves_as_one(clinic, clock, ivy):
    eve, max_, liz = clinic.active("Eve"), clinic.active("Max"), clinic.active("Liz")
    ivy.texts("FEVER")
    assert len(clinic.nia.pages) == 1
    clock.passes(seconds=10)
    eve.texts("FEVER")
    clock.passes(seconds=10)
    max_.texts("FEVER")
    assert len(clinic.nia.pages) == 1
    clock.passes(seconds=40)
    assert len(clinic.nia.inbox) == 2
    bundle = clinic.nia.last
    assert f"2 tickets wait: #{eve.ticket.number} URGENT nurse" in bundle
    assert f"#{max_.ticket.number} URGENT" in bundle
    clinic.nia.texts("A")
    assert eve.ticket.owner == max_.ticket.owner == "Nia Nurse"
    assert ivy.ticket.state is TicketState.OPEN
    assert f"#{eve.ticket.number}, #{max_.ticket.number} are yours" in clinic.nia.last
    clock.passes(seconds=61)
    liz.texts("FEVER")
    assert f"#{liz.ticket.number}" in clinic.nia.last


def test_an_emergency_never_waits_in_a_bundle(clinic, clock, ivy):
    eve, max_ = clinic.active("Eve"), clinic.active("Max")
    ivy.texts("FEVER")
    clock.passes(seconds=10)
    eve.texts("can't breathe")
    max_.texts("my chest feels tight")
    assert len(clinic.nia.pages) == 3
    assert f"#{max_.ticket.number} EMERGENCY" in clinic.nia.last


def test_a_ticket_that_is_taken_leaves_the_bundle_before_it_goes(clinic, clock, ivy):
    eve, max_ = clinic.active("Eve"), clinic.active("Max")
    ivy.texts("FEVER")
    clock.passes(seconds=10)
    eve.texts("FEVER")
    max_.texts("FEVER")
    clinic.bo.texts(f"A {eve.ticket.number}")
    clock.passes(seconds=50)
    assert f"#{max_.ticket.number} URGENT" in clinic.nia.last
    assert str(eve.ticket.number) not in clinic.nia.pages[-1]


def test_two_who_share_a_phone_are_two_tickets_and_one_page(clinic):
    """Scenario 61."""
    ed = clinic.active("Ed", phone="+12125557777")
    fay = clinic.active("Fay", phone="+12125557777")
    ed.texts("fever 101.5")
    assert ed.ticket.urgency is fay.ticket.urgency is Urgency.URGENT
    assert len(clinic.nia.inbox) == 1
    assert f"#{ed.ticket.number} URGENT" in clinic.nia.last
    assert f"#{fay.ticket.number} URGENT" in clinic.nia.last


def test_a_spanish_speaking_nurse_is_asked_first_and_the_other_is_her_backup(clinic, clock):
    roster(clinic, 'phone = "+12125550012"', 'phone = "+12125550012"\nlanguages = ["en", "es"]')
    ana = clinic.active("Ana", language="es")
    ana.texts("tengo fiebre")
    assert (len(clinic.bo.pages), len(clinic.nia.pages)) == (1, 0)
    clock.passes(minutes=10)
    assert len(clinic.nia.pages) == 1
    ivy = clinic.active("Ivy")
    clock.passes(minutes=2)
    ivy.texts("FEVER")
    assert f"#{ivy.ticket.number}" in clinic.nia.last


def test_who_is_on_call_is_asked_at_the_moment_of_paging(clinic, clock, ivy):
    """Scenario: the shift changes while a ticket climbs."""
    nights = '[[rota]]\nsite = "*"\nrole = "nurse"\nrung = 0\nstaff = "nia"\n'
    swap = nights + '[[rota]]\nsite = "*"\nrole = "nurse"\nrung = 0\nstaff = "phil"\nhours = "09:04-20:00"\n'
    roster(clinic, nights, swap)
    ivy.texts("FEVER")
    assert clinic.nia.is_paged
    clock.passes(minutes=5)
    assert clinic.phil.calls == 1
    assert clinic.nia.calls == 0


def test_no_page_tells_who_or_what(clinic, clock, ivy):
    ivy.texts("FEVER 102, chills, and my picc is red")
    clock.passes(minutes=31)
    said = " ".join(text for person in (clinic.nia, clinic.bo, clinic.sue, clinic.desk) for text in person.inbox)
    spoken = " ".join(part for person in (clinic.nia, clinic.sue, clinic.desk) for part in person.phone.heard)
    for word in ("Ivy", "Mockridge", "fever", "FEVER", "102", "chills", "picc"):
        assert word not in said + spoken


def test_after_a_lapse_the_nurse_and_her_backup_are_paged_together(clinic, clock, ivy):
    """Scenario 18: taken at 10:02, no call by 10:20."""
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clock.passes(minutes=16)
    assert ivy.ticket.state is TicketState.OPEN
    assert len(clinic.nia.pages) == 2
    assert len(clinic.bo.pages) == 1


def test_the_third_time_the_patient_is_asked_to_call_now(clinic, clock, ivy):
    """Scenario 14."""
    ivy.texts("FEVER")
    clock.passes(minutes=3)
    ivy.texts("FEVER")
    clock.passes(minutes=4)
    ivy.texts("FEVER")
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert clinic.bo.is_paged
    assert "call us now" in ivy.last
    assert "fever" not in ivy.last.lower()


def test_a_text_posted_three_times_pages_once(clinic, ivy):
    """Scenario 53."""
    for _ in range(3):
        clinic.post_sms(ivy, "SM" + "7" * 32, "FEVER")
    clinic.world.settle()
    assert len(clinic.nia.pages) == 1


def test_a_critical_drip_that_stops_wakes_both_nurses(clinic):
    """Scenario 63."""
    devon = clinic.patient("Devon", welcomed=True)
    first = (clinic.now - timedelta(days=3)).strftime("%Y-%m-%d 10:00")
    clinic.ordered(devon, first, therapy="inotrope", administration="pump")
    clinic.verified(devon)
    devon.texts("pump died backup wont start")
    assert devon.ticket.urgency is Urgency.EMERGENCY
    assert len(clinic.nia.pages) == len(clinic.bo.pages) == 1


def test_a_phone_is_verified_by_its_answer(clinic, ivy):
    def verified() -> bool:
        with runtime.reading() as session:
            return session.scalars(select(Staff).where(Staff.key == "nia")).one().phone_verified_at is not None

    assert not verified()
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    assert verified()

"""What patients write back: a safe answer at once, the right human woken, nothing dropped."""

from sqlalchemy import select

from notifier import runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import Consent, Role, Urgency
from notifier.models import Contact, Message, Ticket


def test_fever_is_answered_safely_and_pages_the_nurse(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    assert "911" in ivy.last
    assert "800-555-0100" in ivy.last
    assert "ever" not in ivy.last.replace("never", "")  # never the patient's own word
    assert ivy.ticket.urgency is Urgency.URGENT
    assert ivy.ticket.role is Role.NURSE
    assert ivy.ticket.kinds == ["FEVER"]
    assert len(clinic.nia.pages) == 1
    assert "URGENT" in clinic.nia.last
    assert "Ivy" not in clinic.nia.last
    assert "FEVER" not in clinic.nia.last
    assert not clinic.bo.is_paged


def test_a_nurse_takes_the_ticket_by_text_and_paging_stops(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    assert ivy.ticket.state is TicketState.ACKNOWLEDGED
    assert ivy.ticket.owner == "Nia Nurse"
    assert f"#{ivy.ticket.number} is yours" in clinic.nia.last
    clock.passes(minutes=14)
    assert len(clinic.nia.pages) == 1
    assert not clinic.bo.is_paged


def test_missing_reaches_the_delivery_desk_with_the_items(clinic, clock):
    """Everything came but six flushes and the tubing, and the next dose is six hours away."""
    ivy = clinic.active("Ivy")
    delivery = clinic.delivery(
        ivy, "2026-11-23 15:00", "2026-11-23 17:00", Vancomycin_bag=7, Saline_flush=28, End_cap=28, Tubing_set=7
    )
    clock.until("2026-11-23T16:00-05:00")
    clinic.delivered(delivery)
    clock.passes(minutes=40)
    ivy.texts("everything but 6 flushes and the tubing")
    desk = next(ticket for ticket in ivy.tickets if ticket.role is Role.DELIVERY)
    assert desk.kinds[0] == "MISSING"
    assert "Saline flush: 6 of 28" in desk.text
    assert "Tubing set: 7 of 7" in desk.text
    assert desk.urgency is Urgency.URGENT  # the next dose is near
    assert {ticket.role for ticket in ivy.tickets} == {Role.DELIVERY, Role.PHARMACIST}
    assert clinic.dee.is_paged
    assert clinic.phil.is_paged
    assert not clinic.nia.is_paged


def test_a_stop_is_confirmed_once_and_fever_after_it_still_wakes_the_nurse(clinic, clock):
    ivy = clinic.active("Ivy")
    before = len(ivy.inbox)
    ivy.texts("STOP")
    assert len(ivy.inbox) == before + 1  # Twilio's own confirmation, and no second one
    assert clinic.contact(ivy).sms_consent is Consent.WITHDRAWN
    clock.passes(hours=6)
    ivy.texts("FEVER 102")
    assert len(ivy.inbox) == before + 1
    nurse = next(ticket for ticket in ivy.tickets if ticket.role is Role.NURSE)
    assert nurse.urgency is Urgency.URGENT
    assert clinic.nia.is_paged
    for ticket in ivy.tickets:
        clinic.handled(ticket)
    clock.passes(days=4)
    assert len(ivy.inbox) == before + 1
    assert clinic.contact(ivy).sms_consent is Consent.WITHDRAWN


def test_stop_with_a_fever_in_one_text_is_a_fever_first(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("STOP i have a fever")
    assert any(ticket.role is Role.NURSE and ticket.urgency is Urgency.URGENT for ticket in ivy.tickets)
    assert clinic.nia.is_paged


def test_start_brings_the_texts_back_but_nothing_that_was_missed(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("STOP")
    clinic.handled(ivy.ticket)  # a coordinator is told that texts have stopped
    clock.passes(days=8)
    before = len(ivy.inbox)
    ivy.texts("START")
    assert len(ivy.inbox) == before + 1  # Twilio's confirmation
    assert clinic.contact(ivy).sms_consent is Consent.GIVEN
    clock.passes(days=8)
    assert len(ivy.inbox) > before + 1


def test_spanish_words_are_understood_and_answered_in_spanish(clinic):
    ana = clinic.active("Ana", language="es")
    ana.texts("no puedo respirar")
    assert ana.ticket.urgency is Urgency.EMERGENCY
    assert "Llame al 911 ahora" in ana.last
    assert clinic.nia.is_paged
    assert clinic.bo.is_paged  # an emergency wakes both at once


def test_no_fever_wakes_nobody(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("no fever, no chills")
    assert ivy.tickets == []
    assert not clinic.nia.is_paged


def test_yes_confirms_the_delivery_and_the_fever_beside_it_is_not_missed(clinic):
    ivy = clinic.active("Ivy")
    clinic.delivery(ivy, "2026-11-25 10:00", "2026-11-25 12:00")
    ivy.texts("yes but I have a fever")
    assert "FEVER" in ivy.ticket.kinds
    assert clinic.next_delivery(ivy).confirmed_at is not None
    assert "A nurse will call you in 15 min." in ivy.last
    assert len(ivy.told("M04")) == 1  # a delivery that was confirmed is not announced again


def test_whatever_arrives_how_often_is_one_ticket(clinic):
    ivy = clinic.active("Ivy")
    sid = ivy.phone.texts("FEVER", to="+12125550199")
    clinic.world.settle()
    for _ in range(3):
        assert clinic.post_sms(ivy, sid, "FEVER").status_code == 200
    clinic.world.settle()
    assert ivy.ticket.kinds == ["FEVER"]
    assert len(clinic.nia.pages) == 1


def test_an_unknown_number_with_a_fever_gets_911_and_a_ticket_without_a_chart(clinic):
    stranger = clinic.stranger("+12125559999")
    stranger.texts("my mother Carla has a fever, pump beeping")
    assert "911" in stranger.last
    with runtime.reading() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert ticket.patient_id is None
        assert ticket.urgency is Urgency.URGENT
    assert clinic.nia.is_paged


def test_two_patients_on_one_phone_are_both_looked_at(clinic):
    ed = clinic.active("Ed", phone="+12125553333")
    fay = clinic.active("Fay", phone="+12125553333")
    ed.texts("fever 101.5")
    assert ed.ticket.urgency is Urgency.URGENT
    assert fay.ticket.urgency is Urgency.URGENT
    assert ed.received("911") == 1  # one answer on the one phone


def test_a_caregiver_reports_for_the_patient_and_is_answered(clinic):
    carla = clinic.active("Carla", caregivers=(clinic.helper("Dana", "+12125554444", "check_in"),))
    dana = clinic.stranger("+12125554444")
    dana.texts("mom's temp is 102 and shaking")
    assert "FEVER" in carla.ticket.kinds
    assert "911" in dana.last
    assert carla.received("911") == 0


def test_words_that_nobody_understands_still_reach_a_person(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("jj 4 the thng")
    assert ivy.ticket.kinds == ["UNKNOWN"]
    assert "800-555-0100" in ivy.last


def test_no_patient_data_is_readable_in_the_tables(clinic, postgres, database_url):
    import psycopg

    ivy = clinic.active("Ivy", family_name="Zebrowski")
    ivy.texts("FEVER 102 since the milrinone")
    with runtime.reading() as session:
        phone = session.scalars(select(Contact)).first().phone
        assert session.scalars(select(Message)).first() is not None
    dsn = f"host=127.0.0.1 port={postgres.port} user=postgres dbname={database_url.rsplit('/', 1)[1]}"
    with psycopg.connect(dsn) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            for row in connection.execute(f"SELECT t::text FROM {table} t"):
                for secret in ("Zebrowski", "milrinone", phone, phone.removeprefix("+1")):
                    assert secret not in row[0], table
                    assert secret.encode().hex() not in row[0], table

"""Somebody rings us: the menu in their language, danger at once, people on the line, and a message that is not lost."""

from sqlalchemy import select

from notifier import runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import Role, Urgency
from notifier.models import Recording
from tests.clinic import OUR_NUMBER


def heard(person) -> str:
    return " ".join(person.phone.heard)


def rings(clinic, person, *keys: str, says: str = "") -> str:
    """Calls us, presses keys or speaks; returns all that was heard."""
    person.phone.calls(OUR_NUMBER)
    for key in keys:
        person.phone.press(key)
    if says:
        person.phone.says(says)
    clinic.world.settle()
    return heard(person)


def ring_out(clinic, *staff) -> None:
    """None of them picks up, one after the other."""
    for person in staff:
        assert person.phone.ringing, f"{person.name} is not rung"
        person.phone.waits()
    clinic.world.settle()


def recordings() -> list[Recording]:
    with runtime.reading() as session:
        return list(session.scalars(select(Recording)).all())


# --- danger ---------------------------------------------------------------------------------------------------------


def test_a_caller_who_cannot_breathe_is_told_to_call_911_and_connected_at_once(clinic):
    ivy = clinic.active("Ivy")
    assert "Hang up and call 911 now" in rings(clinic, ivy, says="I can't breathe")
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert clinic.nia.phone.ringing
    assert clinic.bo.pages  # paged at once as well: an emergency waits for no ring
    clinic.nia.answers("1")
    assert "[connected to" in heard(ivy)
    assert ivy.ticket.owner == "Nia Nurse"
    assert ivy.received("911") == 0  # the call has answered


def test_a_caller_with_a_fever_talks_to_the_nurse_and_the_ticket_knows_it(clinic):
    ana = clinic.active("Ana", language="es")
    assert "Ahora le comunicamos con una persona" in rings(clinic, ana, says="tengo fiebre")
    assert not clinic.nia.pages  # her phone rings: no text beside it
    said = " ".join(clinic.nia.answers())
    assert "A patient is on the line for the nurse" in said
    assert f"Ticket {ana.ticket.number}" in said
    assert "Ana" not in said
    assert "fever" not in said.lower()
    clinic.nia.phone.press("1")
    ana.phone.says("me siento muy caliente")
    assert clinic.nia.phone.heard[-1] == "“me siento muy caliente”"
    clinic.nia.phone.hangs_up()
    clinic.world.settle()
    assert heard(ana).endswith("de día o de noche. Adiós.")
    ticket = ana.ticket
    assert (ticket.state, ticket.owner) == (TicketState.ACKNOWLEDGED, "Nia Nurse")
    assert ticket.contacted_at is not None
    assert clinic.verbs(ticket).count("ticket.connected") == clinic.verbs(ticket).count("ticket.contacted") == 1
    assert not clinic.nia.pages


def test_a_caller_who_hangs_up_on_the_nurse_has_still_been_reached(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "0")
    clinic.nia.answers("1")
    ivy.phone.hangs_up()
    clinic.world.settle()
    assert ivy.ticket.contacted_at is not None
    assert clinic.nia.phone.call is None


# --- the ladder -----------------------------------------------------------------------------------------------------


def test_the_ladder_is_rung_one_after_the_other_until_one_presses_1(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "0")
    assert clinic.nia.phone.ringing
    assert not clinic.bo.phone.ringing
    clinic.nia.phone.waits()
    assert "We are still trying" in heard(ivy)
    clinic.bo.answers("5")  # not the key that takes it
    assert clinic.sue.phone.ringing
    clinic.sue.answers("1")
    assert ivy.ticket.owner == "Sue Supervisor"


def test_a_nurses_voicemail_does_not_take_a_caller(clinic):
    ivy = clinic.active("Ivy")
    clinic.nia.phone.mode = "voicemail"
    clinic.bo.phone.mode = "busy"
    rings(clinic, ivy, "0")
    assert clinic.sue.phone.ringing
    assert ivy.ticket.state is TicketState.OPEN


def test_when_nobody_takes_it_a_nurse_is_paged_a_call_is_promised_and_a_message_kept(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "0")
    assert not clinic.nia.pages
    ring_out(clinic, clinic.nia, clinic.bo, clinic.sue, clinic.desk)
    assert "A nurse will call you in 15 minutes" in heard(ivy)
    assert len(clinic.nia.pages) == 1
    assert (ivy.ticket.role, ivy.ticket.urgency) == (Role.NURSE, Urgency.URGENT)
    ivy.phone.says("my line is leaking and I have chills")
    clinic.world.settle()
    assert "We have your message" in heard(ivy)
    [kept] = recordings()
    assert kept.ticket_id == ivy.ticket.id
    assert kept.words == "my line is leaking and I have chills"
    assert kept.fetched_at is not None
    assert kept.forgotten_at is not None
    assert clinic.sandbox.book.recordings[kept.provider_sid].deleted  # ours is the only copy
    with runtime.reading() as session:
        assert session.get_one(Recording, kept.id).sound[:4] == b"RIFF"
        stored = session.connection().exec_driver_sql("SELECT sound, words FROM recording").one()
    assert b"RIFF" not in bytes(stored[0])
    assert b"leaking" not in bytes(stored[1])
    assert {"LINE_BROKEN", "CHILLS"} & set(ivy.ticket.kinds) or len(ivy.ticket.kinds) > 1  # its words were read


def test_a_caller_who_hangs_up_while_it_rings_is_called_back(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "0")
    ivy.phone.hangs_up()
    clinic.world.settle()
    assert not clinic.nia.phone.ringing
    assert len(clinic.nia.pages) == 1
    assert ivy.ticket.state is TicketState.OPEN


def test_if_we_hear_no_more_of_a_ringing_call_the_page_leaves_by_itself(clinic, clock):
    ivy = clinic.active("Ivy")
    said = clinic.post("/twilio/voice", {"CallSid": "CA" + "1" * 32, "From": ivy.phone.number, "To": OUR_NUMBER}).text
    address = said.split('action="')[1].split('"')[0].replace(clinic.world.url, "").replace("&amp;", "&")
    clinic.post(address, {"CallSid": "CA" + "1" * 32, "From": ivy.phone.number, "To": OUR_NUMBER, "Digits": "0"})
    clinic.world.settle()
    assert not clinic.nia.pages
    clock.passes(minutes=2)
    assert len(clinic.nia.pages) == 1


def test_who_has_the_ticket_is_rung_first(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.bo.texts(f"A {ivy.ticket.number}")
    rings(clinic, ivy, "0")
    assert clinic.bo.phone.ringing
    assert not clinic.nia.phone.ringing
    clinic.bo.answers("1")
    assert ivy.ticket.owner == "Bo Backup"
    clinic.bo.phone.hangs_up()
    clinic.world.settle()
    assert ivy.ticket.contacted_at is not None


# --- other teams ----------------------------------------------------------------------------------------------------


def test_a_question_about_a_box_rings_the_delivery_desk_and_no_nurse(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "1")
    assert clinic.dee.phone.ringing
    clinic.dee.answers("1")
    clinic.dee.phone.hangs_up()
    clinic.world.settle()
    assert {ticket.role for ticket in ivy.tickets if ticket.contacted_at} == {Role.DELIVERY}
    assert not clinic.nia.is_paged


def test_in_the_evening_a_caller_hears_when_the_team_is_back_and_may_leave_a_message(clinic, clock):
    clock.until("2026-11-23T22:30:00-05:00")
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, says="I have a question about my bill")
    ivy.phone.press("1")
    assert "Our billing team is not there now. They are back Tuesday, November 24 at 8 AM." in heard(ivy)
    assert "press zero, day or night" in heard(ivy)
    assert not clinic.cora.phone.ringing
    ivy.phone.says("it is the bill of March")
    clinic.world.settle()
    assert len(recordings()) == 1
    assert Role.BILLING in {ticket.role for ticket in ivy.tickets}


def test_a_box_that_is_missing_before_the_next_dose_wakes_the_desk_at_night(clinic, clock):
    clock.until("2026-11-23T22:30:00-05:00")
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "1")
    assert clinic.dee.phone.ringing


def test_at_night_zero_still_wakes_the_nurse(clinic, clock):
    clock.until("2026-11-24T03:00:00-05:00")
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "0")
    assert clinic.nia.phone.ringing


def test_something_else_is_said_read_back_and_brought_to_a_coordinator(clinic):
    ivy = clinic.active("Ivy")
    assert "say in a few words" in rings(clinic, ivy, "2", says="I need a letter for my insurance")
    assert "I heard: I need a letter for my insurance." in heard(ivy)
    assert ivy.tickets == []
    ivy.phone.press("1")
    clinic.world.settle()
    assert ivy.tickets
    assert "I need a letter for my insurance" in ivy.tickets[0].text


def test_what_was_heard_wrong_is_said_again(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, says="I need a ladder for my assurance")
    ivy.phone.press("2")
    ivy.phone.says("I need a letter for my insurance")
    ivy.phone.press("1")
    clinic.world.settle()
    assert "letter" in ivy.tickets[0].text
    assert "ladder" not in " ".join(ticket.text for ticket in ivy.tickets)


def test_who_hangs_up_at_the_read_back_is_heard_all_the_same(clinic, clock):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, says="I need a letter for my insurance")
    ivy.phone.hangs_up()
    clinic.world.settle()
    assert ivy.tickets == []
    clock.passes(minutes=1)
    assert "letter" in ivy.tickets[0].text


# --- who calls ------------------------------------------------------------------------------------------------------


def test_nobody_promises_to_call_a_hidden_number_but_somebody_talks_to_it(clinic):
    call = {"CallSid": "CA" + "2" * 32, "From": "anonymous", "To": OUR_NUMBER}
    menu = clinic.post("/twilio/voice", call).text
    address = menu.split('action="')[1].split('"')[0].replace(clinic.world.url, "")
    said = clinic.post(address, {**call, "Digits": "0"}).text
    assert "<Number" in said  # whoever is on the line can be connected
    for _ in range(4):
        address = said.split('action="')[1].split('"')[0].replace(clinic.world.url, "")
        said = clinic.post(address, {**call, "DialCallStatus": "no-answer", "CallStatus": "in-progress"}).text
    clinic.world.settle()
    assert "we cannot call you back" in said
    assert "A nurse will call you" not in said
    assert clinic.nia.is_paged  # and still somebody knows


def test_a_known_caller_is_never_named(clinic):
    ivy = clinic.active("Ivy", family_name="Mockridge")
    assert "Ivy" not in rings(clinic, ivy)
    assert "Mockridge" not in heard(ivy)


def test_a_nurse_who_rings_the_menu_is_heard_like_anybody_and_not_rung_herself(clinic):
    clinic.nia.phone.calls(OUR_NUMBER)
    clinic.nia.phone.press("0")
    clinic.world.settle()
    assert clinic.bo.phone.ringing


def test_a_silent_caller_may_leave_a_message_and_it_is_somebodys(clinic):
    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    ivy.phone.waits()
    assert heard(ivy).count("Or say what you need") == 2
    ivy.phone.waits()
    ivy.phone.says("hello, is anybody there")
    clinic.world.settle()
    assert (ivy.ticket.role, ivy.ticket.urgency) == (Role.NURSE, Urgency.URGENT)
    assert clinic.nia.pages
    assert len(recordings()) == 1


def test_wrong_keys_lead_to_a_person(clinic):
    ivy = clinic.active("Ivy")
    rings(clinic, ivy, "7", "7")
    assert heard(ivy).count("that did not work") == 2
    ivy.phone.press("7")
    clinic.world.settle()
    assert clinic.nia.phone.ringing


def test_thirty_repeats_end_kindly(clinic):
    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    for _ in range(30):
        if ivy.phone.call:
            ivy.phone.press("9")
    assert ivy.phone.call is None
    assert "Please call us at 8 0 0" in heard(ivy)
    assert ivy.tickets == []


def test_the_same_key_told_twice_is_one_ticket(clinic):
    ivy = clinic.active("Ivy")
    call = {"CallSid": "CA" + "3" * 32, "From": ivy.phone.number, "To": OUR_NUMBER}
    menu = clinic.post("/twilio/voice", call).text
    assert clinic.post("/twilio/voice", call).text == menu
    address = menu.split('action="')[1].split('"')[0].replace(clinic.world.url, "")
    first, second = (clinic.post(address, {**call, "Digits": "0"}).text for _ in range(2))
    assert first == second
    clinic.world.settle()
    assert clinic.verbs(ivy.ticket).count("ticket.opened") == 1
    assert "ticket.appended" not in clinic.verbs(ivy.ticket)

"""Who is woken when nobody answers, and when it stops."""

from notifier.core.states import TicketState
from notifier.core.vocabulary import Role, Urgency


def test_a_silent_nurse_is_called_then_the_backup_the_supervisor_and_the_answering_service(clinic, clock):
    """FEVER at two in the morning, and Nia does not hear her phone."""
    ivy = clinic.active("Ivy")
    clock.until("2026-11-24T02:00-05:00")
    ivy.texts("FEVER")
    assert (len(clinic.nia.pages), clinic.nia.calls) == (1, 0)
    clock.passes(minutes=5)
    assert clinic.nia.calls == 1
    assert not clinic.bo.is_paged
    clock.passes(minutes=5)
    assert len(clinic.bo.pages) == 1
    clock.passes(minutes=5)
    assert clinic.sue.calls == 1
    clock.passes(minutes=5)
    assert clinic.desk.calls == 1
    clock.passes(minutes=10)
    assert ivy.received("Our nurse tried to call you") == 1
    clinic.bo.texts(f"a{ivy.ticket.number}")
    assert ivy.ticket.owner == "Bo Backup"
    rung = clinic.desk.calls
    clock.passes(minutes=14)
    assert clinic.desk.calls == rung


def test_an_emergency_wakes_both_nurses_at_once(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("my chest feels tight")
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert "911" in ivy.last
    assert len(clinic.nia.pages) == len(clinic.bo.pages) == 1
    clock.passes(minutes=1)
    assert clinic.nia.calls == clinic.bo.calls == 1
    clock.passes(minutes=9)
    assert clinic.sue.is_paged
    assert clinic.desk.is_paged


def test_a_nurse_takes_it_by_pressing_one(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=5)
    heard = clinic.nia.answers("1")
    assert any(str(ivy.ticket.number) in sentence for sentence in heard)
    assert ivy.ticket.state is TicketState.ACKNOWLEDGED
    assert ivy.ticket.owner == "Nia Nurse"


def test_voicemail_does_not_take_a_ticket(clinic, clock):
    clinic.nia.phone.mode = "voicemail"
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=10)
    assert ivy.ticket.state is TicketState.OPEN
    assert clinic.bo.is_paged


def test_the_second_nurse_is_told_who_has_it(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("my chest feels tight")
    clinic.bo.texts("ack")
    assert ivy.ticket.owner == "Bo Backup"
    assert "is with Bo Backup" in clinic.nia.last
    clinic.nia.texts("A")
    assert ivy.ticket.owner == "Bo Backup"
    assert "is with Bo Backup" in clinic.nia.last


def test_an_acknowledgement_without_a_call_lapses_and_pages_again(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clock.passes(minutes=16)
    assert ivy.ticket.state is TicketState.OPEN
    assert len(clinic.nia.pages) >= 2


def test_passing_on_pages_the_backup_now(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("P")
    assert clinic.bo.is_paged or clinic.nia.calls == 1
    assert ivy.ticket.state is TicketState.OPEN


def test_fever_told_three_times_goes_one_level_up(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=3)
    ivy.texts("FEVER")
    assert len(clinic.nia.pages) == 2
    clock.passes(minutes=1)
    ivy.texts("fever!!")
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert clinic.bo.is_paged


def test_news_reopens_what_was_acknowledged(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    pages = len(clinic.nia.pages)
    clock.passes(minutes=2)
    ivy.texts("now i can't breathe")
    assert ivy.ticket.state is TicketState.OPEN
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert len(clinic.nia.pages) > pages


def test_still_102_after_closing_is_a_new_ticket_that_follows_the_old(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clinic.handled(ivy.ticket)
    clock.passes(hours=3)
    ivy.texts("still 102")
    old, new = ivy.tickets
    assert new.follows_id == old.id
    assert new.urgency is Urgency.URGENT


def test_a_routine_question_at_night_waits_for_the_morning(clinic, clock):
    ivy = clinic.active("Ivy")
    clock.until("2026-11-24T02:00-05:00")
    ivy.texts("please pick up the empty sharps box")
    assert ivy.ticket.role is Role.DELIVERY
    assert not clinic.dee.is_paged
    clock.until("2026-11-24T08:05-05:00")
    assert clinic.dee.is_paged


def test_an_empty_rung_is_skipped_at_once(clinic, clock):
    for nurse in ("nia", "bo"):
        clinic.leaves(nurse)
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    assert clinic.sue.calls == 1


def test_a_role_without_a_roster_is_paged_at_whoever_has_it(clinic):
    clinic.nobody_on_call("delivery")
    ivy = clinic.active("Ivy")
    ivy.texts("please pick up the empty sharps box")
    assert clinic.dee.is_paged


def test_a_ticket_for_a_role_that_nobody_has_reaches_the_supervisor(clinic):
    clinic.nobody_on_call("delivery")
    clinic.leaves("dee")
    ivy = clinic.active("Ivy")
    ivy.texts("please pick up the empty sharps box")
    assert clinic.sue.is_paged


def test_who_passes_a_page_on_is_not_rung_for_it(clinic):
    """Nia cannot come: her own phone stays silent, and Bo is told at once, not after her second turn."""
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("P")
    assert clinic.nia.calls == 0
    assert len(clinic.bo.pages) == 1


def test_what_can_wait_wakes_nobody_in_the_night(clinic, clock):
    """A mild headache at half past seven in the evening: the nurse hears of it, the others not before the morning."""
    ivy = clinic.active("Ivy")
    clock.until("2026-11-23T19:30-05:00")
    ivy.texts("mild headache")
    assert len(clinic.nia.pages) == 1
    clock.until("2026-11-24T07:59-05:00")
    assert len(clinic.nia.pages) == 1
    assert not clinic.bo.is_paged
    assert not clinic.sue.is_paged
    clock.until("2026-11-24T08:01-05:00")
    assert clinic.bo.is_paged


def test_one_who_has_it_and_is_on_call_is_paged_once_for_the_news(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clock.passes(minutes=2)
    ivy.texts("now i have chills")
    assert len(clinic.nia.pages) == 2


def test_an_owner_who_is_not_on_call_hears_the_news_too(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.bo.texts(f"A {ivy.ticket.number}")
    clock.passes(minutes=2)
    ivy.texts("now i have chills")
    assert len(clinic.bo.pages) == 1
    assert len(clinic.nia.pages) == 2


def test_a_late_delivery_desk_is_journalled_but_no_nurse_is_said_to_have_called(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("MISSING the tubing")
    assert all(ticket.urgency is Urgency.URGENT for ticket in ivy.tickets)
    clock.passes(hours=2)
    assert ivy.received("Our nurse tried to call you") == 0
    assert "ticket.breached" in clinic.verbs(ivy.tickets[0])

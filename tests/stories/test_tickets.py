"""What people do with a ticket: several teams' parts of one text, merged, moved, handed over, closed with care."""

import pytest

from notifier import handling, runtime, tickets
from notifier.core.states import TicketState
from notifier.core.vocabulary import Role, Urgency
from notifier.errors import Refused
from notifier.models import Staff


@pytest.fixture
def ivy(clinic):
    """A patient in the second week."""
    return clinic.active("Ivy")


def by_hand(clinic, ticket, verb, *given, **named):
    """A coordinator does something with a ticket."""
    with runtime.transaction() as session:
        rows = [tickets.get(session, each.id) if hasattr(each, "number") else each for each in (ticket, *given)]
        found = verb(session, *rows, tickets.Actor("Cora"), now=clinic.now, **named)
    clinic.world.settle()
    return found


def catalog():
    """The words and the rules."""
    return runtime.current().catalog


def test_two_teams_parts_of_one_text_know_of_each_other_and_the_nurse_comes_first(clinic, ivy):
    ivy.texts("I have a fever and the tubing is missing")
    parts = {ticket.role: ticket for ticket in ivy.tickets}
    assert Role.NURSE in parts
    assert Role.DELIVERY in parts
    nurse = parts[Role.NURSE]
    assert nurse.number == min(ticket.number for ticket in ivy.tickets)
    assert clinic.linked(nurse) == sorted(ticket.number for ticket in ivy.tickets if ticket.id != nurse.id)


def test_a_lost_delivery_reaches_the_desk_and_the_pharmacist(clinic, ivy):
    """Scenario 34: the next dose is near."""
    delivery = clinic.delivery(ivy, "2026-11-23 08:00", "2026-11-23 10:00", Saline_flush=28)
    clinic.delivered(delivery)
    ivy.texts("says delivered not here")
    parts = {ticket.role: ticket for ticket in ivy.tickets}
    assert {Role.DELIVERY, Role.PHARMACIST} <= set(parts)
    assert parts[Role.DELIVERY].urgency is parts[Role.PHARMACIST].urgency is Urgency.URGENT
    asked = catalog().checklists.of(parts[Role.DELIVERY].kinds, catalog().rules.rows)
    assert any("Re-ship before the next dose" in line for line in asked.record)


def test_a_strangers_ticket_is_linked_to_no_chart_and_merged_by_a_person(clinic, ivy):
    """Scenario 36: a nurse finds out on the call whose mother it is."""
    ivy.texts("please call me about my supplies and my fever")
    stranger = clinic.stranger("+12125556666")
    stranger.texts("my mother Carla has a fever pump beeping")
    with runtime.reading() as session:
        unknown = next(t for t in session.query(tickets.Ticket) if t.patient_id is None and t.role is Role.NURSE)
    assert unknown.urgency is Urgency.URGENT
    assert "800-555-0100" in stranger.last
    assert "Carla" not in stranger.last
    mine = next(ticket for ticket in ivy.tickets if ticket.role is Role.NURSE)
    by_hand(clinic, unknown, handling.merge, mine, catalog=catalog())
    with runtime.reading() as session:
        merged, mine = tickets.get(session, unknown.id), tickets.get(session, mine.id)
    assert (merged.state, merged.outcome, merged.merged_id) == (TicketState.RESOLVED, "merged", mine.id)
    assert "PUMP_ALARM" in mine.kinds
    assert "pump beeping" in mine.text


def test_what_the_owner_has_not_heard_pages_her_when_it_is_merged(clinic, clock, ivy):
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clock.passes(minutes=2)
    stranger = clinic.stranger("+12125556666")
    stranger.texts("can't breathe")
    with runtime.reading() as session:
        unknown = next(t for t in session.query(tickets.Ticket) if t.patient_id is None)
    by_hand(clinic, unknown, handling.merge, ivy.ticket, catalog=catalog())
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert ivy.ticket.state is TicketState.OPEN


def test_a_red_flag_is_not_merged_away(clinic, ivy):
    ivy.texts("FEVER")
    ivy.texts("please pick up the empty sharps box")
    fever = next(ticket for ticket in ivy.tickets if ticket.role is Role.NURSE)
    sharps = next(ticket for ticket in ivy.tickets if ticket.role is not Role.NURSE)
    with pytest.raises(Refused, match="cannot be left to"):
        by_hand(clinic, fever, handling.merge, sharps, catalog=catalog())
    eve = clinic.active("Eve")
    eve.texts("FEVER")
    with pytest.raises(Refused, match="another patient"):
        by_hand(clinic, fever, handling.merge, eve.ticket, catalog=catalog())


def test_a_ticket_for_another_team_pages_that_team_at_once(clinic, ivy):
    ivy.texts("FEVER")
    by_hand(clinic, ivy.ticket, handling.reroute, Role.PHARMACIST, catalog=catalog())
    assert ivy.ticket.role is Role.PHARMACIST
    assert f"#{ivy.ticket.number} URGENT pharmacist" in clinic.phil.last


def test_at_the_end_of_a_shift_everything_goes_to_a_colleague(clinic, ivy):
    eve = clinic.active("Eve")
    ivy.texts("FEVER")
    eve.texts("my chest feels tight")
    for ticket in (ivy.ticket, eve.ticket):
        clinic.nia.texts(f"A {ticket.number}")
    with runtime.transaction() as session:
        people = {person.key: person for person in session.query(Staff)}
        handling.hand_over(session, people["nia"], people["bo"], tickets.Actor("Nia Nurse"), now=clinic.now)
    clinic.world.settle()
    assert ivy.ticket.owner == eve.ticket.owner == "Bo Backup"
    assert clinic.bo.received("was given to you") == 2


def test_a_red_flag_needs_a_contact_and_every_ticket_an_outcome(clinic, ivy):
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    for outcome, why in (("reached_advised", "log the contact first"), ("closed", "Choose an outcome")):
        with pytest.raises(Refused, match=why):
            by_hand(clinic, ivy.ticket, lambda s, row, by, now, o=outcome: tickets.resolve(s, row, o, "", by, now=now))
    clinic.handled(ivy.ticket)
    assert ivy.ticket.outcome == "reached_advised"


def test_what_was_asked_on_the_call_is_kept(clinic, ivy):
    ivy.texts("FEVER")
    asked = catalog().checklists.of(ivy.ticket.kinds, catalog().rules.rows).lines
    answers = {"Temperature": "102.1", "Is the moon full?": "yes"}
    assert by_hand(
        clinic, ivy.ticket, lambda s, row, by, now: handling.record(s, row, answers, by, asked=asked, now=now)
    )
    assert ivy.ticket.answers == {"Temperature": "102.1"}
    assert clinic.verbs(ivy.ticket).count("ticket.recorded") == 1


def test_two_ambers_in_a_day_make_one_urgent_episode(clinic, clock, ivy):
    """Scenario 66."""
    clock.until("2026-11-23T10:00-05:00")
    ivy.texts("queasy")
    clock.until("2026-11-23T13:00-05:00")
    ivy.texts("diarrhea 4x")
    assert ivy.ticket.urgency is Urgency.URGENT
    assert clinic.nia.is_paged


def test_a_crisis_is_called_within_five_minutes(clinic):
    """Scenario 73."""
    ana = clinic.active("Ana", language="es")
    ana.texts("ya no quiero vivir")
    assert ana.ticket.urgency is Urgency.EMERGENCY
    assert "988" in ana.last
    assert "911" in ana.last
    assert (ana.ticket.respond_by - ana.ticket.opened_at).total_seconds() == 300


def test_after_a_crisis_no_reminder_leaves_for_a_day_unless_a_nurse_releases_it(clinic, clock):
    """Scenario 73: both would be reminded of tomorrow's delivery at three."""
    ana, eve = (clinic.active(name) for name in ("Ana", "Eve"))
    clinic.delivery(ana, "2026-11-24 15:00", "2026-11-24 17:00", Saline_flush=28)
    clinic.delivery(eve, "2026-11-24 15:00", "2026-11-24 17:00", Saline_flush=28)
    for person in (ana, eve):
        person.texts("i want to die")
        clinic.nia.texts(f"A {person.ticket.number}")
        clinic.reached(person.ticket)
    clinic.handled(eve.ticket)
    clock.until("2026-11-23T16:00-05:00")
    assert eve.received("Delivery tomorrow") == 1
    assert ana.received("Delivery tomorrow") == 0

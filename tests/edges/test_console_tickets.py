"""Tickets, roster and hand-over in the console: forms that change things are POSTs by somebody who is signed in."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from notifier import access, runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import Channel, Role
from notifier.models import HandOver, Message, OnCallShift, Staff, Ticket
from tests.clinic import Clinic
from tests.edges.test_console_door import PASSWORD, Visitor


@pytest.fixture
def people(clinic: Clinic) -> Clinic:
    """A nurse, a coordinator and a driver's desk, who may sign in."""
    with runtime.transaction() as session:
        for email, role in (("nia", Role.NURSE), ("cora", Role.COORDINATOR), ("dee", Role.DELIVERY)):
            access.create_user(session, f"{email}@example.com", role, PASSWORD, now=clinic.now)
    return clinic


def staff_id(key: str) -> str:
    """The id of a member of staff."""
    with runtime.reading() as session:
        return str(session.scalars(select(Staff.id).where(Staff.key == key)).one())


def row(ticket: Ticket) -> Ticket:
    """The ticket as it stands."""
    with runtime.reading() as session:
        return session.get_one(Ticket, ticket.id)


def test_a_nurse_works_through_the_checklist_of_a_fever(people: Clinic) -> None:
    ivy = people.active("Ivy")
    ivy.texts("FEVER")
    number = ivy.ticket.number
    nia = Visitor(people).signs_in("nia@example.com")
    page = nia.opens(f"/tickets/{number}").get_data(as_text=True)
    assert "What is the temperature now" in page
    assert "What to record" in page
    nia.sends(f"/tickets/{number}/checklist", **{"answer-0": "102.1 by mouth"})
    assert list(row(ivy.ticket).answers.values()) == ["102.1 by mouth"]
    assert "102.1 by mouth" in nia.opens(f"/tickets/{number}").get_data(as_text=True)


def test_a_message_names_the_words_it_was_made_of_also_when_others_stand_there_now(people: Clinic) -> None:
    ivy = people.active("Ivy")
    people.delivery(ivy, "2026-11-27 10:00", "2026-11-27 12:00", Saline_flush_10_mL=28)
    people.world.clock.passes(hours=12)
    ivy.texts("FEVER")
    with runtime.reading() as session:
        first, *_ = session.scalars(
            select(Message).where(Message.step.is_not(None), Message.body.is_not(None)).order_by(Message.sent_at)
        )
    catalog = runtime.current().catalog
    assert first.template_version == catalog.version(first.template, first.language, first.channel)
    nia, dee = Visitor(people).signs_in("nia@example.com"), Visitor(people).signs_in("dee@example.com")
    page = f"/tickets/{ivy.ticket.number}"
    assert f"{first.template} v{first.template_version}" in nia.opens(page).get_data(as_text=True)
    assert f"v{first.template_version}" in nia.opens("/messages/catalogue").get_data(as_text=True)
    answer = catalog.version("ack.FEVER", "en", Channel.SMS)
    assert f"v{answer}" in nia.opens(page).get_data(as_text=True)
    assert f"v{answer}" not in dee.opens(page).get_data(as_text=True), "a version tells what an answer was about"

    with runtime.transaction() as session:
        session.execute(update(Message).where(Message.id == first.id).values(template_version="0ld0ld"))
    assert f"{first.template} v0ld0ld" in nia.opens(page).get_data(as_text=True)


def test_no_link_changes_anything(people: Clinic) -> None:
    ivy = people.active("Ivy")
    ivy.texts("FEVER")
    nia = Visitor(people).signs_in("nia@example.com")
    for verb in ("acknowledge", "call", "pass", "resolve", "merge", "link", "role", "checklist"):
        nia.opens(f"/tickets/{ivy.ticket.number}/{verb}")
    assert row(ivy.ticket).state is TicketState.OPEN
    for path in ("/roster/cover", "/roster/test", "/handover/confirm", "/handover/give"):
        assert nia.opens(path).status_code == 405


def test_tickets_are_linked_merged_and_moved_by_their_numbers(people: Clinic) -> None:
    ivy = people.active("Ivy")
    ivy.texts("FEVER")
    fever = ivy.ticket
    ivy.texts("please pick up the empty sharps box")
    sharps = next(ticket for ticket in ivy.tickets if ticket.id != fever.id)
    cora = Visitor(people).signs_in("cora@example.com")
    cora.opens(f"/tickets/{sharps.number}")
    cora.sends(f"/tickets/{sharps.number}/link", number=f"#{fever.number}")
    assert people.linked(fever) == [sharps.number]
    cora.sends(f"/tickets/{fever.number}/merge", number=str(sharps.number))
    assert "cannot be left to" in cora.text
    cora.opens(f"/tickets/{sharps.number}")
    cora.sends(f"/tickets/{sharps.number}/merge", number=str(fever.number))
    assert row(sharps).merged_id == fever.id
    cora.opens(f"/tickets/{fever.number}")
    cora.sends(f"/tickets/{fever.number}/role", role="pharmacist")
    assert row(fever).role is Role.PHARMACIST


def test_the_old_tickets_last_words_stand_on_the_new_one(people: Clinic, clock) -> None:
    """Scenario 15."""
    ivy = people.active("Ivy")
    ivy.texts("FEVER")
    people.nia.texts("A")
    people.handled(ivy.ticket)
    clock.passes(hours=3)
    ivy.texts("still 102")
    nia = Visitor(people).signs_in("nia@example.com")
    page = nia.opens(f"/tickets/{ivy.tickets[1].number}").get_data(as_text=True)
    assert "whose last words were: Reached, advised" in page


def test_the_roster_tells_of_gaps_and_phones_and_takes_a_cover(people: Clinic) -> None:
    cora = Visitor(people).signs_in("cora@example.com")
    page = cora.opens("/roster").get_data(as_text=True)
    assert "The next 30 days" in page
    assert "has a phone that has never answered us" in page
    start = people.now.replace(tzinfo=None) - timedelta(hours=5)
    cora.sends(
        "/roster/cover",
        site="newyork",
        role="nurse",
        rung="0",
        staff=staff_id("bo"),
        **{"from": start.isoformat(timespec="minutes"), "until": (start + timedelta(hours=2)).isoformat()},
    )
    ivy = people.active("Ivy")
    ivy.texts("FEVER")
    assert people.bo.is_paged
    with runtime.reading() as session:
        made = session.scalars(select(OnCallShift).where(OnCallShift.is_override)).unique().one()
    cora.opens("/roster")
    cora.sends(f"/roster/cover/{made.id}/remove")
    with runtime.reading() as session:
        assert session.scalars(select(OnCallShift).where(OnCallShift.is_override)).unique().all() == []


def test_a_nurse_covers_for_herself_and_plans_nobody_else(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/roster")
    times = {"from": "2026-11-24T09:00", "until": "2026-11-24T10:00"}
    nia.sends("/roster/cover", site="newyork", role="nurse", rung="0", staff=staff_id("bo"), **times)
    assert "planned by a coordinator" in nia.text
    nia.sends("/roster/cover", site="newyork", role="nurse", rung="1", staff=staff_id("nia"), **times)
    with runtime.reading() as session:
        assert session.scalars(select(OnCallShift).where(OnCallShift.is_override)).unique().one().rung == 1


def test_a_phone_is_asked_to_answer(people: Clinic) -> None:
    cora = Visitor(people).signs_in("cora@example.com")
    cora.opens("/roster")
    cora.sends("/roster/test", site="newyork", staff=staff_id("nia"))
    people.world.settle()
    assert "this phone is on the on-call list" in people.nia.last
    people.nia.texts("OK")
    assert "pages reach this phone" in people.nia.last


def test_the_hand_over_shows_what_waits_is_confirmed_and_given(people: Clinic) -> None:
    ivy = people.active("Ivy")
    ivy.texts("FEVER")
    people.nia.texts("A")
    with runtime.transaction() as session:
        nia_id = session.scalars(select(Staff.id).where(Staff.key == "nia")).one()
        shift = HandOver(site_key="newyork", role=Role.NURSE, staff_id=nia_id, began_at=people.now, counts={})
        session.add(shift)
    nia = Visitor(people).signs_in("nia@example.com")
    page = nia.opens("/handover").get_data(as_text=True)
    assert f"#{ivy.ticket.number} Ivy" in page
    assert "the shift is mine" in page
    nia.sends("/handover/confirm")
    with runtime.reading() as session:
        assert session.scalars(select(HandOver)).one().confirmed_at == people.now
    nia.sends("/handover/give", to=staff_id("bo"))
    assert row(ivy.ticket).owner == "Bo Backup"

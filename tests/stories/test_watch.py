"""What looks after the service and its people each minute: shifts, rotas, the auditor, the canary."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from jobs import tasks
from notifier import auditor, canary, pharmacy, queries, roster, runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import CANARY, Role
from notifier.models import HandOver, Inbound, Message, Site, Staff, Ticket
from tests.clinic import PHARMACY

OURS = "+12125550198"  # a second number of the pharmacy
NIGHTS = """
[[rota]]
site = "*"
role = "nurse"
rung = 0
staff = "bo"
hours = "19:00-07:00"
"""


def applied(clinic, text: str) -> None:
    """The pharmacy's file is changed and applied."""
    with runtime.transaction() as session:
        pharmacy.apply(session, text, now=clinic.now, by="test")
    clinic.world.settle()


# --- shifts ---------------------------------------------------------------------------------------------------------


def test_a_backup_who_becomes_the_first_is_on_call_already(clinic, clock):
    applied(clinic, PHARMACY + NIGHTS)
    ivy = clinic.active("Ivy")
    clock.until("2026-11-23T18:50-05:00")
    ivy.texts("FEVER")
    clock.until("2026-11-23T19:01-05:00")
    assert clinic.nia.received("shift begins") == clinic.bo.received("shift begins") == 0


def test_a_new_nurse_hears_of_open_tickets_promises_and_gaps(clinic, clock):
    eva = '[staff.eva]\nname = "Eva Evening"\nroles = ["nurse"]\nphone = "+12125550021"\n'
    applied(clinic, PHARMACY + eva + NIGHTS.replace('"bo"', '"eva"'))
    evening = clinic.stranger("+12125550021")
    ivy = clinic.active("Ivy")
    clock.until("2026-11-23T18:50-05:00")
    ivy.texts("FEVER")
    clock.until("2026-11-23T19:01-05:00")
    assert evening.received("your nurse shift begins. 1 open, 1 promised within 2 h, 0 silent") == 1
    evening.texts("H")
    assert "the shift is yours" in evening.last
    clock.passes(minutes=30)
    assert clinic.sue.received("has not confirmed") == 0


def test_a_shift_that_nobody_confirms_reaches_the_supervisor(clinic, clock):
    eva = '[staff.eva]\nname = "Eva Evening"\nroles = ["nurse"]\nphone = "+12125550021"\n'
    applied(clinic, PHARMACY + eva + NIGHTS.replace('"bo"', '"eva"'))
    clock.passes(minutes=1)
    clock.until("2026-11-23T19:01-05:00")
    clock.passes(minutes=15)
    assert clinic.sue.received("Eva Evening has not confirmed the nurse shift that began at 7 PM") == 1
    with runtime.reading() as session:
        assert session.scalars(select(HandOver)).one().confirmed_at is None


def test_the_supervisor_hears_once_a_day_of_holes_in_the_rota(clinic, clock):
    clock.passes(days=1)
    with runtime.transaction() as session:
        for person in session.scalars(select(Staff)):
            person.phone_verified_at = clinic.now
    told = clinic.sue.received("gaps or doubtful phones")
    assert told  # phones that had never answered
    clock.passes(days=1, hours=1)
    assert clinic.sue.received("gaps or doubtful phones") == told
    applied(clinic, PHARMACY.replace('role = "nurse"\nrung = 0', 'role = "nurse"\nrung = 0\nhours = "07:00-19:00"'))
    clock.passes(days=1)
    assert clinic.sue.received("nurse first rung") == 1


def test_a_swap_is_two_covers_and_the_file_leaves_them_alone(clinic, clock):
    with runtime.transaction() as session:
        site = session.get(Site, "newyork")
        people = {person.key: person.id for person in session.scalars(select(Staff))}
        hour = timedelta(hours=1)
        swap = [
            roster.Cover("newyork", Role.NURSE, 0, people["bo"], clinic.now, clinic.now + hour),
            roster.Cover("newyork", Role.NURSE, 0, people["nia"], clinic.now + hour, clinic.now + 2 * hour),
        ]
        roster.cover(session, swap, by="Sue", now=clinic.now)
        held = roster.on_call(session, Role.NURSE, site, clinic.now)
        assert held[0] == [people["bo"]]
    applied(clinic, PHARMACY)
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    assert clinic.bo.is_paged
    assert not clinic.nia.is_paged


# --- the auditor ----------------------------------------------------------------------------------------------------


def broken(clinic) -> set[str]:
    """The rules that the service breaks now."""
    with runtime.reading() as session:
        return {breach.rule for breach in auditor.breaches(session, clinic.now)}


def test_a_quiet_service_breaks_no_rule(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=40)
    assert broken(clinic) == set()


@pytest.mark.parametrize(
    ("rule", "harm"),
    [
        ("escalation", "UPDATE ticket SET escalate_at = '2026-11-01 00:00:00+00'"),
        ("next_step", "UPDATE ticket SET escalate_at = '2026-12-01 00:00:00+00'"),
        ("promise", "UPDATE ticket SET promise_due_at = '2026-11-01 00:00:00+00'"),
        ("woke_nobody", "DELETE FROM paged"),
        ("misread", "UPDATE inbound SET ticket_id = NULL"),
        ("unread", "UPDATE inbound SET state = 'received'"),
        ("urgent_message", "UPDATE message SET state = 'planned', lease_until = NULL WHERE template = 'page'"),
    ],
)
def test_each_harm_to_the_ledger_is_seen(clinic, clock, rule, harm):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.set("2026-11-23T14:02:30+00:00")
    assert broken(clinic) == set()
    with runtime.transaction() as session:
        session.connection().exec_driver_sql(harm)
    assert rule in broken(clinic)


def test_an_owner_who_left_is_seen_and_a_lapse_that_was_missed(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clinic.nia.texts("A")
    clinic.leaves("nia")
    assert "owner" in broken(clinic)
    clock.set("2026-11-23T14:30:00+00:00")
    assert "acknowledgement" in broken(clinic)


def test_a_breach_pages_operations_once_a_quarter_of_an_hour_and_turns_the_status_red(clinic, clock):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    with runtime.transaction() as session:
        session.execute(update(Inbound).values(ticket_id=None))
    for _ in range(3):
        tasks.watch()
    tasks.drain_urgent()
    clinic.sandbox.settle()
    assert clinic.sue.received("operations: 1 checks fail: misread") == 1
    status = clinic.world.app.test_client().get("/statusz")
    assert status.status_code == 503
    assert "1 red flags were read and became no ticket" in status.json["wrong"]


# --- the canary -----------------------------------------------------------------------------------------------------


@pytest.fixture
def singing(clinic, monkeypatch):
    """The canary is on, and sings to a second number of the pharmacy."""
    parts = runtime.current()
    settings = replace(parts.settings, canary_mode="on", canary_number=OURS)
    monkeypatch.setattr(runtime, "_current", replace(parts, settings=settings))
    return clinic


def canary_tickets() -> list[Ticket]:
    """The canary's own tickets."""
    with runtime.reading() as session:
        return list(session.scalars(select(Ticket).where(Ticket.site_key == CANARY).order_by(Ticket.opened_at)))


def test_the_canary_goes_the_whole_way_and_nobody_hears_it(singing, clock):
    tasks.sing()
    singing.world.settle()
    [ticket] = canary_tickets()
    assert ticket.kinds == ["FEVER"]
    phone = singing.stranger(OURS)
    assert phone.received("URGENT nurse") == 1
    clock.passes(minutes=1)
    [ticket] = canary_tickets()
    assert (ticket.state, ticket.number < 0) == (TicketState.RESOLVED, True)
    clock.passes(minutes=4)
    with runtime.reading() as session:
        assert canary.missed(session, singing.now, pace=1.0) == ""
        assert queries.count_patients(session, ()) == 0
        assert [site.key for site in queries.sites(session)] == ["newyork"]
        assert queries.figures(session, singing.now).tickets == {}
    for person in (singing.nia, singing.bo, singing.sue, singing.desk):
        assert not person.is_paged
    assert clinic_status(singing).status_code == 200


def clinic_status(clinic):
    """What the monitor outside sees."""
    return clinic.world.app.test_client().get("/statusz")


def test_a_canary_that_is_not_heard_is_missed_loudly(singing, clock):
    tasks.sing()
    with runtime.transaction() as session:
        session.execute(update(Message).where(Message.site_key == CANARY).values(state="cancelled"))
        session.execute(update(Inbound).values(state="triaged"))  # lost on the way
    clock.passes(minutes=3)
    assert "the canary was not heard" in clinic_status(singing).json["status"]
    assert singing.sue.received("checks fail") == 1


def test_a_canary_without_a_number_of_our_own_says_so(singing):
    parts = runtime.current()
    runtime._current = replace(parts, settings=replace(parts.settings, canary_number=""))
    assert "CANARY_NUMBER" in clinic_status(singing).json["status"]


def test_the_canary_never_uses_somebodys_phone(singing):
    with runtime.transaction() as session, pytest.raises(Exception, match="somebody's phone"):
        canary.set_up(session, "+12125550011", now=singing.now)


def test_a_text_of_ours_to_another_number_of_ours_opens_no_ticket(singing):
    ours = singing.stranger("+12125550199")
    singing.post_sms(ours, "SM" + "9" * 32, "Pharmko #101 URGENT nurse, 0 min old. Reply A to take it, P to pass.")
    singing.world.settle()
    with runtime.reading() as session:
        assert session.scalars(select(Ticket)).all() == []

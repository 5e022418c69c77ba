"""The board: what is new to whom, who else is there, several at once; and fifty who look cost one look."""

import re
from typing import Any

import pytest
from sqlalchemy import event, update

from notifier import access, runtime
from notifier.clock import real
from notifier.core.states import TicketState
from notifier.core.vocabulary import Role, Urgency
from notifier.models import Ticket
from tests.clinic import Clinic
from tests.visitor import PASSWORD, Visitor
from webhooks.console import drawing, live
from webhooks.console.lately import Lately


@pytest.fixture
def people(clinic: Clinic) -> Clinic:
    """Nia and Bo, who may sign in."""
    with runtime.transaction() as session:
        for name in ("nia", "bo"):
            access.create_user(session, f"{name}@example.com", Role.NURSE, PASSWORD, now=clinic.now)
    return clinic


def is_bold(visitor: Visitor, ticket: Ticket) -> bool:
    row = visitor.text.split(f'id="t{ticket.number}"')[0].rsplit("<li", 1)[1]
    return "is-unread" in row


def test_a_ticket_is_new_until_one_has_looked_and_again_when_it_tells_more(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia, bo = Visitor(people).signs_in("nia@example.com"), Visitor(people).signs_in("bo@example.com")
    nia.opens("/")
    assert is_bold(nia, otis.ticket)
    nia.opens(f"/tickets/{otis.ticket.number}")
    nia.opens("/")
    bo.opens("/")
    assert not is_bold(nia, otis.ticket)
    assert is_bold(bo, otis.ticket), "new to each person by itself"
    people.world.clock.passes(minutes=1)
    otis.texts("now I am shaking too")
    nia.opens("/")
    assert is_bold(nia, otis.ticket)


def test_two_on_one_ticket_see_each_other(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    page = f"/tickets/{otis.ticket.number}"
    nia, bo = Visitor(people).signs_in("nia@example.com"), Visitor(people).signs_in("bo@example.com")
    nia.opens(page)
    assert "Also here" not in nia.text
    bo.opens(page)
    assert "Also here: Nia Nurse" in bo.text
    nia.opens(page)
    assert "Also here: Bo Backup" in nia.text


def test_several_routine_tickets_are_resolved_at_once_and_no_red_one(people: Clinic) -> None:
    ada, otis = people.active("Ada"), people.active("Otis")
    ada.texts("FEVER 101.5")
    otis.texts("FEVER 102")
    with runtime.transaction() as session:
        quiet = Ticket.number == otis.ticket.number
        session.execute(update(Ticket).where(quiet).values(urgency=Urgency.ROUTINE))
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/")
    nia.sends("/tickets/resolve", ticket=[ada.ticket.number, otis.ticket.number], outcome="no_action")
    assert "1 of 2 tickets are resolved." in nia.text
    assert otis.ticket.state is TicketState.RESOLVED
    assert ada.ticket.state is TicketState.OPEN


def test_without_an_outcome_nothing_is_closed(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 102")
    with runtime.transaction() as session:
        session.execute(update(Ticket).values(urgency=Urgency.ROUTINE))
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/")
    nia.sends("/tickets/resolve", ticket=[otis.ticket.number], outcome="")
    assert "Choose an outcome" in nia.text
    assert otis.ticket.state is TicketState.OPEN


def test_fifty_open_boards_cost_one_look(people: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_looks", Lately[str](live.SHARED))
    nia = Visitor(people).signs_in("nia@example.com")
    asked = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append("sum" in statement and "ticket" in statement)

    engine = runtime.current().engine
    event.listen(engine, "before_cursor_execute", count)
    began = real()
    for _ in range(50):
        assert nia.client.get("/live?once=1").status_code == 200
    event.remove(engine, "before_cursor_execute", count)
    looks = 1 + (real() - began).total_seconds() // (live.SHARED)
    assert 1 <= sum(asked) <= looks


def test_fifty_redrawn_boards_cost_one_drawing(people: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_drawings", Lately[drawing.Drawing](60))
    people.active("Otis").texts("FEVER 101.5")
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/")
    asked = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append("FROM inbound" in statement)

    engine = runtime.current().engine
    event.listen(engine, "before_cursor_execute", count)
    pages = {
        nia.client.get("/", headers={"X-Live": "1"}).get_data(as_text=True).count("FEVER 101.5") for _ in range(50)
    }
    event.remove(engine, "before_cursor_execute", count)
    assert pages == {1}
    assert sum(asked) == 0, "all fifty were given what Nia's own page had drawn"


def test_a_shared_drawing_still_shows_to_each_what_is_theirs(people: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_drawings", Lately[drawing.Drawing](60))
    with runtime.transaction() as session:
        access.create_user(session, "dan@example.com", Role.DELIVERY, PASSWORD, now=people.now)
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia, bo, driver = (Visitor(people).signs_in(f"{name}@example.com") for name in ("nia", "bo", "dan"))
    nia.opens(f"/tickets/{otis.ticket.number}")
    nia.sends(f"/tickets/{otis.ticket.number}/acknowledge")

    def board(visitor: Visitor) -> str:
        visitor.page = visitor.client.get("/", headers={"X-Live": "1"})
        return visitor.text

    assert ">You</span>" in board(nia).replace("</span>You", ">You")
    assert ">You</span>" not in board(bo).replace("</span>You", ">You"), "Bo sees that Nia has it"
    assert "Nia Nurse" in bo.text
    assert is_bold(bo, otis.ticket)
    assert not is_bold(nia, otis.ticket)
    assert "FEVER" not in board(driver), "a driver is never given what a nurse may read"


def test_an_own_deed_is_on_the_board_at_once(people: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_drawings", Lately[drawing.Drawing](60))
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/")
    with runtime.transaction() as session:  # what no token tells of
        session.execute(update(Ticket).values(kinds=["CHILLS"]))
    nia.opens("/")
    assert "hills" in nia.text


def test_an_emergency_says_so_on_the_board_and_the_alarm_is_off_until_chosen(people: Clinic) -> None:
    otis = people.active("Otis")
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/")
    assert 'data-alarms="0"' in nia.text
    otis.texts("I cant breathe")
    nia.opens("/")
    assert 'data-alarms="1"' in nia.text
    assert 'role="alert"' in nia.text
    assert 'aria-pressed="false" hidden' in nia.text


def test_the_whole_console_is_read_in_spanish_by_who_chooses_it(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens("/")
    nia.sends("/language", language="es", back="/")
    assert '<html lang="es"' in nia.text
    assert "Tablero" in nia.text
    assert "Fiebre" in nia.text
    assert "Nadie aún" in nia.text
    nia.opens(f"/patients/{otis.row.id}")
    assert "noviembre" in nia.text
    assert "Todo lo que fue y será" in nia.text


def test_a_text_that_names_the_medicine_is_held_and_a_safe_one_offered(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    page = f"/tickets/{otis.ticket.number}"
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens(page)
    nonce = re.search(r'name="nonce" value="(\w+)"', nia.text)[1]
    nia.sends(f"{page}/reply", nonce=nonce, text="your vancomycin is late")
    assert nia.page.status_code == 409
    assert "say &#34;your medicine&#34;" in nia.text
    assert "<q>Your medicine is late</q>" in nia.text
    people.world.settle()
    assert otis.received("vancomycin") == 0
    form = nia.text.split('id="safer"')[1]
    nonce, text = (re.search(rf'name="{name}" value="([^"]+)"', form)[1] for name in ("nonce", "text"))
    nia.sends(f"{page}/reply", nonce=nonce, text=text)
    people.world.settle()
    assert otis.received("Your medicine is late") == 1


def test_a_saved_answer_is_offered_in_the_patients_language(people: Clinic) -> None:
    otis = people.active("Otis", language="es")
    otis.texts("FIEBRE 39")
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens(f"/tickets/{otis.ticket.number}?say=calling")
    box = re.search(r'<textarea id="text"[^>]*>([^<]*)</textarea>', nia.text)[1]
    assert box == "Recibimos su texto y le llamamos ahora. Por favor conteste."

"""Who gets in, what a form must bring, what each role may read, and what no page ever says."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from notifier import access, runtime
from notifier.clock import real
from notifier.core.states import TicketState
from notifier.core.vocabulary import Role
from notifier.models import AuditEvent, ConsoleSession, Message, Staff
from tests.clinic import Clinic
from tests.visitor import PASSWORD, Visitor


@pytest.fixture
def people(clinic: Clinic) -> Clinic:
    """A nurse, a coordinator and a driver's desk, who may sign in."""
    with runtime.transaction() as session:
        for email, role in (("nia", Role.NURSE), ("cora", Role.COORDINATOR), ("dee", Role.DELIVERY)):
            access.create_user(session, f"{email}@example.com", role, PASSWORD, now=clinic.now)
    return clinic


# --- the door -----------------------------------------------------------------------------------------------------


def test_nobody_sees_a_page_without_signing_in(people: Clinic) -> None:
    for path in ("/", "/tickets/1", "/patients", "/schedule", "/messages", "/roster", "/live"):
        answer = people.world.app.test_client().get(path)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/signin"), path


def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(people: Clinic) -> None:
    known, unknown = Visitor(people), Visitor(people)
    known.signs_in("nia@example.com", "wrong")
    unknown.signs_in("nobody@example.com", "wrong")
    assert known.page.status_code == unknown.page.status_code == 401
    assert "do not belong together" in known.text
    assert "do not belong together" in unknown.text


def test_an_email_may_be_typed_in_any_case(people: Clinic) -> None:
    assert "Board" in Visitor(people).signs_in(" Nia@Example.COM ").text


def test_after_five_wrong_passwords_even_the_right_one_must_wait(people: Clinic) -> None:
    visitor = Visitor(people)
    for _ in range(5):
        visitor.signs_in("nia@example.com", "wrong")
    visitor.signs_in("nia@example.com")
    assert visitor.page.status_code == 429
    assert "Too many tries" in visitor.text
    assert "Board" in Visitor(people).signs_in("cora@example.com").text


def test_sign_ins_are_counted_while_redis_is_away(people: Clinic, redis: Any) -> None:
    redis.stop()
    visitor = Visitor(people)
    answers = [visitor.signs_in("nia@example.com", "wrong").page.status_code for _ in range(7)]
    redis.start()
    assert answers[:5] == [401] * 5
    assert 429 in answers


def test_half_an_hour_of_rest_signs_off_and_live_updates_are_no_use_of_the_page(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    rested(minutes=29)
    assert nia.client.get("/", headers={"X-Live": "1"}).status_code == 200
    rested(minutes=2)
    assert nia.client.get("/").status_code == 302


def test_working_keeps_the_door_open(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    rested(minutes=29)
    assert nia.client.get("/").status_code == 200
    rested(minutes=29)
    assert nia.client.get("/").status_code == 200


def rested(**span: float) -> None:
    """Sign-in runs on real time, so what was last seen is moved back."""
    with runtime.transaction() as session:
        for row in session.scalars(select(ConsoleSession)):
            row.seen_at -= timedelta(**span)


def test_signing_out_ends_the_session_wherever_its_cookie_is(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    cookie = nia.client.get_cookie("notifier")
    nia.sends("/signout")
    thief = people.world.app.test_client()
    thief.set_cookie("notifier", cookie.value)
    assert thief.get("/").status_code == 302


def test_who_has_left_is_signed_out_at_once(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    with runtime.transaction() as session:
        session.execute(update(Staff).where(Staff.key == "nia").values(active=False))
    assert nia.client.get("/").status_code == 302
    assert nia.signs_in("nia@example.com").page.status_code == 401


def test_the_way_back_after_signing_in_never_leads_elsewhere(people: Clinic) -> None:
    for elsewhere in ("https://example.com/", "//example.com/", "/\\example.com"):
        visitor = Visitor(people)
        token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.text)[1]
        form = {"csrf_token": token, "email": "nia@example.com", "password": PASSWORD}
        answer = visitor.client.post("/signin", query_string={"next": elsewhere}, data=form)
        assert answer.headers["Location"] == "/"


def test_passwords_and_tokens_are_not_stored_as_they_are(people: Clinic) -> None:
    with runtime.transaction() as session:
        presented = access.create_token(session, "pharmacy system", [access.Scope.READ], now=people.now)
        assert access.token(session, presented).name == "pharmacy system"
        assert access.token(session, presented + "x") is None
        nia = session.scalars(select(Staff).where(Staff.key == "nia")).one()
        assert nia.password_hash.startswith("$argon2id$")
        assert PASSWORD not in nia.password_hash


# --- forms and headers --------------------------------------------------------------------------------------------


def test_a_form_that_the_console_did_not_draw_changes_nothing(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia = Visitor(people).signs_in("nia@example.com")
    answer = nia.client.post(f"/tickets/{otis.ticket.number}/acknowledge")
    assert answer.status_code == 400
    assert "form is too old" in answer.get_data(as_text=True)
    assert otis.ticket.state is TicketState.OPEN


def test_no_link_changes_a_ticket(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia = Visitor(people).signs_in("nia@example.com")
    for verb in ("acknowledge", "pass", "assign", "note", "contact", "resolve", "reply"):
        answer = nia.client.get(f"/tickets/{otis.ticket.number}/{verb}")
        assert answer.headers["Location"] == f"/tickets/{otis.ticket.number}", "a refused form can be loaded anew"
    assert otis.ticket.state is TicketState.OPEN


def test_every_answer_forbids_what_it_does_not_need(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    for path in ("/", "/patients", "/nowhere", "/static/console.css", "/healthz"):
        with nia.client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        if not path.startswith("/static/"):
            assert headers["Cache-Control"] == "no-store", path


def test_a_double_click_on_send_is_one_text(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    nia = Visitor(people).signs_in("nia@example.com")
    page = f"/tickets/{otis.ticket.number}"
    nia.opens(page)
    nonce = re.search(r'name="nonce" value="(\w+)"', nia.text)[1]
    for _ in range(2):
        nia.sends(f"{page}/reply", nonce=nonce, text="I am calling you now.")
    people.world.settle()
    assert otis.received("I am calling you now.") == 1
    assert "I am calling you now." in nia.opens(page).get_data(as_text=True)


def test_who_was_slower_is_told_who_has_it(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    page = f"/tickets/{otis.ticket.number}"
    nia, cora = Visitor(people).signs_in("nia@example.com"), Visitor(people).signs_in("cora@example.com")
    nia.opens(page)
    cora.opens(page)
    nia.sends(f"{page}/acknowledge")
    cora.sends(f"{page}/acknowledge")
    assert "is with Nia Nurse already" in cora.text
    assert otis.ticket.owner == "Nia Nurse"


def test_a_red_flag_cannot_be_closed_before_a_contact_and_the_words_stay(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    page = f"/tickets/{otis.ticket.number}"
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens(page)
    nia.sends(f"{page}/resolve", outcome="no_action", text="sounded fine")
    assert nia.page.status_code == 409
    assert "log the contact first" in nia.text
    assert "sounded fine" in nia.text
    assert nia.text.index("<h2>Not resolved</h2>") < nia.text.index('id="thread"'), "told where it is seen"


def test_a_row_keeps_what_the_service_added_and_what_staff_answered_apart_from_the_patients_words(
    people: Clinic,
) -> None:
    otis = people.active("Otis", zone="America/Phoenix")
    people.delivered(people.delivery(otis, "2026-11-24 16:00", "2026-11-24 18:00", Saline_flush_10_mL=28))
    otis.texts("MISSING 2 saline flushes")
    people.dee.texts("P")
    cora = Visitor(people).signs_in("cora@example.com")
    cora.opens("/")
    assert re.search(r"“MISSING 2 saline flushes”</span> (Missing by|The delivery)", cora.text)
    assert "2 texts" not in cora.text
    assert "MISSING 2 saline flushes Missing" not in cora.text, "nor on a second team's row"
    assert re.search(r"by [\w ,]*\d+:\d\d [AP]M MST<", cora.text), "another clock than the reader's is named"
    cora.opens(f"/patients/{otis.row.id}")
    assert "“MISSING 2 saline flushes”" in cora.text
    assert "“P”" not in cora.text


def test_a_long_story_opens_near_now_and_loses_nothing(people: Clinic) -> None:
    otis = people.active("Otis")
    for day in range(14):
        otis.texts(f"Day {day}: all good")
    cora = Visitor(people).signs_in("cora@example.com")
    cora.opens(f"/patients/{otis.row.id}")
    folded, shown = cora.text.split("</details></li>", 1) if "</details></li>" in cora.text else ("", "")
    assert "Earlier: " in folded
    assert "Day 0: all good" in folded
    assert "Day 13: all good" in shown
    assert "Day 0: all good" not in shown


# --- who may read what --------------------------------------------------------------------------------------------


def test_the_delivery_desk_sees_that_a_patient_is_ill_but_never_how(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5 and shaking")
    fever = otis.ticket
    nia = Visitor(people).signs_in("nia@example.com")
    nia.opens(f"/tickets/{fever.number}")
    nia.sends(f"/tickets/{fever.number}/note", text="calling about the fever")
    nonce = re.search(r'name="nonce" value="(\w+)"', nia.text)[1]
    nia.sends(f"/tickets/{fever.number}/reply", text="We are calling about your shaking.", nonce=nonce)
    dee = Visitor(people).signs_in("dee@example.com")
    for path in ("/", f"/tickets/{fever.number}", f"/patients/{otis.row.id}"):
        dee.opens(path)
        assert "Otis Mockridge" in dee.text, path
        assert "shaking" not in dee.text, path
        assert "101.5" not in dee.text, path
        assert "fever" not in dee.text.lower(), path
        assert "antibiotic" not in dee.text.lower(), path
        assert "calling about" not in dee.text, path
    dee.sends(f"/tickets/{fever.number}/acknowledge")
    assert dee.page.status_code == 403
    assert otis.ticket.owner == "Nia Nurse"


def test_the_delivery_desk_reads_and_takes_what_is_missing(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("MISSING 2 flushes")
    desk = next(ticket for ticket in otis.tickets if ticket.role is Role.DELIVERY)
    dee = Visitor(people).signs_in("dee@example.com")
    dee.opens(f"/tickets/{desk.number}")
    assert "2 flushes" in dee.text
    dee.sends(f"/tickets/{desk.number}/acknowledge")
    assert f"#{desk.number} is yours" in dee.text


def test_a_site_is_closed_to_who_does_not_serve_it(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    with runtime.transaction() as session:
        nia = session.scalars(select(Staff).where(Staff.key == "nia")).one()
        nia.sites = ["elsewhere"]
    nia = Visitor(people).signs_in("nia@example.com")
    assert "Mockridge" not in nia.opens("/").get_data(as_text=True)
    for path in (f"/tickets/{otis.ticket.number}", f"/patients/{otis.row.id}"):
        assert nia.opens(path).status_code == 404
        assert "Mockridge" not in nia.text


def test_reading_about_a_patient_leaves_one_line_for_one_reading(people: Clinic) -> None:
    otis = people.active("Otis")
    nia = Visitor(people).signs_in("nia@example.com")
    for _ in range(3):
        nia.opens(f"/patients/{otis.row.id}")
    with runtime.reading() as session:
        lines = session.scalars(select(AuditEvent).where(AuditEvent.verb == "patient.viewed")).all()
    assert [(line.actor, line.patient_id) for line in lines] == [("Nia Nurse", otis.row.id)]


def test_a_patient_is_found_by_name_phone_or_number_and_the_address_never_says_whom(people: Clinic) -> None:
    otis = people.active("Otis")
    people.active("Ada", family_name="Lovelace")
    cora = Visitor(people).signs_in("cora@example.com")
    for sought in (
        "mockridge",
        "otis  MOCKRIDGE",
        "Mockridge, Otis",
        "mockridge otis",
        otis.row.external_id,
        otis.phone.number,
        "(212) 555-1001",
    ):
        cora.sends("/search", q=sought)
        assert "Otis Mockridge" in cora.text, sought
        assert "Lovelace" not in cora.text, sought
        assert cora.page.request.path == "/search"
        assert not cora.page.request.query_string
    for part in ("mockr", "otis", "nobody like this"):
        cora.sends("/search", q=part)
        assert "Otis Mockridge" not in cora.text, "a sealed name is found whole, or by the family name"
    assert "Nobody found" in cora.text


# --- pages for monitors -------------------------------------------------------------------------------------------


def test_monitors_see_health_and_no_names(people: Clinic) -> None:
    otis = people.active("Otis")
    otis.texts("FEVER 101.5")
    client = people.world.app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/statusz").status_code == 200
    figures = client.get("/metrics").get_data(as_text=True)
    assert 'notifier_unresolved_tickets{role="nurse",state="open",urgency="urgent"} 1.0' in figures
    assert "Otis" not in figures
    assert "+1212" not in figures


def test_status_goes_red_when_a_message_is_three_minutes_late_and_says_so(people: Clinic) -> None:
    people.active("Otis")
    with runtime.transaction() as session:
        message = session.scalars(select(Message).where(Message.state == "planned").limit(1)).one()
        message.due_at = people.now - timedelta(minutes=3)
    answer = people.world.app.test_client().get("/statusz")
    assert answer.status_code == 503
    assert "message is 180 s late" in answer.get_json()["status"]


def test_without_redis_texts_are_still_taken_and_status_says_what_waits(people: Clinic, redis: Any) -> None:
    client = people.world.app.test_client()
    redis.stop()
    ready, status = client.get("/readyz"), client.get("/statusz")
    redis.start()
    assert ready.status_code == 200
    assert status.status_code == 503
    assert "Redis is away" in status.get_json()["status"]


def test_without_the_database_every_page_says_so_and_what_to_do(people: Clinic, postgres: Any) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    postgres.stop()
    answers = {path: nia.client.get(path) for path in ("/", "/readyz", "/statusz", "/healthz", "/metrics")}
    postgres.start()
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/": 503,
        "/readyz": 503,
        "/statusz": 503,
        "/healthz": 200,
        "/metrics": 200,
    }
    assert "Answer A by text" in answers["/"].get_data(as_text=True)
    assert "notifier_database_up 0.0" in answers["/metrics"].get_data(as_text=True)
    assert nia.client.get("/").status_code == 200


def test_a_session_lasts_no_longer_than_a_shift_and_its_handover(people: Clinic) -> None:
    nia = Visitor(people).signs_in("nia@example.com")
    with runtime.transaction() as session:
        for row in session.scalars(select(ConsoleSession)):
            row.created_at = real() - timedelta(hours=15)
    assert nia.client.get("/").status_code == 302

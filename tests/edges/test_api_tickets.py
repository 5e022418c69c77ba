"""Tickets by the API: opened by hand, listed, taken, answered, and closed with an outcome."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from notifier.core.vocabulary import Scope
from tests.edges.api_caller import wrong_fields
from tests.edges.api_pharmacy import told

CALL_BACK = {"role": "coordinator", "urgency": "routine", "text": "Asks when the invoice comes"}


@pytest.fixture
def patient(pharmacy):
    return pharmacy.enrol(language="en", welcomed=True)


@pytest.fixture
def desk(pharmacy):
    """The system of the call centre: it works tickets."""
    return pharmacy.system(Scope.TICKETS)


@pytest.fixture
def ticket(desk, patient):
    return told(desk.post("/tickets", {**CALL_BACK, "patient": patient["id"]}), 201)


@pytest.fixture
def fever(desk, patient):
    return told(desk.post("/tickets", {"patient": patient["id"], "kinds": ["FEVER"], "text": "38.9 by phone"}), 201)


def actions(ticket):
    return [event["action"] for event in ticket["events"]]


# --- opened -------------------------------------------------------------------------------------------------------


def test_a_fever_told_by_phone_goes_where_a_fever_goes(fever):
    assert (fever["role"], fever["urgency"], fever["state"], fever["source"]) == ("nurse", "urgent", "open", "manual")
    assert fever["respond_by"] == "2026-11-23T14:15:00Z"
    assert "Nora" in next(event["detail"] for event in fever["events"] if event["action"] == "ticket.escalated")


def test_what_is_told_twice_is_one_ticket_with_more_news(desk, patient, ticket):
    again = told(desk.post("/tickets", {**CALL_BACK, "patient": patient["id"]}), 200)

    assert again["id"] == ticket["id"]
    assert actions(again) == ["ticket.opened", "ticket.appended"]


def test_a_site_may_have_a_ticket_without_a_patient(desk):
    ticket = told(desk.post("/tickets", {**CALL_BACK, "site": "portland"}), 201)

    assert (ticket["patient"], ticket["site"]) == (None, "portland")


CANNOT_BE = [
    ({"text": "?"}, {"urgency", "role", "site"}),
    ({**CALL_BACK, "site": "atlantis"}, {"site"}),
    ({**CALL_BACK, "site": "portland", "role": "admin"}, {"role"}),
    ({**CALL_BACK, "site": "portland", "urgency": "none"}, {"urgency"}),
    ({"site": "portland", "kinds": ["FEVER", "FEVRE"], "text": "?"}, {"kinds.1"}),
    ({**CALL_BACK, "site": "portland", "text": " "}, {"text"}),
]


def test_a_ticket_that_cannot_be_names_its_fields(desk):
    for body, fields in CANNOT_BE:
        assert set(wrong_fields(desk.post("/tickets", body))) == fields, body


def test_urgency_by_hand_only_raises(desk, patient):
    fever = {"patient": patient["id"], "kinds": ["FEVER"], "text": "38.9", "urgency": "routine"}

    assert told(desk.post("/tickets", fever), 201)["urgency"] == "urgent"


# --- listed -------------------------------------------------------------------------------------------------------


def test_tickets_are_found_by_what_they_are(desk, pharmacy, patient, ticket, fever):
    told(desk.post("/tickets", {**CALL_BACK, "site": "portland"}), 201)
    told(desk.post(f"/tickets/{fever['id']}/acknowledge"), 200)

    def found(**wanted):
        return [one["number"] for one in told(desk.get("/tickets", **wanted), 200)["items"]]

    assert len(found()) == 3
    assert found(urgency="urgent") == found(state="acknowledged") == found(role="nurse") == [fever["number"]]
    assert sorted(found(patient=patient["id"])) == sorted([ticket["number"], fever["number"]])
    assert len(found(site="portland")) == 3
    assert found(site="miami") == found(state="resolved") == []


def test_the_newest_ticket_comes_first_and_pages_follow(desk, pharmacy):
    numbers = []
    for minute in range(3):
        pharmacy.clock.set(f"2026-11-23T15:0{minute}:00+00:00")
        subject = pharmacy.enrol(external_id=f"P-{minute}", phone=f"+1503555016{minute}", welcomed=True)
        numbers.append(told(desk.post("/tickets", {**CALL_BACK, "patient": subject["id"]}), 201)["number"])

    first = told(desk.get("/tickets", limit=2), 200)
    second = told(desk.get("/tickets", limit=2, cursor=first["next"]), 200)

    assert [one["number"] for one in first["items"] + second["items"]] == numbers[::-1]
    assert second["next"] is None


# --- worked -------------------------------------------------------------------------------------------------------


def test_whoever_takes_a_ticket_first_has_it_and_the_second_is_told_who(pharmacy, desk, fever):
    taken = told(desk.post(f"/tickets/{fever['id']}/acknowledge"), 200)

    assert (taken["state"], taken["acknowledged_at"]) == ("acknowledged", "2026-11-23T14:00:00Z")
    assert told(desk.post(f"/tickets/{fever['id']}/acknowledge"), 200)["owner"] == taken["owner"]
    late = pharmacy.system(Scope.TICKETS).post(f"/tickets/{fever['id']}/acknowledge")
    assert late.status_code == 409
    assert taken["owner"] in late.json["detail"]


def test_of_ten_who_take_a_ticket_at_once_one_has_it(busy_pharmacy):
    fever = {"site": "portland", "kinds": ["FEVER"], "text": "38.9 by phone"}
    fever = told(busy_pharmacy.admin.post("/tickets", fever), 201)
    systems = [busy_pharmacy.system(Scope.TICKETS) for _ in range(10)]

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda one: one.post(f"/tickets/{fever['id']}/acknowledge"), systems))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert actions(told(busy_pharmacy.admin.get(f"/tickets/{fever['id']}"), 200)).count("ticket.acknowledged") == 1


def test_a_ticket_is_given_to_a_colleague(desk, ticket):
    given = told(desk.post(f"/tickets/{ticket['id']}/assign", {"to": "cora"}), 200)

    assert (given["owner"], given["state"]) == ("Cora Coordinator", "acknowledged")
    assert set(wrong_fields(desk.post(f"/tickets/{ticket['id']}/assign", {"to": "zoe"}))) == {"to"}


def test_a_note_stands_in_the_tickets_events(desk, ticket):
    noted = told(desk.post(f"/tickets/{ticket['id']}/note", {"text": "Billing calls back on Tuesday"}), 200)

    last = noted["events"][-1]
    assert (last["action"], last["detail"]) == ("ticket.noted", "Billing calls back on Tuesday")
    assert last["actor"].startswith("system")


def test_a_red_flag_is_closed_only_after_the_patient_was_reached(desk, fever):
    path = f"/tickets/{fever['id']}"
    assert desk.post(f"{path}/resolve", {"outcome": "reached_advised"}).status_code == 409

    told(desk.post(f"{path}/contact", {"reached": True, "note": "Going to the clinic"}), 200)
    closed = told(desk.post(f"{path}/resolve", {"outcome": "reached_advised", "note": "Seen today"}), 200)

    assert (closed["state"], closed["outcome"], closed["resolved_at"]) == (
        "resolved",
        "reached_advised",
        "2026-11-23T14:00:00Z",
    )
    assert desk.post(f"{path}/resolve", {"outcome": "answered"}).status_code == 409
    assert desk.post(f"{path}/acknowledge").status_code == 409


def test_an_outcome_is_one_of_those_that_there_are(desk, ticket):
    assert set(wrong_fields(desk.post(f"/tickets/{ticket['id']}/resolve", {"outcome": "fine"}))) == {"outcome"}


def test_a_reply_becomes_one_text_however_often_it_is_sent(pharmacy, desk, patient, ticket):
    words = {"text": "The invoice comes on Friday."}

    answers = [told(desk.post(f"/tickets/{ticket['id']}/reply", words, key="k"), 200) for _ in range(3)]

    assert len({answer["message"] for answer in answers}) == 1
    [text] = pharmacy.messages(patient, template="verbatim")
    assert (text["id"], text["recipient"]) == (answers[0]["message"], "patient")
    assert "The invoice comes on Friday." in text["body"]
    assert answers[0]["state"] == "acknowledged"


@pytest.mark.parametrize("word", ["Zosyn", "PICC", "osteomyelitis"])
def test_what_the_catalog_keeps_unsaid_staff_do_not_text(pharmacy, desk, patient, ticket, word):
    answer = desk.post(f"/tickets/{ticket['id']}/reply", {"text": f"About your {word}: we will call."})

    assert answer.status_code == 409
    assert f'Leave out "{word.lower()}": say your ' in answer.json["detail"]
    assert pharmacy.messages(patient, template="verbatim") == []


def test_one_who_opted_out_is_not_texted(pharmacy, desk, patient, ticket):
    word = {"channel": "sms", "source": "letter", "at": "2026-11-23T06:00:00-08:00", "consent": "withdrawn"}
    told(pharmacy.admin.patch(f"/patients/{patient['id']}", {"consents": [word]}), 200)

    answer = desk.post(f"/tickets/{ticket['id']}/reply", {"text": "The invoice comes on Friday."})

    assert answer.status_code == 409
    assert "call" in answer.json["detail"]


def test_a_new_need_after_a_closed_ticket_is_a_new_one_that_follows_it(desk, patient, ticket):
    told(desk.post(f"/tickets/{ticket['id']}/resolve", {"outcome": "answered"}), 200)

    following = told(desk.post("/tickets", {**CALL_BACK, "patient": patient["id"]}), 201)

    assert following["follows"] == ticket["id"]

"""Plans, deliveries, teaching and visits by the API: what is planned follows the facts."""

import pytest

from tests.edges.api_caller import wrong_fields
from tests.edges.api_pharmacy import CHECKED, ana, box, told, vancomycin


@pytest.fixture
def patient(pharmacy):
    return pharmacy.enrol(welcomed=True)


@pytest.fixture
def plan(pharmacy, patient):
    return pharmacy.plan(patient)


@pytest.fixture
def delivery(pharmacy, plan):
    return told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box()), 201)


# --- the order ----------------------------------------------------------------------------------------------------


def test_a_plan_is_received_and_nothing_is_said_of_it_before_it_is_verified(pharmacy, patient):
    plan = told(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin()), 201)

    assert plan["state"] == "received"
    assert plan["first_dose_at"] == "2026-11-27T18:00:00Z"
    assert pharmacy.messages(patient) == []

    verified = told(pharmacy.admin.post(f"/plans/{plan['id']}/verify", {"checklist": CHECKED}), 200)

    assert (verified["state"], verified["checklist"]) == ("verified", CHECKED)
    assert "order.verified" in {message["step"] for message in pharmacy.messages(patient)}


@pytest.mark.parametrize("checklist", [{**CHECKED, "supplies": False}, {"medication": True}, {}])
def test_an_incomplete_order_is_refused_and_a_coordinator_is_told_what_is_missing(pharmacy, patient, checklist):
    plan = told(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin()), 201)

    answer = pharmacy.admin.post(f"/plans/{plan['id']}/verify", {"checklist": checklist})

    missing = {name for name in CHECKED if not checklist.get(name)}
    assert set(wrong_fields(answer)) == {f"checklist.{name}" for name in missing}
    [ticket] = told(pharmacy.admin.get("/tickets", patient=patient["id"]), 200)["items"]
    assert (ticket["role"], ticket["kinds"]) == ("coordinator", ["ORDER_INCOMPLETE"])
    assert all(name.replace("_", " ") in ticket["text"] for name in missing)
    assert told(pharmacy.admin.get(f"/plans/{plan['id']}"), 200)["state"] == "received"


def test_an_incomplete_order_that_is_sent_twice_with_one_key_is_one_piece_of_news(pharmacy, patient):
    plan = told(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin()), 201)

    answers = [pharmacy.admin.post(f"/plans/{plan['id']}/verify", {"checklist": {}}, key="k") for _ in range(2)]

    assert answers[0].data == answers[1].data
    [ticket] = told(pharmacy.admin.get("/tickets"), 200)["items"]
    assert "ticket.appended" not in {event["action"] for event in ticket["events"]}


def test_the_same_plan_posted_again_is_the_plan_that_stands(pharmacy, patient, plan):
    again = told(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin()), 200)
    other = pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin(storage="room"))

    assert again == plan
    assert other.status_code == 409
    assert [error["field"] for error in other.json["errors"]] == ["storage"]


def test_a_plans_id_is_nobody_elses(pharmacy, plan):
    bo = pharmacy.enrol(external_id="P-2", phone="+15035550155")

    assert pharmacy.admin.post(f"/patients/{bo['id']}/plans", vancomycin()).status_code == 409


CANNOT_BE = [
    ("therapy", "antibiotic"),
    ("doses_per_day", 0),
    ("doses_per_day", 25),
    ("doses_per_day", "2"),
    ("ends_on", "2026-11-01"),
    ("ends_on", "30.12.2026"),
    ("first_dose_at", "2026-11-27T10:00:00"),
    ("reminders", ["8 pm"]),
    ("flags", ["brave"]),
]


def test_a_plan_that_cannot_be_names_its_field(pharmacy, patient):
    for field, value in CANNOT_BE:
        wrong = wrong_fields(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin(**{field: value})))
        assert {name.partition(".")[0] for name in wrong} == {field}, (field, value)


def test_every_plan_of_a_patient_is_listed(pharmacy, patient, plan):
    second = told(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin(external_id="RX-78")), 201)

    listed = told(pharmacy.admin.get(f"/patients/{patient['id']}/plans"), 200)["items"]

    assert {one["id"] for one in listed} == {plan["id"], second["id"]}


# --- the journey --------------------------------------------------------------------------------------------------


def test_in_hospital_nothing_is_said_and_at_home_again_it_goes_on(pharmacy, patient, plan, delivery):
    paused = told(pharmacy.admin.post(f"/plans/{plan['id']}/pause", {"reason": "in hospital"}), 200)

    assert (paused["state"], paused["why"]) == ("paused", "in hospital")
    assert pharmacy.messages(patient, state="planned") == []

    resumed = told(pharmacy.admin.post(f"/plans/{plan['id']}/resume"), 200)

    assert (resumed["state"], resumed["why"]) == ("delivery_set", None)
    assert pharmacy.messages(patient, step="delivery.day_before", state="planned")


def test_a_therapy_that_ended_is_spoken_of_no_more(pharmacy, patient, plan, delivery):
    ended = told(pharmacy.admin.post(f"/plans/{plan['id']}/end", {"reason": "line out, all well"}), 200)

    assert ended["state"] == "ended"
    assert pharmacy.messages(patient, state="planned") == []
    assert pharmacy.admin.post(f"/plans/{plan['id']}/resume").status_code == 409
    assert pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box(external_id="D-10")).status_code == 409


def test_a_pause_ends_in_the_future(pharmacy, plan):
    answer = pharmacy.admin.post(f"/plans/{plan['id']}/pause", {"reason": "trip", "until": "2026-11-01T08:00:00Z"})

    assert set(wrong_fields(answer)) == {"until"}


# --- deliveries ---------------------------------------------------------------------------------------------------


def test_a_delivery_is_announced_for_its_window(pharmacy, patient, delivery):
    [announced] = pharmacy.messages(patient, step="delivery.set")

    assert delivery["status"] == "scheduled"
    assert "10 am" in announced["body"]
    assert announced["recipient"] == "patient"


def test_the_same_delivery_posted_again_is_the_one_that_stands(pharmacy, plan, delivery):
    assert told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box()), 200) == delivery

    other = pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box(items=[]))

    assert other.status_code == 409
    assert [error["field"] for error in other.json["errors"]] == ["items"]


def test_a_delivery_that_is_moved_is_reminded_of_on_its_new_day(pharmacy, patient, delivery):
    window = {"window_start": "2026-11-26T13:00:00-08:00", "window_end": "2026-11-26T15:00:00-08:00"}

    moved = told(pharmacy.admin.patch(f"/deliveries/{delivery['id']}", window), 200)

    assert (moved["window_start"], moved["window_end"]) == ("2026-11-26T21:00:00Z", "2026-11-26T23:00:00Z")
    [coming] = pharmacy.messages(patient, step="delivery.day_before", state="planned")
    [gone] = pharmacy.messages(patient, step="delivery.day_before", state="cancelled")
    assert coming["due_at"].startswith("2026-11-25")
    assert gone["why"]


def test_the_box_is_followed_to_the_door(pharmacy, patient, plan, delivery):
    path = f"/deliveries/{delivery['id']}"

    out = told(pharmacy.admin.patch(path, {"status": "out_for_delivery"}), 200)
    here = told(pharmacy.admin.patch(path, {"status": "delivered", "cold_ok": True}), 200)

    assert (out["status"], out["delivered_at"]) == ("out_for_delivery", None)
    assert (here["status"], here["cold_ok"], here["delivered_at"]) == ("delivered", True, "2026-11-23T14:00:00Z")
    assert told(pharmacy.admin.get(path), 200) == here
    assert told(pharmacy.admin.get(f"/plans/{plan['id']}"), 200)["state"] == "delivered"
    assert pharmacy.messages(patient, step="delivery.arrived", state="planned")


def test_a_delivery_that_came_cannot_fail_afterwards(pharmacy, delivery):
    told(pharmacy.admin.patch(f"/deliveries/{delivery['id']}", {"status": "delivered"}), 200)

    assert pharmacy.admin.patch(f"/deliveries/{delivery['id']}", {"status": "failed"}).status_code == 409


CANNOT_CHANGE = [
    ({"window_end": "2026-11-25T09:00:00-08:00"}, "window_end"),
    ({"status": "done"}, "status"),
    ({"status": None}, "status"),
    ({"cold_ok": "yes"}, "cold_ok"),
    ({"items": []}, "items"),
]


def test_a_change_of_a_delivery_that_cannot_be_names_its_field(pharmacy, delivery):
    for change, field in CANNOT_CHANGE:
        assert set(wrong_fields(pharmacy.admin.patch(f"/deliveries/{delivery['id']}", change))) == {field}, change


# --- teaching, doses, visits --------------------------------------------------------------------------------------


def test_a_lesson_is_taught_or_missed(pharmacy, plan):
    lesson = {"at": "2026-11-26T14:00:00-08:00", "mode": "visit"}
    missed = told(pharmacy.admin.post(f"/plans/{plan['id']}/education", lesson), 201)
    taught = told(pharmacy.admin.post(f"/plans/{plan['id']}/education", {**lesson, "mode": "video"}), 201)

    missed = told(pharmacy.admin.patch(f"/education/{missed['id']}", {"status": "missed"}), 200)
    taught = told(pharmacy.admin.patch(f"/education/{taught['id']}", {"status": "done"}), 200)

    assert (missed["status"], missed["done_at"]) == ("missed", None)
    assert (taught["status"], taught["mode"], taught["done_at"]) == ("done", "video", "2026-11-23T14:00:00Z")


def test_a_plan_has_one_first_dose_and_a_new_time_moves_it(pharmacy, plan):
    dose = {"kind": "first_dose", "at": "2026-11-28T09:00:00-08:00"}

    first = told(pharmacy.admin.post(f"/plans/{plan['id']}/events", dose), 201)
    again = told(pharmacy.admin.post(f"/plans/{plan['id']}/events", {**dose, "at": "2026-11-29T09:00:00-08:00"}), 201)

    assert again["id"] == first["id"]
    assert told(pharmacy.admin.get(f"/plans/{plan['id']}"), 200)["first_dose_at"] == "2026-11-29T17:00:00Z"


def test_a_blood_draw_is_moved_and_then_done(pharmacy, patient, plan):
    draw = {"kind": "lab", "at": "2026-11-30T08:00:00-08:00"}
    draw = told(pharmacy.admin.post(f"/plans/{plan['id']}/events", draw), 201)

    moved = told(pharmacy.admin.patch(f"/events/{draw['id']}", {"at": "2026-12-01T08:00:00-08:00"}), 200)
    [reminder] = pharmacy.messages(patient, step="lab.day_before", state="planned")
    done = told(pharmacy.admin.patch(f"/events/{draw['id']}", {"status": "done"}), 200)

    assert moved["at"] == "2026-12-01T16:00:00Z"
    assert reminder["due_at"].startswith("2026-11-30")
    assert done["status"] == "done"
    assert told(pharmacy.admin.get(f"/events/{draw['id']}"), 200) == done


def test_a_delivery_is_not_a_visit(pharmacy, delivery):
    assert pharmacy.admin.get(f"/events/{delivery['id']}").status_code == 404
    assert pharmacy.admin.get(f"/education/{delivery['id']}").status_code == 404


def test_every_hour_that_the_patient_reads_is_the_patients_own(pharmacy):
    patient = pharmacy.enrol(**{**ana(external_id="P-5", phone="+15035550156"), "timezone": "America/New_York"})
    plan = pharmacy.plan(patient, external_id="RX-5")

    told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box(external_id="D-5")), 201)

    [announced] = pharmacy.messages(patient, step="delivery.set")
    assert "1 pm" in announced["body"]

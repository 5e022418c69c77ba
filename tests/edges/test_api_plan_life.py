"""What a pharmacy's own system may tell of a plan's life, and the rehearsal that it may ask for."""

from tests.edges.api_caller import wrong_fields
from tests.edges.api_pharmacy import box, told, vancomycin


def test_a_first_dose_is_not_booked_before_the_order_is_checked(pharmacy):
    patient = pharmacy.enrol()
    plan = told(pharmacy.admin.post(f"/patients/{patient['id']}/plans", vancomycin()), 201)
    refused = pharmacy.admin.post(
        f"/plans/{plan['id']}/events", {"kind": "first_dose", "at": "2026-12-03T10:00:00-05:00"}
    )
    assert "Verify the order first" in told(refused, 409)["detail"]
    (ticket,) = told(pharmacy.admin.get("/tickets", patient=patient["id"]), 200)["items"]
    assert ticket["kinds"] == ["ORDER_INCOMPLETE"]
    assert "medication, dosing schedule, duration, supplies, storage" in ticket["text"]


def test_the_order_may_change_and_the_rest_of_it_stays(pharmacy):
    plan = pharmacy.plan(pharmacy.enrol())
    changed = told(pharmacy.admin.patch(f"/plans/{plan['id']}", {"reminders": ["07:30"], "doses_per_day": 3}), 200)
    assert changed == {**plan, "reminders": ["07:30"], "doses_per_day": 3}
    refused = pharmacy.admin.patch(f"/plans/{plan['id']}", {"ends_on": "2020-01-01"})
    assert "ends_on" in wrong_fields(refused)


def test_supplies_ready_and_a_count_of_doses(pharmacy):
    plan = pharmacy.plan(pharmacy.enrol())
    ready = told(pharmacy.admin.post(f"/plans/{plan['id']}/supplies_ready", {}), 200)
    assert (ready["state"], ready["supplies_ready_at"] is not None) == ("supplies_ready", True)
    counted = told(pharmacy.admin.post(f"/plans/{plan['id']}/doses", {"left": 9}), 200)
    assert counted["doses_left"] == 9
    assert "left" in wrong_fields(pharmacy.admin.post(f"/plans/{plan['id']}/doses", {"left": -1}))


def test_the_rehearsal_is_what_stands_and_more(pharmacy):
    patient = pharmacy.enrol()
    plan = pharmacy.plan(patient)
    told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box()), 201)
    shown = told(pharmacy.admin.get(f"/patients/{patient['id']}/preview"), 200)
    standing = {(row["step"], row["due_at"], row["body"]) for row in pharmacy.messages(patient)}
    assert standing <= {(line["step"], line["due_at"], line["body"]) for line in shown["items"]}
    assert shown["cost"] > 0
    assert all(line["segments"] <= 2 for line in shown["items"] if line["channel"] == "sms")
    assert shown["items"] == sorted(shown["items"], key=lambda line: line["due_at"])
    assert "FIRST_DOSE_NOT_READY" in {each["kind"] for each in shown["staff"]}


def test_a_storm_is_told_once_by_its_name(pharmacy):
    pharmacy.plan(pharmacy.enrol(postal_code="97205"))
    storm = {"site": "portland", "postal_codes": ["97205"], "name": "Nora"}
    assert told(pharmacy.admin.post("/warnings", storm), 200) == {"told": 1, "to_be_called": 0}
    assert told(pharmacy.admin.post("/warnings", storm), 200) == {"told": 0, "to_be_called": 0}
    told(pharmacy.admin.post("/warnings", storm | {"site": "mars"}), 404)

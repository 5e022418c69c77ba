"""Patients by the API: enrolled once, found again, changed, and told what they asked to hear."""

from concurrent.futures import ThreadPoolExecutor

from tests.edges.api_caller import wrong_fields
from tests.edges.api_pharmacy import ana, box, told

BEA = {
    "name": "Bea Ruiz",
    "relationship": "daughter",
    "phone": "+15035550124",
    "language": "en",
    "receives": ["delivery"],
    "consents": [{"channel": "sms", "source": "intake form v3", "at": "2026-11-20T09:12:00-08:00"}],
}


def test_a_pharmacys_system_enrols_ana_and_finds_her_by_its_own_id(pharmacy):
    enrolled = pharmacy.enrol(caregivers=[BEA], postal_code="97205")

    found = told(pharmacy.admin.get("/patients", site="portland", external_id="P-1"), 200)

    assert found == {"items": [enrolled], "next": None}
    assert told(pharmacy.admin.get(f"/patients/{enrolled['id']}"), 200) == enrolled
    assert enrolled["consents"] == [
        {
            "channel": "sms",
            "consent": "given",
            "source": "intake form v3",
            "wording": None,
            "at": "2026-11-20T17:12:00Z",
        }
    ]
    assert [(who["name"], who["language"], who["receives"]) for who in enrolled["caregivers"]] == [
        ("Bea Ruiz", "en", ["delivery"])
    ]


def test_nobody_is_found_by_an_id_that_another_site_gave(pharmacy):
    pharmacy.enrol()

    assert told(pharmacy.admin.get("/patients", site="miami", external_id="P-1"), 200)["items"] == []


def test_what_the_system_leaves_out_is_the_sites(pharmacy):
    enrolled = pharmacy.enrol(language=None, timezone=None, channel=None)

    assert (enrolled["language"], enrolled["timezone"], enrolled["channel"]) == ("en", "America/Los_Angeles", "sms")


def test_ana_is_welcomed_once_she_agreed(pharmacy):
    enrolled = pharmacy.enrol()

    [welcome] = pharmacy.messages(enrolled, step="welcome")

    assert (welcome["recipient"], welcome["template"], welcome["state"]) == ("patient", "M01", "planned")
    assert welcome["body"].startswith("Pharmko")


def test_one_who_agreed_to_nothing_is_sent_nothing(pharmacy):
    assert pharmacy.messages(pharmacy.enrol(consents=None)) == []


def test_one_who_was_welcomed_before_is_not_welcomed_again(pharmacy):
    assert pharmacy.messages(pharmacy.enrol(welcomed=True)) == []


# --- posted again -------------------------------------------------------------------------------------------------


def test_posting_ana_again_gives_the_ana_that_stands(pharmacy):
    enrolled = pharmacy.enrol(caregivers=[BEA])

    for left_out in ({}, {"channel": None}, {"timezone": None}):
        assert told(pharmacy.admin.post("/patients", ana(caregivers=[BEA], **left_out)), 200) == enrolled


def test_posting_another_person_under_anas_id_is_a_conflict_that_names_what_differs(pharmacy):
    pharmacy.enrol()

    answer = pharmacy.admin.post("/patients", ana(given_name="Beatriz", phone="+15035550188", caregivers=[BEA]))

    assert answer.status_code == 409
    assert {error["field"] for error in answer.json["errors"]} == {"given_name", "phone", "caregivers"}
    assert "Beatriz" not in answer.text


def test_a_consent_that_is_new_is_not_taken_for_the_same(pharmacy):
    pharmacy.enrol()
    later = {"channel": "voice", "source": "phone call", "at": "2026-11-21T10:00:00-08:00"}

    answer = pharmacy.admin.post("/patients", ana(consents=[*ana()["consents"], later]))

    assert [error["field"] for error in answer.json["errors"]] == ["consents"]


def test_ten_systems_that_enrol_ana_at_once_get_one_ana(busy_pharmacy):
    def enrol(_: int) -> tuple[int, str]:
        answer = busy_pharmacy.another_line(busy_pharmacy.admin).post("/patients", ana())
        return answer.status_code, answer.json["id"]

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(enrol, range(10)))

    assert sorted(status for status, _ in answers) == [200] * 9 + [201]
    assert len({patient for _, patient in answers}) == 1


# --- what cannot be -----------------------------------------------------------------------------------------------


CANNOT_BE = [
    ("site", "atlantis"),
    ("language", "fr"),
    ("phone", "5035550123"),
    ("phone", "+1503"),
    ("phone", "+1503555012345678"),
    ("external_id", ""),
    ("external_id", "P\u00001"),
    ("external_id", "P" * 101),
    ("family_name", " "),
    ("family_name", "Ru\niz"),
    ("timezone", "Local"),
    ("timezone", "../../etc/passwd"),
    ("channel", "email"),
    ("welcomed", 1),
    ("consents", "yes"),
]
NO_MOMENTS = ["2026-11-20", "2026-11-20T09:12:00", "yesterday", 1763630000, "9999-12-31T23:59:59-12:00"]


def test_an_enrolment_that_cannot_be_names_its_field(pharmacy):
    for field, value in CANNOT_BE:
        assert set(wrong_fields(pharmacy.admin.post("/patients", ana(**{field: value})))) == {field}, (field, value)


def test_a_moment_must_be_one_moment(pharmacy):
    for at in NO_MOMENTS:
        answer = pharmacy.admin.post("/patients", ana(consents=[{"channel": "sms", "source": "form", "at": at}]))
        assert set(wrong_fields(answer)) == {"consents.0.at"}, at


def test_nothing_may_be_missing_that_must_be_known(pharmacy):
    wrong = wrong_fields(pharmacy.admin.post("/patients", {}))

    assert set(wrong) == {"external_id", "site", "given_name", "family_name", "phone"}
    assert set(wrong.values()) == {"required"}


def test_everybody_needs_a_phone_of_their_own(pharmacy):
    answer = pharmacy.admin.post("/patients", ana(caregivers=[BEA, {**BEA, "phone": "+15035550123"}]))

    assert set(wrong_fields(answer)) == {"caregivers.1.phone"}
    assert told(pharmacy.admin.get("/patients"), 200)["items"] == []


# --- changes ------------------------------------------------------------------------------------------------------


def test_a_new_language_reaches_what_is_not_yet_sent(pharmacy):
    patient = pharmacy.enrol()
    plan = pharmacy.plan(patient)
    told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box()), 201)
    [spanish] = pharmacy.messages(patient, step="delivery.day_before")

    told(pharmacy.admin.patch(f"/patients/{patient['id']}", {"language": "en"}), 200)

    [english] = pharmacy.messages(patient, step="delivery.day_before")
    assert "entrega" in spanish["body"]
    assert "Delivery tomorrow" in english["body"]


def test_a_move_to_another_zone_moves_what_is_not_yet_sent(pharmacy):
    patient = pharmacy.enrol(timezone="America/New_York")
    plan = pharmacy.plan(patient)
    told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box()), 201)
    before = pharmacy.messages(patient, step="delivery.day_before", state="planned")[0]["due_at"]

    told(pharmacy.admin.patch(f"/patients/{patient['id']}", {"timezone": "America/Los_Angeles"}), 200)

    after = pharmacy.messages(patient, step="delivery.day_before", state="planned")[0]["due_at"]
    assert (before, after) == ("2026-11-24T15:00:00Z", "2026-11-24T18:00:00Z")


def test_what_a_change_does_not_name_stays(pharmacy):
    patient = pharmacy.enrol(caregivers=[BEA], postal_code="97205")

    changed = told(pharmacy.admin.patch(f"/patients/{patient['id']}", {"phone": "+15035550177"}), 200)

    carried = changed.pop("consents")[len(patient.pop("consents")) :]
    assert changed == {**patient, "phone": "+15035550177"}
    assert [word["source"][:28] for word in carried] == ["carried over to a new number"]


def test_a_caregiver_who_is_left_out_of_the_new_list_is_told_nothing_more(pharmacy):
    patient = pharmacy.enrol(caregivers=[BEA])
    plan = pharmacy.plan(patient)
    told(pharmacy.admin.post(f"/plans/{plan['id']}/deliveries", box()), 201)
    bea = patient["caregivers"][0]["id"]
    assert pharmacy.messages(patient, recipient=bea, step="delivery.day_before", state="planned")

    changed = told(pharmacy.admin.patch(f"/patients/{patient['id']}", {"caregivers": []}), 200)

    assert changed["caregivers"] == []
    assert pharmacy.messages(patient, recipient=bea, step="delivery.day_before", state="planned") == []


def test_a_consent_withdrawn_elsewhere_silences_what_was_planned(pharmacy):
    patient = pharmacy.enrol()
    word = {"channel": "sms", "source": "letter", "at": "2026-11-23T06:00:00-08:00", "consent": "withdrawn"}

    changed = told(pharmacy.admin.patch(f"/patients/{patient['id']}", {"consents": [word]}), 200)

    assert [word["consent"] for word in changed["consents"]] == ["given", "withdrawn"]
    assert {message["state"] for message in pharmacy.messages(patient)} == {"cancelled"}


def test_a_change_that_cannot_be_names_its_field(pharmacy):
    patient = pharmacy.enrol()

    for change in ({"site": "miami"}, {"external_id": "P-2"}, {"phone": None}, {"language": "tlh"}):
        assert set(wrong_fields(pharmacy.admin.patch(f"/patients/{patient['id']}", change))) == set(change)


# --- who reads ----------------------------------------------------------------------------------------------------


def test_whoever_reads_about_ana_leaves_a_line_in_her_journal(pharmacy):
    patient = pharmacy.enrol()
    lines = "SELECT count(*) FROM audit_event WHERE verb = 'patient.viewed'"
    assert pharmacy.stored(lines) == [(0,)]

    for path in (f"/patients/{patient['id']}", "/patients", f"/patients/{patient['id']}/messages"):
        told(pharmacy.admin.get(path), 200)

    assert pharmacy.stored(lines) == [(3,)]

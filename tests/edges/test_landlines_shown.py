"""Where a landline is told of: in the API, on the patient's page, in the form; a file read twice changes nothing."""

import re

from notifier import access, importing, runtime
from notifier.core.vocabulary import Channel, Role, Scope
from tests.clinic import Clinic
from tests.edges.api_caller import Caller
from tests.edges.test_console_patients import NEW
from tests.stories.test_found_to_be_a_landline import BILLS, agreed, with_a_landline
from tests.visitor import PASSWORD, Visitor

BOTH = [{"channel": way, "source": "intake form v3", "at": "2026-11-20T09:12:00-05:00"} for way in ("sms", "voice")]
BEA = {
    "name": "Bea Ruiz",
    "relationship": "daughter",
    "phone": "+12125557001",
    "receives": ["delivery"],
    "consents": BOTH,
}
ANA = {
    "external_id": "P-9",
    "site": "newyork",
    "given_name": "Ana",
    "family_name": "Ruiz",
    "phone": BILLS,
    "channel": "sms",
    "consents": BOTH,
    "caregivers": [BEA],
}
FILE = """site,patient_id,given_name,family_name,phone,channel,consent_sms_at,consent_voice_at,consent_source,\
plan_id,therapy,line,storage,administration,first_dose_at,doses_per_day,ends_on
newyork,P-9,Ana,Ruiz,(212) 555-2074,sms,2026-11-20 09:12,2026-11-20 09:12,intake form v3,\
RX-9,iv_antibiotic,picc,room,gravity,2026-12-02 10:00,2,2026-12-30
"""


def system(clinic: Clinic) -> Caller:
    with runtime.transaction() as session:
        token = access.create_token(session, "ehr", [Scope.ADMIN], now=clinic.now)
    return Caller(clinic.world.app.test_client(), token)


def coordinator(clinic: Clinic) -> Visitor:
    with runtime.transaction() as session:
        access.create_user(session, "cora@example.com", Role.COORDINATOR, PASSWORD, now=clinic.now)
    return Visitor(clinic).signs_in("cora@example.com")


def test_a_system_is_told_what_is_used_what_was_asked_for_and_why(clinic: Clinic) -> None:
    for number in (BILLS, BEA["phone"]):
        clinic.sandbox.phone(number).mode = "landline"
    ehr = system(clinic)
    enrolled = ehr.post("/patients", ANA)
    assert enrolled.status_code == 201
    assert (enrolled.json["channel"], enrolled.json["line_type"]) == ("sms", "unknown")
    clinic.world.settle()
    told = ehr.get(f"/patients/{enrolled.json['id']}").json
    for one in (told, told["caregivers"][0]):
        assert (one["channel"], one["asked_channel"], one["line_type"]) == ("voice", "sms", "landline")
        assert one["line_asked_at"] == "2026-11-23T14:00:00Z"
    # Posted again it is the same patient; a change that names the caregivers as before changes no channel.
    assert ehr.post("/patients", ANA).status_code == 200
    assert ehr.patch(f"/patients/{told['id']}", {"caregivers": [BEA], "channel": "sms"}).json["channel"] == "voice"
    assert ehr.post("/patients", ANA | {"channel": "voice"}).status_code == 409


def test_the_same_file_twice_changes_nothing_though_a_landline_changed_the_channel(clinic: Clinic) -> None:
    clinic.sandbox.phone(BILLS).mode = "landline"
    catalog = runtime.current().catalog
    results = []
    for _ in range(2):
        with runtime.transaction() as session:
            results.append(importing.load(session, FILE.encode(), catalog=catalog, now=clinic.now))
        clinic.world.settle()
    assert [(result.loaded, result.refused, result.unchanged) for result in results] == [(1, 0, 0), (0, 0, 1)]
    with runtime.reading() as session:
        contact = importing.enrolment.find_patient(session, "newyork", "P-9").contact
        assert (contact.channel, contact.wish) == (Channel.VOICE, Channel.SMS)


def test_the_patients_page_says_what_phone_it_is_and_when_that_was_found(clinic: Clinic) -> None:
    bill = with_a_landline(clinic)
    cora = coordinator(clinic)
    page = cora.opens(f"/patients/{bill.row.id}").get_data(as_text=True)
    assert "by call · landline" in page
    assert "Texts were asked for. This phone takes calls only." in page
    assert "Found to be a landline: called from now on" in page
    ivy = clinic.patient("Ivy")
    assert "by text · mobile" in cora.opens(f"/patients/{ivy.row.id}").get_data(as_text=True)


def test_the_form_turns_to_calls_while_a_known_landline_is_typed(clinic: Clinic) -> None:
    with_a_landline(clinic)
    cora = coordinator(clinic)
    cora.opens("/patients/new")
    token = re.search(r'name="csrf_token" value="([^"]+)"', cora.text)[1]
    helper = {"helper_name": "Bo", "helper_relation": "son", "helper_phone": BILLS, "helper_language": "en"}
    form = {**NEW, **helper, "csrf_token": token, "phone": BILLS}
    tidy = cora.client.post("/patients/new", data=form, headers={"X-Check": "1"}).get_json()["tidy"]
    assert tidy["channel"] == "voice"
    assert tidy["helper_channel"] == "voice"
    form["phone"] = form["helper_phone"] = "(212) 555-3001"
    answer = cora.client.post("/patients/new", data=form, headers={"X-Check": "1"}).get_json()
    assert "channel" not in answer["tidy"]


def test_saving_the_form_as_it_stands_keeps_what_was_asked_for(clinic: Clinic) -> None:
    bill = with_a_landline(clinic, consents=agreed(clinic))
    cora = coordinator(clinic)
    path = f"/patients/{bill.row.id}/change"
    page = cora.opens(path).get_data(as_text=True)
    assert re.search(r'<option value="sms" selected>', page)
    with runtime.reading() as session:
        assert session.get(type(clinic.contact(bill)), clinic.contact(bill).id).channel is Channel.VOICE

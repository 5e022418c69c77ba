"""What coordinators do with patients in the console: enrol, change, move, pause, rehearse; nothing is kept unseen."""

import re

import pytest
from sqlalchemy import func, select

from notifier import access, runtime
from notifier.core.states import EventState, MessageState, PlanState
from notifier.core.vocabulary import Consent, Role
from notifier.models import AuditEvent, CareEvent, Contact, Inbound, Message, Patient, Staff, TherapyPlan
from tests.clinic import Clinic
from tests.visitor import PASSWORD, Visitor

NEW = {
    "given_name": "Juniper",
    "family_name": "Sampleton",
    "external_id": "P-1077",
    "site": "newyork",
    "phone": "(212) 555-3001",
    "language": "en",
    "timezone": "America/New_York",
    "channel": "sms",
    "consent_sms": "yes",
    "consent_source": "intake form v3",
}
ORDER = {
    "external_id": "RX-77",
    "therapy": "iv_antibiotic",
    "line": "picc",
    "storage": "refrigerated",
    "administration": "elastomeric",
    "first_dose_at": "2026-11-27T10:00",
    "doses_per_day": "2",
    "ends_on": "2026-12-10",
    "supplies": "Saline flush 10 mL x 28\n7 Tubing set",
    "reminders": "08:00, 20:00",
}


@pytest.fixture
def cora(clinic: Clinic) -> Visitor:
    """A coordinator at the console; Dee of the delivery desk may sign in too."""
    with runtime.transaction() as session:
        access.create_user(session, "cora@example.com", Role.COORDINATOR, PASSWORD, now=clinic.now)
        access.create_user(session, "dee@example.com", Role.DELIVERY, PASSWORD, now=clinic.now)
    return Visitor(clinic).signs_in("cora@example.com")


def sees_and_saves(visitor: Visitor, path: str, **form: str) -> str:
    """Sends a form, reads its effect, and saves it. Returns what the page showed before."""
    visitor.opens(path)
    visitor.sends(path, **form)
    seal = re.search(r'name="seen" value="(\w+)"', visitor.text)
    assert seal, visitor.text
    shown = visitor.text
    visitor.sends(path, seen=seal[1], **form)
    return shown


def found(external_id: str) -> Patient:
    with runtime.reading() as session:
        return session.scalars(select(Patient).where(Patient.external_id == external_id)).unique().one()


def planned(patient: Patient) -> int:
    with runtime.reading() as session:
        waiting = (Message.patient_id == patient.id, Message.state == MessageState.PLANNED)
        return session.scalar(select(func.count()).select_from(Message).where(*waiting)) or 0


def test_a_patient_is_enrolled_ordered_checked_and_then_told(clinic: Clinic, cora: Visitor) -> None:
    cora.opens("/patients/new")
    cora.sends("/patients/new", **NEW)
    assert "Juniper Sampleton is enrolled" in cora.text
    juniper = found("P-1077")
    base = f"/patients/{juniper.id}"
    sees_and_saves(cora, f"{base}/plans/new", **ORDER)
    with runtime.reading() as session:
        plan = session.scalars(select(TherapyPlan).where(TherapyPlan.patient_id == juniper.id)).one()
    assert [item["quantity"] for item in plan.supplies] == [28, 7]
    assert plan.reminders == ["08:00", "20:00"]
    checks = ("medication", "dosing_schedule", "duration", "supplies", "storage")
    shown = sees_and_saves(cora, f"{base}/plans/{plan.id}/verify", **dict.fromkeys(checks, "yes"))
    assert "Your order is checked" in shown, "the words are shown before they are planned"
    clinic.world.settle()
    phone = clinic.sandbox.phone("+12125553001")
    assert any("you said yes to texts" in text.body for text in phone.inbox)


def test_a_missing_check_is_a_ticket_and_no_message(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.patient("Otis")
    clinic.ordered(otis, "2026-11-27 10:00")
    path = f"/patients/{otis.row.id}/plans/{otis.plan.id}/verify"
    shown = sees_and_saves(cora, path, medication="yes", storage="yes")
    assert "Coordination gets a ticket" in shown
    assert otis.plan.verified_at is None
    assert otis.ticket.kinds == ["ORDER_INCOMPLETE"]


def test_wrong_fields_are_named_and_what_was_typed_stays(clinic: Clinic, cora: Visitor) -> None:
    clinic.patient("Otis")
    cora.opens("/patients/new")
    bad = {**NEW, "phone": "(212) 555-300", "external_id": "P-1", "family_name": "", "consent_source": ""}
    cora.sends("/patients/new", **bad)
    assert cora.page.status_code == 422
    assert "9 digits: a US number has 10" in cora.text
    assert "Another patient of this site has this number." in cora.text
    assert 'value="Juniper"' in cora.text
    assert cora.text.index("things to mend") < cora.text.index("<legend>")
    with runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(Patient)) == 1


def test_fields_are_checked_while_they_are_filled_in_and_nothing_is_saved(clinic: Clinic, cora: Visitor) -> None:
    cora.opens("/patients/new")
    token = re.search(r'name="csrf_token" value="([^"]+)"', cora.text)[1]
    answer = cora.client.post(
        "/patients/new", data={**NEW, "csrf_token": token, "phone": "212.555.3001"}, headers={"X-Check": "1"}
    )
    assert answer.get_json()["tidy"]["phone"] == "(212) 555-3001"
    assert answer.get_json()["faults"] == {}
    with runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(Patient)) == 0


def test_a_phone_that_others_have_is_taken_only_when_somebody_says_that_it_is_right(
    clinic: Clinic, cora: Visitor
) -> None:
    otis = clinic.patient("Otis")
    cora.opens("/patients/new")
    cora.sends("/patients/new", **{**NEW, "phone": otis.phone.number})
    assert cora.page.status_code == 422
    assert "a wrong number tells a stranger" in cora.text
    cora.sends("/patients/new", **{**NEW, "phone": otis.phone.number}, shared="yes")
    assert "is enrolled" in cora.text
    cora.opens(f"/patients/{otis.row.id}")
    assert "Another patient's messages go to the same phone" in cora.text or "same phone" in cora.text
    assert "Juniper Sampleton" in cora.text


def test_a_move_shows_what_it_says_to_the_patient_and_only_that_is_kept(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    event = clinic.delivery(otis, "2026-11-27 16:00", "2026-11-27 18:00", Saline_flush_10_mL=28)
    path = f"/patients/{otis.row.id}/deliveries/{event.id}"
    form = {"start": "2026-11-30T10:00", "end": "2026-11-30T12:00", "items": "Saline flush 10 mL x 28"}
    cora.opens(path)
    before = planned(otis.row)
    cora.sends(path, **form)
    assert "Moved" in cora.text or "New" in cora.text
    assert "Nov 30" in cora.text or "Mon" in cora.text
    assert planned(otis.row) == before, "a preview leaves no trace"
    assert clinic.next_delivery(otis).starts_at == event.starts_at
    seal = re.search(r'name="seen" value="(\w+)"', cora.text)[1]

    other = {**form, "start": "2026-11-30T11:00"}
    cora.sends(path, seen=seal, **other)
    assert clinic.next_delivery(otis).starts_at == event.starts_at, "what was shown was another move"

    otis.texts("STOP")
    cora.sends(path, seen=seal, **form)
    assert "What this does to the messages" in cora.text, "the facts have changed: it is shown anew"
    seal = re.search(r'name="seen" value="(\w+)"', cora.text)[1]
    cora.sends(path, seen=seal, **form)
    assert clinic.next_delivery(otis).starts_at == otis.local("2026-11-30 10:00")


def test_a_pause_an_end_and_a_death_are_seen_before_they_silence(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    base = f"/patients/{otis.row.id}/plans/{otis.plan.id}"
    stood = otis.plan.state
    cora.opens(f"{base}/pause")
    cora.sends(f"{base}/pause", reason="")
    assert cora.page.status_code == 422
    shown = sees_and_saves(cora, f"{base}/pause", reason="in hospital")
    assert "No longer sent" in shown
    assert otis.plan.state is PlanState.PAUSED
    sees_and_saves(cora, f"{base}/resume")
    assert otis.plan.state is stood
    sees_and_saves(cora, f"{base}/end", reason="told by the family", deceased="yes")
    assert otis.plan.state is PlanState.DECEASED
    assert planned(otis.row) == 0


def test_consent_is_written_down_with_its_place_and_replans(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    own = clinic.contact(otis)
    path = f"/patients/{otis.row.id}/consent/{own.id}"
    shown = sees_and_saves(cora, path, channel="sms", consent="withdrawn", source="by phone, Cora")
    assert "No longer sent" in shown
    assert clinic.contact(otis).sms_consent is Consent.WITHDRAWN
    assert planned(otis.row) == 0
    clinic.world.clock.passes(minutes=1)
    sees_and_saves(cora, path, channel="sms", consent="given", source="form signed again")
    assert clinic.contact(otis).sms_consent is Consent.GIVEN
    assert planned(otis.row) > 0


def test_a_helper_is_added_and_later_told_nothing_more(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    helper = {
        "helper_name": "Marta Mockridge",
        "helper_phone": "(212) 555-2001",
        "helper_relation": "daughter",
        "helper_language": "es",
        "helper_channel": "sms",
        "helper_receives_delivery": "yes",
        "helper_consent_sms": "yes",
        "helper_consent_source": "intake form v3",
    }
    sees_and_saves(cora, f"/patients/{otis.row.id}/people/new", **helper)
    with runtime.reading() as session:
        marta = session.scalars(select(Contact).where(Contact.relation == "daughter")).one()
    assert (marta.language, marta.sms_consent, marta.receives) == ("es", Consent.GIVEN, ["delivery"])
    path = f"/patients/{otis.row.id}/people/{marta.id}"
    sees_and_saves(cora, path, **helper, remove="yes")
    with runtime.reading() as session:
        assert not session.get_one(Contact, marta.id).active


def test_the_patients_number_and_name_are_changed_and_then_found(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    form = {
        "given_name": "Otis",
        "family_name": "Núñez",
        "phone": "(212) 555-4001",
        "language": "es",
        "timezone": "America/Phoenix",
        "channel": "sms",
    }
    sees_and_saves(cora, f"/patients/{otis.row.id}/change", **form)
    assert otis.row.timezone == "America/Phoenix"
    cora.opens("/patients")
    cora.sends("/search", q="otis nunez")
    assert "Otis Núñez" in cora.text
    cora.sends("/search", q="Mockridge")
    assert "Nobody found" in cora.text


def test_a_rehearsed_answer_shows_all_that_would_follow_and_leaves_no_trace(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    path = f"/patients/{otis.row.id}/rehearsal"
    cora.opens(path)
    assert "How are you" in cora.text or "Checking in" in cora.text
    cora.sends(path, text="FEVER 101.5 and shaking")
    assert "Read as" in cora.text
    assert "911" in cora.text, "the safe answer"
    assert "Nia Nurse" in cora.text, "who would be paged"
    clinic.world.settle()
    assert otis.tickets == []
    assert clinic.nia.pages == []
    with runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(Inbound)) == 0


def test_a_wrong_number_stands_on_the_patients_page(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    otis.texts("wrong number")
    cora.opens(f"/patients/{otis.row.id}")
    assert "Wrong number: (212) 555-1001" in cora.text


def test_teaching_is_set_and_marked(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.patient("Otis")
    clinic.ordered(otis, "2026-11-27 10:00")
    clinic.verified(otis)
    base = f"/patients/{otis.row.id}"
    form = {"kind": "education", "start": "2026-11-25T10:00", "mode": "video"}
    sees_and_saves(cora, f"{base}/plans/{otis.plan.id}/visits/new", **form)
    with runtime.reading() as session:
        event = session.scalars(select(CareEvent).where(CareEvent.kind == "education")).one()
    assert (event.mode, event.starts_at) == ("video", otis.local("2026-11-25 10:00"))
    clinic.world.clock.passes(days=2, hours=3)
    sees_and_saves(cora, f"{base}/visits/{event.id}", start="2026-11-25T10:00", mode="video", status="done")
    with runtime.reading() as session:
        assert session.get_one(CareEvent, event.id).state is EventState.DONE


def test_the_delivery_desk_moves_boxes_and_nothing_else(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    event = clinic.delivery(otis, "2026-11-27 16:00", "2026-11-27 18:00", Saline_flush_10_mL=28)
    dee = Visitor(clinic).signs_in("dee@example.com")
    base = f"/patients/{otis.row.id}"
    for path in (
        *("/patients/new", "/import", "/reports", "/staff", f"{base}/change", f"{base}/rehearsal"),
        *(f"{base}/plans/{otis.plan.id}/pause", f"{base}/plans/new", "/reports/accreditation.csv"),
    ):
        assert dee.opens(path).status_code == 403, path
    assert dee.opens("/calendar").status_code == 200
    form = {"start": "2026-11-27T10:00", "end": "2026-11-27T12:00", "items": "Saline flush 10 mL x 28"}
    sees_and_saves(dee, f"{base}/deliveries/{event.id}", **form)
    assert clinic.next_delivery(otis).starts_at == otis.local("2026-11-27 10:00")


def test_every_change_says_who_made_it(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    sees_and_saves(cora, f"/patients/{otis.row.id}/plans/{otis.plan.id}/pause", reason="on holiday")
    with runtime.reading() as session:
        line = session.scalars(select(AuditEvent).where(AuditEvent.verb == "therapy_plan.paused")).one()
    assert (line.actor, line.detail) == ("Cora", "on holiday")


def test_another_sites_patient_is_closed_to_every_form(clinic: Clinic, cora: Visitor) -> None:
    otis = clinic.active("Otis")
    with runtime.transaction() as session:
        for staff in session.scalars(select(Staff)):
            staff.sites = ["elsewhere"]
    base = f"/patients/{otis.row.id}"
    for path in ("change", f"plans/{otis.plan.id}/pause", "people/new", "rehearsal", "plans/new"):
        assert cora.opens(f"{base}/{path}").status_code == 404, path
        assert "Mockridge" not in cora.text

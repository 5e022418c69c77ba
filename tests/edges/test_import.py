"""A pharmacy's export becomes patients, plans and deliveries; what is wrong with it is named."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import catalog, enrolment, importing, pharmacy
from notifier.core.states import EventState, MessageState, PlanState
from notifier.core.vocabulary import Channel, Consent, EventKind, Therapy
from notifier.errors import Invalid
from notifier.models import CareEvent, Contact, Message, Patient, TherapyPlan
from notifier.sheet import Fault
from tests.books import PHARMACY, books

SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)  # Monday, nine in the morning in New York
CATALOG = catalog.load()
ROW = {
    "site": "newyork",
    "patient_id": "P-1",
    "given_name": "Ana",
    "family_name": "Ruiz",
    "phone": "(503) 555-0123",
    "language": "es",
    "timezone": "",
    "channel": "",
    "consent_sms_at": "2026-11-20 09:12",
    "consent_voice_at": "",
    "consent_source": "intake form v3",
    "caregiver_name": "",
    "caregiver_phone": "",
    "caregiver_receives": "",
    "caregiver_consent_at": "",
    "plan_id": "RX-1",
    "therapy": "iv_antibiotic",
    "line": "picc",
    "storage": "refrigerated",
    "administration": "elastomeric",
    "first_dose_at": "2026-12-02 10:00",
    "doses_per_day": "2",
    "ends_on": "2026-12-30",
    "verified": "yes",
    "education_at": "",
    "education_done": "",
    "first_dose_done": "",
    "welcomed": "",
    "supplies": "Saline flush 10 mL x 28; Extension set x 7",
    "delivery_id": "D-1",
    "delivery_from": "2026-12-01 10:00",
    "delivery_to": "2026-12-01 12:00",
    "items": "Medication bag x 14; Saline flush 10 mL x 28",
}


def row(**said: str) -> dict[str, str]:
    return ROW | said


def another(number: int, **said: str) -> dict[str, str]:
    """A row of another patient."""
    known = {"patient_id": f"P-{number}", "plan_id": f"RX-{number}", "delivery_id": f"D-{number}"}
    return row(**known | {"phone": f"503555{number:04}"} | said)


def file(*rows: dict[str, str], delimiter: str = ",", bom: bool = False) -> bytes:
    columns = list(rows[0])
    quoted = [
        [f'"{each[column]}"' if {delimiter, "\n"} & set(each[column]) else each[column] for column in columns]
        for each in rows
    ]
    text = "\r\n".join(delimiter.join(cells) for cells in [columns, *quoted]) + "\r\n"
    return ("\ufeff" if bom else "").encode() + text.encode()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with books(tmp_path)() as session:
        pharmacy.apply(session, PHARMACY, by="test", now=NOW)
        session.commit()
        yield session
        session.get_bind().dispose()


def load(session: Session, data: bytes, now: datetime = NOW) -> importing.Result:
    result = importing.load(session, data, catalog=CATALOG, now=now)
    session.commit()
    return result


def counts(result: importing.Result) -> tuple[int, int, int]:
    return result.loaded, result.refused, result.unchanged


def faults(session: Session, *rows: dict[str, str]) -> list[Fault]:
    return list(load(session, file(*rows)).faults)


# --- good rows ----------------------------------------------------------------------------------------------------


def test_ana_is_loaded_whole(session):
    assert counts(load(session, file(row()))) == (1, 0, 0)
    ana = session.scalars(select(Patient)).unique().one()
    assert (ana.name, ana.timezone, ana.contact.phone) == ("Ana Ruiz", "America/New_York", "+15035550123")
    assert (ana.contact.language, ana.contact.channel) == ("es", Channel.SMS)
    assert (ana.contact.sms_consent, ana.contact.voice_consent) == (Consent.GIVEN, Consent.UNKNOWN)
    (plan,) = ana.plans
    assert (plan.therapy, plan.state, plan.ends_on) == (
        Therapy.IV_ANTIBIOTIC,
        PlanState.DELIVERY_SET,
        date(2026, 12, 30),
    )
    assert plan.first_dose_at == datetime(2026, 12, 2, 15, tzinfo=UTC)
    assert plan.supplies == [{"name": "Saline flush 10 mL", "quantity": 28}, {"name": "Extension set", "quantity": 7}]
    delivery = next(event for event in plan.events if event.kind is EventKind.DELIVERY)
    assert delivery.ends_at - delivery.starts_at == timedelta(hours=2)
    steps = set(session.scalars(select(Message.step)))
    assert {"welcome", "order.verified", "delivery.set", "delivery.day_before", "check_in"} <= steps


def test_the_same_file_again_changes_nothing(session):
    data = file(row(), another(2, language="", channel="voice", consent_voice_at="2026-11-20"))
    assert counts(load(session, data)) == (2, 0, 0)
    before = session.execute(select(Message.key, Message.state, Message.due_at)).all()
    assert counts(load(session, data, NOW + timedelta(minutes=5))) == (0, 0, 2)
    assert session.execute(select(Message.key, Message.state, Message.due_at)).all() == before


def test_a_changed_row_updates_what_it_says_and_leaves_the_rest(session):
    load(session, file(row()))
    moved = row(language="", phone="503-555-0124", delivery_from="2026-12-01 14:00", delivery_to="2026-12-01 16:00")
    assert counts(load(session, file(moved), NOW + timedelta(hours=1))) == (1, 0, 0)
    (contact,) = session.scalars(select(Contact))
    assert (contact.phone, contact.language) == ("+15035550124", "es")
    standing = session.scalars(select(Message).where(Message.step == "delivery.set")).all()
    assert sorted(message.state for message in standing) == [MessageState.CANCELLED, MessageState.PLANNED]
    planned = select(Message).where(Message.state == MessageState.PLANNED)
    assert {message.to for message in session.scalars(planned)} == {"+15035550124"}


def test_two_deliveries_of_one_plan_are_two_rows(session):
    second = row(delivery_id="D-2", delivery_from="2026-12-08 10:00", delivery_to="2026-12-08 12:00", items="")
    assert counts(load(session, file(row(), second))) == (2, 0, 0)
    wanted = select(func.count()).select_from(CareEvent).where(CareEvent.kind == EventKind.DELIVERY)
    assert session.scalar(wanted) == 2
    assert counts(load(session, file(row(), second))) == (0, 0, 2)


def test_a_daughter_who_helps_is_told_of_deliveries(session):
    helped = row(
        caregiver_name="Dana Ruiz",
        caregiver_phone="(720) 555-0103",
        caregiver_receives="delivery;check_in",
        caregiver_consent_at="2026-11-20",
    )
    load(session, file(helped))
    dana = session.scalars(select(Contact).where(Contact.relation == "caregiver")).one()
    assert (dana.receives, dana.sms_consent, dana.language) == (["delivery", "check_in"], Consent.GIVEN, "es")
    assert "delivery.set" in set(session.scalars(select(Message.step).where(Message.contact_id == dana.id)))
    assert counts(load(session, file(helped))) == (0, 0, 1)


def test_without_consent_nothing_is_planned(session):
    load(session, file(row(consent_sms_at="")))
    assert session.scalars(select(Message)).all() == []


def test_who_was_welcomed_before_is_not_welcomed_again(session):
    load(session, file(row(welcomed="yes")))
    assert "welcome" not in set(session.scalars(select(Message.step)))


def test_a_patient_in_the_middle_of_therapy_comes_with_what_is_done(session):
    middle = row(
        first_dose_at="2026-11-20 10:00",
        education_at="2026-11-19 14:00",
        education_done="yes",
        first_dose_done="2026-11-20 11:00",
        delivery_id="",
        delivery_from="",
        delivery_to="",
        items="",
    )
    assert counts(load(session, file(middle))) == (1, 0, 0)
    plan = session.scalars(select(TherapyPlan)).unique().one()
    assert plan.state is PlanState.ACTIVE
    done = {event.kind: event.done_at for event in plan.events if event.state is EventState.DONE}
    assert done[EventKind.FIRST_DOSE] == datetime(2026, 11, 20, 16, tzinfo=UTC)
    assert done[EventKind.EDUCATION] == datetime(2026, 11, 19, 19, tzinfo=UTC)
    assert counts(load(session, file(middle))) == (0, 0, 1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_however_the_file_is_written(session, delimiter):
    turned = {name: ROW[name] for name in reversed(ROW)} | {"route_code": "R3"}
    result = load(session, file(turned, delimiter=delimiter, bom=True))
    assert counts(result) == (1, 0, 0)
    assert result.ignored_columns == ("route_code",)


def test_a_pharmacys_whole_export(session):
    pharmacy.apply(session, (SAMPLES / "pharmacy.toml").read_text(), by="test", now=NOW)
    data = (SAMPLES / "pharmacy_export.csv").read_bytes()
    listed = json.loads((SAMPLES / "pharmacy_export.faults.json").read_text())
    first = load(session, data)
    assert counts(first) == (282, 18, 0)
    assert first.faults == tuple(Fault(**fault) for fault in listed["faults"])
    assert list(first.ignored_columns) == listed["ignored_columns"]
    assert counts(load(session, data, NOW + timedelta(hours=1))) == (0, 18, 282)


# --- bad rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("phone", "555-CALL-ANA", "not a phone number"),
        ("phone", "55501", "too short"),
        ("timezone", "America/Portland", "no such time zone"),
        ("language", "xx-klingon", "not a language we can send"),
        ("first_dose_at", "31/02/2026 10:00", "not a date"),
        ("first_dose_at", "2027-03-14 02:30", "does not exist: clocks go forward"),
        ("first_dose_at", "2026-12-02", "the time of day is missing"),
        ("ends_on", "2020-01-01", "before the first dose"),
        ("ends_on", "soon", "not a date"),
        ("delivery_to", "2026-11-01 08:00", "before delivery_from"),
        ("therapy", "aromatherapy", "unknown therapy"),
        ("line", "clothes", "unknown line"),
        ("storage", "oven", "unknown storage"),
        ("administration", "spoon", "unknown administration"),
        ("doses_per_day", "0", "not a whole number of 1 to 24"),
        ("doses_per_day", "2.5", "not a whole number of 1 to 24"),
        ("channel", "pigeon", "not sms or voice"),
        ("site", "atlantis", "no such site"),
        ("patient_id", "", "missing"),
        ("family_name", "", "missing"),
        ("given_name", "An\na", "more than one line"),
        ("items", "Saline flush 10 mL x", "quantity missing"),
        ("supplies", "Saline flush 10 mL x 0", "not a quantity"),
        ("caregiver_phone", "call me", "not a phone number"),
        ("caregiver_name", "Dana", None),
        ("verified", "maybe", "not yes or no"),
        ("education_done", "maybe", "not yes, no or a time"),
        ("first_dose_done", "yes", "in the future"),
    ],
)
def test_a_bad_cell_is_named_with_its_line_and_reason(session, column, cell, reason):
    found = faults(session, another(2), row(**{column: cell}), another(3))
    expected = Fault(3, column, reason) if reason else Fault(3, "caregiver_phone", "missing")
    assert found == [expected]
    assert session.scalar(select(func.count()).select_from(Patient)) == 2


def test_a_window_that_never_ends(session):
    assert faults(session, row(delivery_to="")) == [Fault(2, "delivery_from", "given without delivery_to")]


def test_all_faults_of_a_row_are_named_and_it_is_refused_once(session):
    result = load(session, file(row(phone="x", therapy="y", site="z")))
    assert {fault.column for fault in result.faults} == {"phone", "therapy", "site"}
    assert counts(result) == (0, 1, 0)


def test_one_plan_is_one_therapy(session):
    other = another(2, plan_id="RX-1", therapy="hydration")
    assert faults(session, row(), other) == [Fault(3, "plan_id", "given twice with different therapy")]
    assert faults(session, row(therapy="tpn")) == [
        Fault(2, "therapy", "another one under the same plan; please end it and begin a new plan")
    ]
    assert faults(session, another(4, plan_id="RX-1")) == [Fault(2, "plan_id", "is another patient's")]


def test_a_row_never_loads_in_part(session):
    load(session, file(row()))
    plan = session.scalars(select(TherapyPlan)).unique().one()
    delivery = next(event for event in plan.events if event.kind is EventKind.DELIVERY)
    enrolment.set_delivery_status(session, delivery, EventState.DONE, catalog=CATALOG, by="test", now=NOW)
    session.commit()
    late = row(given_name="Anita", delivery_from="2026-12-03 10:00", delivery_to="2026-12-03 12:00")
    (fault,) = faults(session, late)
    assert (fault.line, fault.column) == (2, "delivery_from")
    assert session.scalars(select(Patient)).unique().one().given_name == "Ana"


def test_lines_are_counted_as_an_editor_does(session):
    wrapped = row(items="Medication bag x 14;\nSaline flush 10 mL x 28")
    data = file(wrapped, another(2, phone="x"), another(3)).replace(b"\r\n", b"\n")
    assert [fault.line for fault in load(session, data).faults] == [4]


def test_blank_lines_are_lines_and_no_rows(session):
    data = file(row(), another(2, phone="x")).replace(b"\r\n", b"\r\n\r\n")
    result = load(session, data)
    assert ([fault.line for fault in result.faults], counts(result)) == ([5], (1, 1, 0))


def test_a_quote_that_is_never_closed_is_found_where_it_opens(session):
    data = file(row(), another(2)) + b'newyork,"P-3,Ana\r\nmore\r\n'
    result = load(session, data)
    assert result.faults == (Fault(4, "row", "a quote is opened and never closed"),)
    assert counts(result) == (2, 1, 0)


def test_a_row_with_too_many_cells_is_refused(session):
    data = file(row()) + file(another(2)).split(b"\r\n")[1] + b",more\r\n"
    assert [fault.reason for fault in load(session, data).faults] == ["more cells than the header has columns"]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "phone"),
        (b"site,patient_id\n", "plan_id"),
        (b"PK\x03\x04\xff\xfe", "file"),
        (file(row()).replace(b"given_name", b"phone"), "given_name"),
    ],
)
def test_what_is_no_such_file_is_refused_whole(session, data, field):
    with pytest.raises(Invalid) as refused:
        load(session, data)
    assert field in refused.value.fields


def test_faults_never_repeat_what_the_cell_said(session):
    result = load(session, file(row(phone="Ana Ruiz"), another(2, caregiver_phone="Dana Ruiz")))
    assert not any("Ruiz" in fault.reason for fault in result.faults)

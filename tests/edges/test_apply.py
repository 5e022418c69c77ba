"""A pharmacy's file becomes its sites, staff, rotas and ladders."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import pharmacy
from notifier.core.vocabulary import Pages, Role, Urgency
from notifier.errors import Invalid
from notifier.models import AuditEvent, Ladder, OnCallShift, Site, Staff
from tests.books import books

NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)
FILE = """
[site.portland]
name = "Pharmko Portland"
timezone = "America/Los_Angeles"
sms_from = "+15035550199"
phone = "(800) 555-0100"

[staff.nora]
name = "Nora Nurse"
roles = ["nurse"]
sites = ["portland"]
phone = "503-555-0011"
email = "Nora@example.com"
pages = "both"

[staff.ben]
name = "Ben Backup"
roles = ["nurse"]
phone = "+15035550012"

[[rota]]
site = "*"
role = "nurse"
staff = "nora"

[[rota]]
site = "portland"
role = "nurse"
rung = 1
staff = "ben"
days = ["tue", "mon"]
hours = "19:00-07:00"

[[override]]
site = "portland"
role = "nurse"
staff = "ben"
from = 2026-12-24T07:00:00
until = "2026-12-25T07:00:00-08:00"

[ladder.urgent]
rungs = [{ who = "primary", by = "sms", after = 0 }, { who = "backup", by = "voice", after = 7 }]

[last_resort]
phone = "+15035550019"
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with books(tmp_path)() as session:
        yield session
        session.get_bind().dispose()


def apply(session: Session, text: str) -> list[str]:
    return pharmacy.apply(session, text, by="Ada Admin", now=NOW)


def faults(session: Session, text: str) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        apply(session, text)
    return refused.value.fields


def test_a_new_pharmacy_is_set_up(session):
    changes = apply(session, FILE)
    assert {"site portland: added", "staff nora: added", "staff last_resort: added", "ladder urgent: added"} <= set(
        changes
    )
    site = session.get_one(Site, "portland")
    assert (site.brand, site.phone, site.quiet_hours, site.languages) == (
        *("Pharmko Portland", "+18005550100", "20:00-08:00"),
        ["en"],
    )
    nora = session.scalars(select(Staff).where(Staff.key == "nora")).one()
    assert (nora.phone, nora.roles, nora.sites, nora.pages) == ("+15035550011", ["nurse"], ["portland"], Pages.BOTH)
    service = session.scalars(select(Staff).where(Staff.key == "last_resort")).one()
    assert (service.phone, service.roles, service.pages) == ("+15035550019", [], Pages.VOICE)
    assert session.get_one(Ladder, Urgency.URGENT).rungs[1] == {"who": "backup", "by": "voice", "after": 7.0}
    nights = session.scalars(select(OnCallShift).where(OnCallShift.rung == 1)).unique().one()
    assert (nights.days, nights.hours, nights.role) == (["mon", "tue"], "19:00-07:00", Role.NURSE)
    override = session.scalars(select(OnCallShift).where(OnCallShift.is_override)).unique().one()
    assert override.starts_at == datetime(2026, 12, 24, 15, tzinfo=UTC)  # seven in the morning in Portland


def test_the_same_file_again_changes_nothing(session):
    apply(session, FILE)
    session.commit()
    assert apply(session, FILE) == []


def test_only_what_differs_is_changed_and_told_without_numbers(session):
    apply(session, FILE)
    changed = FILE.replace("503-555-0011", "503-555-0077").replace(
        'rung = 1\nstaff = "ben"', 'rung = 1\nstaff = "nora"'
    )
    assert apply(session, changed.replace("after = 7", "after = 9")) == [
        "staff nora: phone changed",
        "rota portland nurse 1: nora mon,tue 19:00-07:00: added",
        "rota portland nurse 1: ben mon,tue 19:00-07:00: removed",
        "ladder urgent: rungs changed",
    ]
    lines = session.scalars(select(AuditEvent).where(AuditEvent.actor.is_not(None))).all()
    assert "staff.changed" in {line.verb for line in lines}
    assert not any("555" in (line.detail or "") for line in lines)


def test_who_left_the_file_is_paged_no_more_and_the_number_is_free(session):
    apply(session, FILE)
    without = FILE.replace("[staff.ben]", "[staff.bea]").replace('staff = "ben"', 'staff = "bea"')
    changes = apply(session, without.replace("Ben Backup", "Bea Backup"))
    assert "staff ben: active changed" in changes
    assert "staff bea: added" in changes
    ben = session.scalars(select(Staff).where(Staff.key == "ben")).one()
    assert not ben.active
    assert "staff ben: active, phone changed" in apply(session, FILE)


def test_two_nurses_change_phones_with_each_other(session):
    apply(session, FILE)
    swapped = FILE.replace("503-555-0011", "X").replace("+15035550012", "503-555-0011").replace("X", "+15035550012")
    assert apply(session, swapped) == ["staff nora: phone changed", "staff ben: phone changed"]


def test_a_ladder_that_left_the_file_gives_way_to_the_catalogs(session):
    apply(session, FILE)
    without = FILE[: FILE.index("[ladder.urgent]")] + FILE[FILE.index("[last_resort]") :]
    assert apply(session, without) == ["ladder urgent: removed; the catalog's stands"]
    assert session.get(Ladder, Urgency.URGENT) is None


def test_a_user_made_by_hand_is_the_person_in_the_file_and_stays_admin(session):
    from notifier import access

    access.create_user(session, "nora@example.com", Role.ADMIN, "correct horse battery", now=NOW)
    apply(session, FILE)
    nora = session.scalars(select(Staff).where(Staff.key == "nora")).one()
    assert nora.roles == ["nurse", "admin"]
    assert nora.password_hash
    assert apply(session, FILE) == []


def test_every_fault_is_named_at_once_and_nothing_changes(session):
    wrong = (
        FILE.replace("America/Los_Angeles", "America/Portland")
        .replace('"503-555-0011"', '"call me"')
        .replace('staff = "ben"\ndays', 'staff = "bob"\ndays')
        .replace('"19:00-07:00"', '"seven"')
        .replace('who = "backup"', 'who = "mother"')
        .replace('roles = ["nurse"]\nphone', 'roles = ["nurze"]\nphone')
        .replace("from = 2026-12-24T07:00:00", "from = 2026-12-26T07:00:00-08:00")
        + '\n[sites]\nx = 1\n[site.miami]\nname = "M"\nquiet = 1\n'
    )
    found = faults(session, wrong)
    assert found["site.portland.timezone"] == "no such time zone"
    assert found["staff.nora.phone"] == "not a phone number"
    assert found["staff.ben.roles"].startswith("not one of nurse")
    assert found["rota 2.staff"] == "no staff bob"
    assert found["rota 2.hours"] == 'must look like "20:00-08:00"'
    assert found["override 1.until"] == "must be after from"
    assert found["ladder.urgent"].startswith("rung 2: needs who (")
    assert found["sites"] == "no such section"
    assert found["site.miami.timezone"] == found["site.miami.phone"] == "missing"
    assert found["site.miami"] == "needs sms_from or messaging_service"
    assert found["site.miami.quiet"].startswith("no such setting")
    assert session.scalars(select(Site)).all() == []


def test_one_phone_is_one_person(session):
    assert faults(session, FILE.replace("+15035550012", "503-555-0011"))["staff.ben.phone"] == "is nora's too"


def test_an_hour_without_an_offset_needs_a_site(session):
    everywhere = FILE.replace('[[override]]\nsite = "portland"', '[[override]]\nsite = "*"')
    assert faults(session, everywhere)["override 1.from"].startswith("needs an offset")


def test_a_file_that_is_not_toml_is_said_so(session):
    assert faults(session, "[site.x\n")["file"].startswith("is not TOML")


def test_an_empty_file_takes_nobody_off_the_roster(session):
    apply(session, FILE)
    assert faults(session, "")["file"].startswith("is empty")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("site = 3", "site"),
        ("[site]\nportland = 3", "site.portland"),
        ("staff = []", "staff"),
        ("[rota]\nsite = '*'", "rota"),
        ("[ladder]\nurgent = 5", "ladder.urgent"),
        ("ladder = 5", "ladder"),
        ("last_resort = 5", "last_resort"),
    ],
)
def test_a_section_of_another_shape_is_named(session, text, name):
    assert name in faults(session, text)

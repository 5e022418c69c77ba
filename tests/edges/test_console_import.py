"""Import by dropping a file: every row's fate before anything loads, and the bad rows taken home with their reasons."""

import io
import re

import pytest
from sqlalchemy import func, select

from jobs import tasks
from notifier import access, import_runs, runtime
from notifier.clock import real
from notifier.core.states import ImportState
from notifier.core.vocabulary import Role
from notifier.models import ImportRun, Patient, Staff
from tests.clinic import Clinic
from tests.export_file import export, row
from tests.visitor import PASSWORD, Visitor


@pytest.fixture
def cora(clinic: Clinic) -> Visitor:
    """A coordinator, who may load files."""
    with runtime.transaction() as session:
        access.create_user(session, "cora@example.com", Role.COORDINATOR, PASSWORD, now=clinic.now)
    return Visitor(clinic).signs_in("cora@example.com")


def drops(visitor: Visitor, data: bytes) -> str:
    """Drops a file; returns the address of its page."""
    visitor.opens("/import")
    visitor.sends("/import", file=(io.BytesIO(data), "export.csv"))
    return str(visitor.page.request.path)


def patients() -> int:
    with runtime.reading() as session:
        return session.scalar(select(func.count()).select_from(Patient)) or 0


def test_every_row_has_its_fate_before_anything_is_loaded(clinic: Clinic, cora: Visitor) -> None:
    page = drops(cora, export(row(1), row(2, phone="12"), row(3)))
    assert "Checking: nothing is loaded yet" in cora.text
    clinic.world.settle()
    cora.opens(page)
    assert "To load: 2. Refused: 1." in cora.text
    assert re.search(r"<th scope=\"row\">3</th>.*Refused.*<code>phone</code>", cora.text, re.S)
    assert patients() == 0

    cora.sends(f"{page}/load")
    clinic.world.settle()
    assert patients() == 2
    cora.opens(page)
    assert "In the books: 2. Refused: 1." in cora.text
    phone = clinic.sandbox.phone("+12125552101")
    clinic.world.settle()
    assert phone.inbox, "who consented is welcomed"


def test_the_same_file_twice_changes_nothing_and_says_so(clinic: Clinic, cora: Visitor) -> None:
    for expected in ("New patient", "Unchanged"):
        page = drops(cora, export(row(1)))
        clinic.world.settle()
        cora.opens(page)
        assert expected in cora.text
        cora.sends(f"{page}/load")
        clinic.world.settle()
    assert patients() == 1


def test_the_bad_rows_are_taken_home_with_their_reasons(clinic: Clinic, cora: Visitor) -> None:
    page = drops(cora, export(row(1), row(2, phone="12"), row(3, therapy="magic")))
    clinic.world.settle()
    answer = cora.client.get(f"{page}/refused.csv")
    lines = answer.get_data(as_text=True).lstrip("\ufeff").splitlines()
    assert lines[0].startswith("line,reasons,site,patient_id")
    assert lines[1].startswith("3,phone: ")
    assert lines[2].startswith("4,therapy: ")
    assert len(lines) == 3


def test_a_file_that_is_none_is_refused_in_words(clinic: Clinic, cora: Visitor) -> None:
    page = drops(cora, b"colour,shape\nred,round\n")
    clinic.world.settle()
    cora.opens(page)
    assert "This is not a file that can be loaded" in cora.text
    assert "columns" in cora.text
    drops(cora, b"\xff\xfe\x00binary")
    assert cora.page.status_code == 422
    assert "not UTF-8" in cora.text


def test_what_nobody_wants_is_forgotten(clinic: Clinic, cora: Visitor) -> None:
    page = drops(cora, export(row(1)))
    clinic.world.settle()
    cora.opens(page)
    cora.sends(f"{page}/drop")
    assert "nothing was loaded" in cora.text
    with runtime.reading() as session:
        run = session.scalars(select(ImportRun)).one()
        assert (run.state, run.content, run.fates) == (ImportState.DROPPED, None, [])


def test_a_worker_that_dies_midway_repeats_nothing_and_loses_nothing(
    clinic: Clinic, cora: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = drops(cora, export(*(row(n) for n in range(1, 61))))
    clinic.world.settle()
    cora.opens(page)
    cora.sends(f"{page}/load")
    calls = []

    def dies(*args: object, **given: object) -> list[import_runs.RowFate]:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the machine is gone")
        return work(*args, **given)

    work = import_runs.work
    monkeypatch.setattr(import_runs, "work", dies)
    with pytest.raises(tasks.JobFailed):
        tasks.load_files()
    assert patients() == 25, "one portion stands"
    monkeypatch.undo()
    with runtime.transaction() as session:
        session.scalars(select(ImportRun)).one().lease_until = real()
    tasks.load_files()
    assert patients() == 60
    with runtime.reading() as session:
        run = session.scalars(select(ImportRun)).one()
    assert (run.state, run.done, run.total) == (ImportState.LOADED, 60, 60)
    assert [each.line for each in import_runs.fates(run)] == list(range(2, 62))


def test_a_row_of_a_site_that_one_does_not_serve_is_refused(clinic: Clinic, cora: Visitor) -> None:
    with runtime.transaction() as session:
        for staff in session.scalars(select(Staff)):
            staff.sites = ["elsewhere"]
    page = drops(cora, export(row(1)))
    clinic.world.settle()
    cora.opens(page)
    assert "you do not serve this site" in cora.text


def test_a_file_belongs_to_who_dropped_it(clinic: Clinic, cora: Visitor) -> None:
    page = drops(cora, export(row(1)))
    with runtime.transaction() as session:
        access.create_user(session, "sue@example.com", Role.SUPERVISOR, PASSWORD, now=clinic.now)
    sue = Visitor(clinic).signs_in("sue@example.com")
    assert sue.opens(page).status_code == 404
    assert sue.opens(f"{page}/refused.csv").status_code == 404

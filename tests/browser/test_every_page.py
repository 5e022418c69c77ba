"""Every page, on a desk and on a phone, light and dark: nobody is shut out, nothing scrolls sideways, no name leaks."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from jobs import queue
from notifier import access, import_runs, runtime
from notifier.core.vocabulary import Role
from notifier.models import Patient, Staff, TherapyPlan
from tests.browser.conftest import shut_out
from tests.browser.test_console import PASSWORD, sign_in
from tests.clinic import Clinic
from tests.export_file import export, row

PAGES = (
    *("/", "/tickets/{ticket}", "/patients", "/patients/{patient}", "/schedule", "/messages", "/roster"),
    *("/account", "/staff", "/patients/new", "/patients/{patient}/change", "/patients/{patient}/people/new"),
    *("/patients/{patient}/consent/{contact}", "/patients/{patient}/plans/new", "/patients/{patient}/rehearsal"),
    *("/patients/{patient}/plans/{plan}/order", "/patients/{patient}/plans/{plan}/verify"),
    *("/patients/{patient}/plans/{plan}/pause", "/patients/{patient}/plans/{plan}/end"),
    *("/patients/{patient}/plans/{plan}/deliveries/new", "/patients/{patient}/deliveries/{delivery}"),
    *("/patients/{patient}/plans/{plan}/visits/new", "/calendar", "/calendar?show=visits", "/import"),
    *("/import/{file}", "/messages/catalogue", "/reports", "/reports/accreditation", "/handover"),
)

FAULTS = """() => {
    const named = (one) => one.labels?.length || one.getAttribute("aria-label") || one.type === "hidden" ||
        (one.getAttribute("aria-labelledby") || "").split(" ").some((id) => id && document.getElementById(id));
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1]));
    return [
        ...[...document.querySelectorAll("input, select, textarea")].filter((one) => !named(one))
            .map((one) => `no label: ${one.outerHTML}`),
        ...[...document.querySelectorAll("a[href], button")].filter((one) => !one.textContent.trim() && !one.ariaLabel)
            .map((one) => `no name: ${one.outerHTML}`),
        ...[...document.querySelectorAll("[aria-labelledby], [aria-describedby], [popovertarget]")].flatMap((one) =>
            ["aria-labelledby", "aria-describedby", "popovertarget"].flatMap((name) =>
                (one.getAttribute(name) || "").split(" ").filter((id) => id && !document.getElementById(id))
                    .map((id) => `${name} leads nowhere: ${id}`))),
        ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `twice: #${id}`),
        ...levels.filter((level, at) => level - (levels[at - 1] ?? 0) > 1).map((level) => `skips to h${level}`),
        ...(document.querySelectorAll("h1").length === 1 ? [] : ["not one h1"]),
        ...(document.documentElement.scrollWidth > innerWidth ? ["scrolls sideways"] : []),
        ...(document.querySelector("[style]:not(canvas)") ? ["inline style"] : []),
        ...[...document.querySelectorAll("use")].filter((one) => !document.querySelector(one.getAttribute("href")))
            .map((one) => `no icon ${one.getAttribute("href")}`),
    ];
}"""


@pytest.fixture
def somebody(clinic: Clinic) -> str:
    """A supervisor, who may open every page."""
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=clinic.now)
        access.create_user(session, "nia@example.com", Role.SUPERVISOR, PASSWORD, now=clinic.now)
    return "nia@example.com"


def places(clinic: Clinic) -> dict[str, object]:
    """What the pages are about: a patient in the midst of it all."""
    otis = clinic.active("Otis", caregivers=(clinic.helper("Marta Mockridge", "+12125552001", "delivery"),))
    event = clinic.delivery(otis, "2026-11-24 16:00", "2026-11-24 18:00", Saline_flush_10_mL=28, Tubing_set=7)
    otis.texts("FEVER 101.5 and MISSING 2 flushes")
    with runtime.transaction() as session:
        staff = session.query(Staff).filter_by(key="nia").one()
        run = import_runs.begin(session, "export.csv", export(row(1), row(2, phone="12")), staff, now=clinic.now)
    queue.ring("load_files", queue=queue.BULK)
    clinic.world.settle()
    with runtime.reading() as session:
        patient = session.get_one(Patient, otis.row.id)
        plan = session.query(TherapyPlan).filter_by(patient_id=patient.id).one()
        return {
            "ticket": otis.tickets[0].number,
            "patient": patient.id,
            "contact": patient.contact.id,
            "plan": plan.id,
            "delivery": event.id,
            "file": run.id,
        }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_no_page_shuts_anybody_out(
    clinic: Clinic, somebody: str, window: Callable[..., Page], width: int, theme: str
) -> None:
    about = places(clinic)
    page = window(width, 844, color_scheme=theme, reduced_motion="reduce")
    sign_in(page, clinic, somebody)
    found = {}
    for path in PAGES:
        answer = page.goto(clinic.world.url + path.format(**about))
        assert answer is not None
        assert answer.status == 200, path
        if faults := [*page.evaluate(FAULTS), *shut_out(page)]:
            found[path] = faults
        assert "Mockridge" not in page.title()
        assert "Mockridge" not in page.url
    assert found == {}

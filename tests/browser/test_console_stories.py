"""Coordinators and supervisors at the console, in a real browser: what a page without a script cannot show."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from jobs import queue
from notifier import access, runtime
from notifier.core.vocabulary import Role
from tests.browser.conftest import shut_out
from tests.browser.test_console import PASSWORD, sign_in
from tests.clinic import Clinic
from tests.export_file import export, row

Window = Callable[..., Page]


@pytest.fixture
def sue(clinic: Clinic) -> str:
    """Sue's e-mail: a supervisor, who may do all of this."""
    with runtime.transaction() as session:
        access.create_user(session, "sue@example.com", Role.SUPERVISOR, PASSWORD, now=clinic.now)
    return "sue@example.com"


def test_a_coordinator_enrols_a_patient_and_is_corrected_while_typing(clinic: Clinic, sue: str, window: Window) -> None:
    page = window()
    sign_in(page, clinic, sue)
    page.goto(f"{clinic.world.url}/patients/new")
    page.get_by_label("Given name").fill("Juniper")
    page.get_by_label("Family name").fill("Sampleton")
    page.get_by_label("Your number for this patient").fill("P-77")
    phone = page.locator("#phone")
    phone.fill("212555300")
    phone.blur()
    expect(page.locator("#phone-why")).to_contain_text("9 digits")
    phone.fill("212.555.3001")
    phone.blur()
    expect(phone).to_have_value("(212) 555-3001")
    expect(page.locator("#phone-why")).to_be_hidden()
    page.locator('[name="consent_sms"]').check()
    page.locator("#consent_source").fill("intake form v3")
    page.get_by_role("button", name="Save and add the plan").click()
    expect(page.locator(".toast")).to_contain_text("Juniper Sampleton is enrolled")
    expect(page.get_by_role("heading", name="Add a plan")).to_be_visible()


def test_a_delivery_is_dragged_to_another_day_and_its_effect_is_seen_first(
    clinic: Clinic, sue: str, window: Window
) -> None:
    otis = clinic.active("Otis")
    event = clinic.delivery(otis, "2026-11-25 16:00", "2026-11-25 18:00", Saline_flush_10_mL=28)
    page = window()
    sign_in(page, clinic, sue)
    page.goto(f"{clinic.world.url}/calendar")
    box = page.locator('[data-date="2026-11-25"] .shift', has_text="Otis Mockridge")
    box.drag_to(page.locator('[data-date="2026-11-27"]'))
    expect(page.locator("#start")).to_have_value("2026-11-27T16:00")
    page.get_by_role("button", name="See what changes").first.click()
    expect(page.get_by_role("heading", name="What this does to the messages")).to_be_visible()
    assert clinic.next_delivery(otis).starts_at == event.starts_at
    assert shut_out(page) == []

    page.locator("#start").fill("2026-11-27T15:00")
    page.locator("#start").blur()
    expect(page.get_by_role("button", name="Save the delivery")).to_have_count(0)
    page.get_by_role("button", name="See what changes").first.click()
    page.get_by_role("button", name="Save the delivery").click()
    expect(page.locator(".toast")).to_contain_text("The delivery is changed")
    assert clinic.next_delivery(otis).starts_at == otis.local("2026-11-27 15:00")


def test_a_file_is_dropped_and_its_rows_fill_the_page_by_themselves(clinic: Clinic, sue: str, window: Window) -> None:
    page = window()
    sign_in(page, clinic, sue)
    page.goto(f"{clinic.world.url}/import")
    file = {"name": "export.csv", "mimeType": "text/csv", "buffer": export(row(1), row(2, phone="12"))}
    page.get_by_label("Drop a CSV file here").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Check the file").click()
    expect(page.locator("#progress")).to_contain_text("Checking: nothing is loaded yet")
    queue.ring("load_files", queue=queue.BULK)
    clinic.world.settle()
    expect(page.locator("#progress")).to_contain_text("To load: 1. Refused: 1.", timeout=5_000)
    with page.expect_download() as taken:
        page.get_by_role("link", name="Refused rows with reasons").click()
    assert taken.value.suggested_filename == "refused.csv"
    page.get_by_role("button", name="Load the good row").click()
    clinic.world.settle()
    expect(page.locator("#progress")).to_contain_text("In the books: 1.", timeout=5_000)


def test_a_rehearsed_answer_shows_who_would_be_woken(clinic: Clinic, sue: str, window: Window) -> None:
    otis = clinic.active("Otis")
    page = window(390, 844)
    sign_in(page, clinic, sue)
    page.goto(f"{clinic.world.url}/patients/{otis.row.id}/rehearsal")
    page.get_by_label("Their words").fill("I cant breathe")
    page.get_by_role("button", name="See what would follow").click()
    follows = page.locator("#follows")
    expect(follows).to_contain_text("Emergency")
    expect(follows).to_contain_text("911")
    expect(follows).to_contain_text("Nia Nurse would be paged by text")
    assert shut_out(page) == []
    assert otis.tickets == []


def test_the_charts_are_drawn_from_the_tables_beside_them(clinic: Clinic, sue: str, window: Window) -> None:
    otis = clinic.active("Otis")
    otis.texts("FEVER 101.5")
    clinic.handled(otis.ticket)
    page = window()
    sign_in(page, clinic, sue)
    page.goto(f"{clinic.world.url}/reports")
    expect(page.locator("canvas").first).to_be_visible()
    drawn = page.evaluate("charts.map((chart) => chart.data.datasets[0].data)")
    table = page.locator("#t-human tbody tr").nth(1).locator("td").first.get_attribute("data-value")
    assert drawn[0][1] == float(table or "nan")
    page.goto(f"{clinic.world.url}/reports/accreditation")
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    expect(page.locator("#t-access")).to_be_visible()


def test_two_nurses_on_one_ticket_see_each_other_come(clinic: Clinic, sue: str, window: Window) -> None:
    otis = clinic.active("Otis")
    otis.texts("FEVER 101.5")
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=clinic.now)
    first, second = window(), window()
    sign_in(first, clinic, sue)
    first.goto(f"{clinic.world.url}/tickets/{otis.ticket.number}")
    expect(first.locator("#here")).not_to_contain_text("Also here")
    sign_in(second, clinic, "nia@example.com")
    second.goto(f"{clinic.world.url}/tickets/{otis.ticket.number}")
    expect(second.locator("#here")).to_contain_text("Also here: Sue")
    expect(first.locator("#here")).to_contain_text("Also here: Nia Nurse", timeout=8_000)


def test_a_nurse_works_by_keys_alone_and_is_told_which(clinic: Clinic, sue: str, window: Window) -> None:
    otis = clinic.active("Otis")
    otis.texts("FEVER 101.5")
    page = window()
    sign_in(page, clinic, sue)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("write a note")
    assert shut_out(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(rf"/tickets/{otis.ticket.number}\?write=note#text"))
    expect(page.get_by_label("Note, only staff see it")).to_be_visible()
    page.locator("h1").click()
    page.keyboard.press("r")
    expect(page.get_by_label("Text to Otis")).to_be_visible()


def test_an_emergency_is_heard_by_who_asked_for_it(clinic: Clinic, sue: str, window: Window) -> None:
    otis = clinic.active("Otis")
    page = window(permissions=["notifications"])
    page.add_init_script(
        "window.heard = 0; const Real = AudioContext; window.AudioContext = class extends Real {"
        " constructor() { super(); window.heard += 1; } };"
    )
    sign_in(page, clinic, sue)
    otis.texts("I cant breathe")
    expect(page.locator(".banner.is-alarm")).to_be_visible()
    assert page.evaluate("window.heard") == 0, "off until chosen"
    page.get_by_role("button", name="Sound and notice for emergencies").click()
    expect(page.get_by_role("button", name="Alarm is on")).to_have_attribute("aria-pressed", "true")
    twice = "async () => { for (let n = 0; n < 80 && heard < 2; n++) await new Promise((on) => setTimeout(on, 100)); "
    assert page.evaluate(twice + "return heard; }") >= 2


def test_a_page_at_twice_its_size_scrolls_one_way_only(clinic: Clinic, sue: str, window: Window) -> None:
    otis = clinic.active("Otis")
    otis.texts("FEVER 101.5")
    page = window(720, 450)  # a desk of 1440 by 900 at 200 %
    sign_in(page, clinic, sue)
    for path in ("/", f"/tickets/{otis.ticket.number}", f"/patients/{otis.row.id}", "/patients/new", "/reports"):
        page.goto(clinic.world.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_person_who_asks_for_stillness_gets_it(clinic: Clinic, sue: str, window: Window) -> None:
    page = window(reduced_motion="reduce")
    sign_in(page, clinic, sue)
    still = "[...document.querySelectorAll('*')].every((one) => getComputedStyle(one).animationName === 'none' && "
    still += "parseFloat(getComputedStyle(one).transitionDuration) === 0)"
    assert page.evaluate(still)


@pytest.mark.parametrize("path", ["/", "/patients", "/reports", "/account", "/import"])
def test_a_page_in_spanish_shuts_nobody_out(clinic: Clinic, sue: str, window: Window, path: str) -> None:
    page = window(360, 740, locale="es-US")
    page.goto(clinic.world.url)
    expect(page.get_by_role("heading", name="Entrar")).to_be_visible()
    page.get_by_label("Correo del trabajo").fill(sue)
    page.get_by_label("Contraseña").fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_role("heading", name="Tablero", exact=True)).to_be_visible()
    page.goto(clinic.world.url + path)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert shut_out(page) == []

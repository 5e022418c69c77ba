"""A nurse and a coordinator at the console, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from notifier import access, runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import Role
from tests.clinic import Clinic

PASSWORD = "correct horse"
Window = Callable[..., Page]


@pytest.fixture
def nia(clinic: Clinic) -> str:
    """Nia's e-mail: she may sign in."""
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=clinic.now)
    return "nia@example.com"


def sign_in(page: Page, clinic: Clinic, email: str) -> None:
    page.goto(clinic.world.url)
    page.get_by_label("Work email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Board", exact=True)).to_be_visible()


def test_a_nurse_signs_in_and_takes_a_fever_and_her_backup_sleeps_on(clinic: Clinic, nia: str, window: Window) -> None:
    otis = clinic.active("Otis")
    otis.texts("FEVER 101.5")
    page = window()
    sign_in(page, clinic, nia)

    first = page.locator(".row").first
    expect(first).to_contain_text("Otis Mockridge")
    expect(first).to_contain_text("Nobody yet")
    first.get_by_role("link").click()
    expect(page).to_have_title(re.compile(rf"#{otis.ticket.number} Urgent"))
    page.locator(".promise").get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".toast")).to_contain_text("is yours")
    expect(page.locator(".promise")).to_contain_text("Nia Nurse has it")

    assert otis.ticket.state is TicketState.ACKNOWLEDGED
    clinic.world.clock.passes(minutes=14)
    assert not clinic.bo.is_paged


def test_a_ticket_arrives_on_an_open_board_by_itself(clinic: Clinic, nia: str, window: Window) -> None:
    ada, otis = clinic.active("Ada"), clinic.active("Otis")
    ada.texts("MISSING 2 flushes")
    page = window()
    sign_in(page, clinic, nia)
    expect(page.locator("[data-said]")).to_have_text("Live · as of")

    otis.texts("I cant breathe")
    expect(page.locator(".banner.is-alarm")).to_contain_text(f"#{otis.ticket.number}", timeout=3_000)
    expect(page.locator(".row").first).to_contain_text("I cant breathe")

    clinic.acknowledged_by_click(otis.ticket, "bo")
    expect(page.locator(".row").first).to_contain_text("Bo Backup", timeout=3_000)
    expect(page.locator(".banner.is-alarm")).to_have_count(0)


def test_without_a_script_a_nurse_still_does_all_her_work(clinic: Clinic, nia: str, window: Window) -> None:
    otis = clinic.active("Otis")
    otis.texts("FEVER 101.5")
    page = window(390, 844, java_script_enabled=False)
    sign_in(page, clinic, nia)
    page.goto(f"{clinic.world.url}/tickets/{otis.ticket.number}")

    page.get_by_role("region", name="Do now").get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Text to Otis").fill("Otis Mockridge, please pick up")
    page.get_by_role("button", name="Send text").click()
    expect(page.locator(".guard")).to_contain_text("Not sent")
    expect(page.get_by_label("Text to Otis")).to_have_value("Otis Mockridge, please pick up")

    page.get_by_label("Text to Otis").fill("Nia here. I am calling you now, please pick up.")
    page.get_by_role("button", name="Send text").click()
    clinic.world.settle()
    assert otis.received("Nia here. I am calling you now") == 1

    page.get_by_label("What was said").fill("No chills now. Goes to the clinic.")
    page.get_by_role("button", name="Reached").click()
    page.get_by_label("Outcome").select_option("reached_advised")
    page.get_by_role("button", name=f"Resolve #{otis.ticket.number}").click()
    expect(page.locator(".promise")).to_contain_text("Reached, advised")
    assert otis.ticket.state is TicketState.RESOLVED


def test_a_nurse_takes_a_ticket_by_keyboard_alone(clinic: Clinic, nia: str, window: Window) -> None:
    ada, otis = clinic.active("Ada"), clinic.active("Otis")
    ada.texts("FEVER 101.5")
    otis.texts("FEVER 102")
    page = window()
    sign_in(page, clinic, nia)
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text(f"#{ada.ticket.number} is yours")

    page.goto(f"{clinic.world.url}/tickets/{otis.ticket.number}")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text(f"#{otis.ticket.number} is yours")


PAGES = ("/", "/tickets/{ticket}", "/patients", "/patients/{patient}", "/schedule", "/messages", "/roster")

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
        ...(document.querySelector("[style]") ? ["inline style"] : []),
        ...[...document.querySelectorAll("use")].filter((one) => !document.querySelector(one.getAttribute("href")))
            .map((one) => `no icon ${one.getAttribute("href")}`),
    ];
}"""


@pytest.mark.parametrize("width", [1440, 390, 320])
def test_every_page_is_named_labelled_and_fits(clinic: Clinic, nia: str, window: Window, width: int) -> None:
    otis = clinic.active("Otis", caregivers=(clinic.helper("Marta Mockridge", "+12125552001", "delivery"),))
    clinic.delivery(otis, "2026-11-24 16:00", "2026-11-24 18:00", Saline_flush_10_mL=28, Tubing_set=7)
    otis.texts("FEVER 101.5 and MISSING 2 flushes")
    page = window(width, 844)
    sign_in(page, clinic, nia)
    for path in PAGES:
        answer = page.goto(clinic.world.url + path.format(ticket=otis.tickets[0].number, patient=otis.row.id))
        assert answer is not None
        assert answer.status == 200, path
        assert page.evaluate(FAULTS) == [], path
        assert "Mockridge" not in page.title()
        assert "Mockridge" not in page.url

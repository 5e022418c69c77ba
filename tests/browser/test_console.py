"""A nurse and a coordinator at the console, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

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


@pytest.mark.parametrize("late", ["console", "htmx"])
def test_a_page_is_live_whichever_script_comes_late(clinic: Clinic, nia: str, window: Window, late: str) -> None:
    page = window()
    sign_in(page, clinic, nia)

    def bring_late(route: Route) -> None:
        page.wait_for_timeout(500)  # a slow line
        route.continue_()

    page.route(re.compile(rf"/{late}[^/]*\.js"), bring_late)
    page.reload()
    expect(page.locator("[data-said]")).to_have_text("Live · as of", timeout=3_000)


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
